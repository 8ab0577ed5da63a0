/* Reading memory. */
#include "check.h"

#include <stdio.h>
#include <string.h>

static void run(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const uint32_t all = k->read(a[1], *(const size_t *)arg);
    memcpy(a[0], &all, sizeof all);
}

static struct job make(const size_t *n)
{
    struct job j = { run, n, { { sizeof(uint32_t), BYTES, 0 }, { *n, VALUES, 0 } }, 0, "" };
    snprintf(j.what, sizeof j.what, "read n %zu", *n);
    return j;
}

/* To past four vectors, and around one and two rounds of the chains of the widest set. */
static bool check(const struct rn_kernels *k, const struct rn_kernels *right)
{
    for (size_t n = 0; n <= 300; n++) {
        struct job j = make(&n);
        if (!agree(k, right, &j))
            return false;
    }
    return true;
}

static void bench(const struct rn_kernels *k)
{
    const size_t n = 4096;
    struct job j = make(&n);
    bench_job(k, &j);
}

const struct test read_test = { "read", check, bench, offsetof(struct rn_kernels, read), true };
