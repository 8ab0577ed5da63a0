/* ReLU and its gradient, in place and not. */
#include "check.h"

#include <stdio.h>

struct shape {
    size_t n;
    bool in_place, add;
};

enum { BENCH_N = 4096 };

static void run_relu(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    k->relu(s->in_place ? a[1] : a[0], a[1], s->n);
}

static struct job relu_job(const struct shape *s)
{
    struct job j = { run_relu, s, { { s->n, CANARIES, 0 }, { s->n, VALUES, 0 } }, 0, "" };
    snprintf(j.what, sizeof j.what, "relu n %zu in place %d", s->n, s->in_place);
    return j;
}

static void run_grad(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    k->relu_grad(s->in_place ? a[1] : a[0], a[1], a[2], s->n, s->add);
}

static struct job grad_job(const struct shape *s)
{
    struct job j = {
        run_grad,
        s,
        { { s->n, s->add ? VALUES : CANARIES, 0 }, { s->n, VALUES, 0 }, { s->n, VALUES, 0 } },
        2,
        ""
    };
    snprintf(j.what, sizeof j.what, "relu_grad n %zu in place %d add %d", s->n, s->in_place,
             s->add);
    return j;
}

static bool check(const struct rn_kernels *k, const struct rn_kernels *right,
                  struct job (*make)(const struct shape *s))
{
    for (size_t n = 0; n <= SIZES; n++) {
        for (int i = 0; i < 4; i++) {
            const struct shape s = { n, i & 1, i & 2 };
            struct job j = make(&s);
            if (!agree(k, right, &j))
                return false;
        }
    }
    return true;
}

static bool check_relu(const struct rn_kernels *k, const struct rn_kernels *right)
{
    return check(k, right, relu_job);
}

static bool check_grad(const struct rn_kernels *k, const struct rn_kernels *right)
{
    return check(k, right, grad_job);
}

static void bench_relu(const struct rn_kernels *k)
{
    const struct shape s = { BENCH_N, false, false };
    struct job j = relu_job(&s);
    bench_job(k, &j);
}

static void bench_grad(const struct rn_kernels *k)
{
    const struct shape s = { BENCH_N, false, true };
    struct job j = grad_job(&s);
    bench_job(k, &j);
}

const struct test relu_test = { "relu", check_relu, bench_relu, offsetof(struct rn_kernels, relu),
                                false };
const struct test relu_grad_test = { "relu_grad", check_grad, bench_grad,
                                     offsetof(struct rn_kernels, relu_grad), false };
