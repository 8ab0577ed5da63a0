/* The sum over rows. */
#include "check.h"

#include <stdio.h>

struct shape {
    size_t ld, rows, C;
};

static void run(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    k->colsum(a[0], a[1], s->ld, s->rows, s->C);
}

static struct job make(const struct shape *s)
{
    size_t n = s->rows ? (s->rows - 1) * s->ld + s->C : 0;
    struct job j = { run, s, { { s->C, CANARIES, 0 }, { n, VALUES, 0 } }, s->rows + 2, "" };
    snprintf(j.what, sizeof j.what, "colsum ld %zu rows %zu C %zu", s->ld, s->rows, s->C);
    return j;
}

static bool check(const struct rn_kernels *k, const struct rn_kernels *right)
{
    for (size_t C = 0; C <= SIZES; C++) {
        for (size_t rows = 0; rows < 6; rows++) {
            const struct shape s = { C + rows % 4, rows, C };
            struct job j = make(&s);
            if (!agree(k, right, &j))
                return false;
        }
    }
    return true;
}

static void bench(const struct rn_kernels *k)
{
    const struct shape s = { 128, 32, 128 };
    struct job j = make(&s);
    bench_job(k, &j);
}

const struct test colsum_test = { "colsum", check, bench, offsetof(struct rn_kernels, colsum),
                                  false };
