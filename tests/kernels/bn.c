/* Batch norm's sums and gradient, with a ReLU behind it and without. */
#include "check.h"

#include <stdio.h>

struct shape {
    size_t rows, C;
    enum { NO_RELU, FROM_Y, FROM_X } relu;
    bool dres, dres_add;
    int dx; /* which array is the output */
};

enum { BENCH_ROWS = 32, BENCH_C = 128 };

static void run_sums(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    k->bn_sums(a[0], a[1], a[2], a[3], s->rows, s->C);
}

static struct job sums_job(const struct shape *s)
{
    struct job j = { run_sums,
                     s,
                     { { s->C, CANARIES, 0 },
                       { s->C, CANARIES, 0 },
                       { s->rows * s->C, VALUES, 0 },
                       { s->C, NEGATED, 0 } },
                     s->rows + 4,
                     "" };
    snprintf(j.what, sizeof j.what, "bn_sums rows %zu C %zu", s->rows, s->C);
    return j;
}

/* a[]: dy, x, y, mean, scale, shift. */
static struct rn_bn_back back(const struct shape *s, void *const *a)
{
    return (struct rn_bn_back){ a[0], a[1], s->relu == FROM_Y ? a[2] : NULL,
                                a[3], a[4], s->relu == FROM_X ? a[5] : NULL };
}

static void run_grad_sums(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    const struct rn_bn_back in = back(s, a + 2);
    k->bn_grad_sums(a[0], a[1], &in, s->rows, s->C);
}

static struct job grad_sums_job(const struct shape *s)
{
    size_t n = s->rows * s->C;
    struct job j = { run_grad_sums,
                     s,
                     { { s->C, CANARIES, 0 },
                       { s->C, CANARIES, 0 },
                       { n, VALUES, 0 },
                       { n, VALUES, 0 },
                       { n, VALUES, 0 },
                       { s->C, NEGATED, 0 },
                       { s->C, VALUES, 0 },
                       { s->C, VALUES, 0 } },
                     s->rows + 4,
                     "" };
    snprintf(j.what, sizeof j.what, "bn_grad_sums rows %zu C %zu relu %d", s->rows, s->C, s->relu);
    return j;
}

static void run_grad(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    const struct rn_bn_back in = back(s, a + 2);
    k->bn_grad(a[s->dx], s->dres ? a[1] : NULL, &in, a[8], a[9], s->rows, s->C, s->dres_add,
               stream(a[1], s->C));
}

static struct job grad_job(const struct shape *s)
{
    size_t n = s->rows * s->C;
    struct job j = { run_grad,
                     s,
                     { { n, CANARIES, 0 },
                       { n, s->dres_add ? VALUES : CANARIES, 0 },
                       { n, VALUES, 0 },
                       { n, VALUES, 0 },
                       { n, VALUES, 0 },
                       { s->C, NEGATED, 0 },
                       { s->C, VALUES, 0 },
                       { s->C, VALUES, 0 },
                       { s->C, VALUES, 0 },
                       { s->C, VALUES, 0 } },
                     8,
                     "" };
    snprintf(j.what, sizeof j.what, "bn_grad rows %zu C %zu relu %d dres %d %d into array %d",
             s->rows, s->C, s->relu, s->dres, s->dres_add, s->dx);
    return j;
}

static bool check(const struct rn_kernels *k, const struct rn_kernels *right, int cases,
                  struct job (*make)(const struct shape *s))
{
    static const size_t rows[] = { 0, 1, 2, 7 };
    static const int dx[] = { 0, 2, 3 };
    for (size_t C = 0; C <= SIZES; C++) {
        for (int i = 0; i < cases; i++) {
            const struct shape s = {
                rows[(C + (size_t)i) % 4], C, i % 3, i / 3 % 3, i / 3 % 3 == 2, dx[i / 9 % 3]
            };
            struct job j = make(&s);
            if (!agree(k, right, &j))
                return false;
        }
    }
    return true;
}

static bool check_sums(const struct rn_kernels *k, const struct rn_kernels *right)
{
    return check(k, right, 4, sums_job);
}

static bool check_grad_sums(const struct rn_kernels *k, const struct rn_kernels *right)
{
    return check(k, right, 12, grad_sums_job);
}

static bool check_grad(const struct rn_kernels *k, const struct rn_kernels *right)
{
    return check(k, right, 27, grad_job);
}

static void bench(const struct rn_kernels *k, struct job (*make)(const struct shape *s))
{
    const struct shape s = { BENCH_ROWS, BENCH_C, FROM_X, false, false, 0 };
    struct job j = make(&s);
    bench_job(k, &j);
}

static void bench_sums(const struct rn_kernels *k)
{
    bench(k, sums_job);
}

static void bench_grad_sums(const struct rn_kernels *k)
{
    bench(k, grad_sums_job);
}

static void bench_grad(const struct rn_kernels *k)
{
    bench(k, grad_job);
}

const struct test bn_sums_test = { "bn_sums", check_sums, bench_sums,
                                   offsetof(struct rn_kernels, bn_sums), false };
const struct test bn_grad_sums_test = { "bn_grad_sums", check_grad_sums, bench_grad_sums,
                                        offsetof(struct rn_kernels, bn_grad_sums), false };
const struct test bn_grad_test = { "bn_grad", check_grad, bench_grad,
                                   offsetof(struct rn_kernels, bn_grad), false };
