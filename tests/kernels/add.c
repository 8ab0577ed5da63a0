/* The sum of two tensors, into a third and into each of the two. */
#include "check.h"

#include <stdio.h>

struct shape {
    size_t n;
    int y; /* which array is the output */
    bool relu;
};

static void run(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    k->add(a[s->y], a[1], a[2], s->n, s->relu);
}

static struct job make(const struct shape *s)
{
    struct job j = {
        run, s, { { s->n, CANARIES, 0 }, { s->n, VALUES, 0 }, { s->n, VALUES, 0 } }, 2, ""
    };
    snprintf(j.what, sizeof j.what, "add n %zu into array %d relu %d", s->n, s->y, s->relu);
    return j;
}

static bool check(const struct rn_kernels *k, const struct rn_kernels *right)
{
    for (size_t n = 0; n <= SIZES; n++) {
        for (int i = 0; i < 6; i++) {
            const struct shape s = { n, i % 3, i / 3 };
            struct job j = make(&s);
            if (!agree(k, right, &j))
                return false;
        }
    }
    return true;
}

static void bench(const struct rn_kernels *k)
{
    const struct shape s = { 4096, 0, true };
    struct job j = make(&s);
    bench_job(k, &j);
}

const struct test add_test = { "add", check, bench, offsetof(struct rn_kernels, add), false };
