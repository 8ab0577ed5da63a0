/* A step of SGD: plain, with momentum, with Nesterov's. The rates come from the arrays, too. */
#include "check.h"

#include <stdio.h>

struct shape {
    size_t n;
    bool momentum, nesterov;
};

static void run(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    const float *lr = a[3], *rates = a[4];
    k->sgd(a[0], s->momentum ? a[1] : NULL, a[2], s->n, lr[0], rates[0], s->nesterov, rates[1]);
}

static struct job make(const struct shape *s)
{
    struct job j = { run,
                     s,
                     { { s->n, VALUES, 0 },
                       { s->n, VALUES, 0 },
                       { s->n, VALUES, 0 },
                       { 1, NEGATED, 0 },
                       { 2, VALUES, 0 } },
                     8,
                     "" };
    snprintf(j.what, sizeof j.what, "sgd n %zu momentum %d nesterov %d", s->n, s->momentum,
             s->nesterov);
    return j;
}

static bool check(const struct rn_kernels *k, const struct rn_kernels *right)
{
    for (size_t n = 0; n <= SIZES; n++) {
        for (int i = 0; i < 3; i++) {
            const struct shape s = { n, i > 0, i > 1 };
            struct job j = make(&s);
            if (!agree(k, right, &j))
                return false;
        }
    }
    return true;
}

static void bench(const struct rn_kernels *k)
{
    const struct shape s = { 4096, true, true };
    struct job j = make(&s);
    bench_job(k, &j);
}

const struct test sgd_test = { "sgd", check, bench, offsetof(struct rn_kernels, sgd), true };
