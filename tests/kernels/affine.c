/* Scale and shift per channel, with and without residual and ReLU, in place and not. */
#include "check.h"

#include <stdio.h>

struct shape {
    size_t rows, C;
    int y; /* which array is the output */
    bool res, relu;
};

static void run(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    k->affine(a[s->y], a[1], s->res ? a[2] : NULL, a[3], a[4], s->rows, s->C,
              (s->relu ? RN_RELU : 0) | stream(a[s->y], s->C));
}

static struct job make(const struct shape *s)
{
    size_t n = s->rows * s->C;
    struct job j = { run,
                     s,
                     { { n, CANARIES, 0 },
                       { n, VALUES, 0 },
                       { n, VALUES, 0 },
                       { s->C, VALUES, 0 },
                       { s->C, VALUES, 0 } },
                     4,
                     "" };
    snprintf(j.what, sizeof j.what, "affine rows %zu C %zu into array %d res %d relu %d", s->rows,
             s->C, s->y, s->res, s->relu);
    return j;
}

static bool check(const struct rn_kernels *k, const struct rn_kernels *right)
{
    for (size_t C = 0; C <= SIZES; C++) {
        for (int i = 0; i < 12; i++) {
            const struct shape s = { (C + (size_t)i) % 4, C, i % 3, i / 3 % 2, i / 6 };
            struct job j = make(&s);
            if (!agree(k, right, &j))
                return false;
        }
    }
    return true;
}

static void bench(const struct rn_kernels *k)
{
    const struct shape s = { 32, 128, 0, true, true };
    struct job j = make(&s);
    bench_job(k, &j);
}

const struct test affine_test = { "affine", check, bench, offsetof(struct rn_kernels, affine),
                                  true };
