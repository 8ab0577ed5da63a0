/* Max pooling and its gradient. Small integers tie often, so the first of equals is tested. */
#include "check.h"

#include <stdio.h>

struct shape {
    size_t T, C;
    bool arg;
};

enum { T_MAX = 255 };

/* Taps in another order than memory's; every third case ends with the last row. */
static size_t tap(const struct shape *s, size_t t)
{
    return (t + s->C) % s->T;
}

static void run_pool(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    const float *x[T_MAX];
    for (size_t t = 0; t < s->T; t++)
        x[t] = (float *)a[2] + tap(s, t) * s->C;
    k->maxpool(a[0], s->arg ? a[1] : NULL, x, s->T, s->C);
}

static struct job pool_job(const struct shape *s)
{
    struct job j = { run_pool,
                     s,
                     { { s->C, CANARIES, 0 }, { s->C, BYTES, 0 }, { s->T * s->C, VALUES, 0 } },
                     0,
                     "" };
    snprintf(j.what, sizeof j.what, "maxpool T %zu C %zu arg %d", s->T, s->C, s->arg);
    return j;
}

static void run_grad(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    float *dx[T_MAX];
    for (size_t t = 0; t < s->T; t++)
        dx[t] = (float *)a[0] + tap(s, t) * s->C;
    k->maxpool_grad(dx, a[1], a[2], s->C);
}

static struct job grad_job(const struct shape *s)
{
    struct job j = {
        run_grad,
        s,
        { { s->T * s->C, VALUES, 0 }, { s->C, INDICES, (unsigned)s->T }, { s->C, VALUES, 0 } },
        2,
        ""
    };
    snprintf(j.what, sizeof j.what, "maxpool_grad T %zu C %zu", s->T, s->C);
    return j;
}

static bool check(const struct rn_kernels *k, const struct rn_kernels *right,
                  struct job (*make)(const struct shape *s))
{
    static const size_t taps[] = { 1, 2, 4, 9, T_MAX };
    for (size_t C = 0; C <= SIZES; C++) {
        for (size_t i = 0; i < 10; i++) {
            const struct shape s = { taps[i / 2], C, i % 2 };
            struct job j = make(&s);
            if ((s.T < T_MAX || C % 16 < 2) && !agree(k, right, &j))
                return false;
        }
    }
    return true;
}

static bool check_pool(const struct rn_kernels *k, const struct rn_kernels *right)
{
    return check(k, right, pool_job);
}

static bool check_grad(const struct rn_kernels *k, const struct rn_kernels *right)
{
    return check(k, right, grad_job);
}

static void bench_pool(const struct rn_kernels *k)
{
    for (int arg = 0; arg < 2; arg++) {
        const struct shape s = { 9, 512, arg };
        struct job j = pool_job(&s);
        bench_job(k, &j);
    }
}

static void bench_grad(const struct rn_kernels *k)
{
    const struct shape s = { 9, 512, true };
    struct job j = grad_job(&s);
    bench_job(k, &j);
}

const struct test maxpool_test = { "maxpool", check_pool, bench_pool,
                                   offsetof(struct rn_kernels, maxpool), false };
const struct test maxpool_grad_test = { "maxpool_grad", check_grad, bench_grad,
                                        offsetof(struct rn_kernels, maxpool_grad), false };
