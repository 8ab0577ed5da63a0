/*
 * checkkern: every kernel of every step of the ladder against the reference, a TAP line each.
 *   checkkern [KERNEL...]           checks; exit 1 when one failed
 *   checkkern --bench [KERNEL...]   measures: kernel, isa, case, ns, rate, unit, times the
 *                                   reference's rate, per cent of the peak
 */
#include "check.h"

#include "../unit/tap.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>

enum { TABLES_MAX = 8 };

static const struct test *const tests[] = {
    &igemm_test,
    &igemm_sparse_test,
    &group_test,
    &group_grad_test,
    &outer_test,
    &outer_narrow_test,
    &gemm_test,
    &cut_test,
    &relu_test,
    &relu_grad_test,
    &add_test,
    &affine_test,
    &bn_sums_test,
    &bn_grad_test,
    &bn_grad_sums_test,
    &maxpool_test,
    &maxpool_grad_test,
    &colsum_test,
    &wino2_input_test,
    &wino2_filter_test,
    &wino2_output_test,
    &wino2_output_grad_test,
    &wino2_filter_grad_test,
    &wino3_input_test,
    &wino3_filter_test,
    &wino3_output_test,
    &wino3_output_grad_test,
    &wino3_filter_grad_test,
    &wino4_input_test,
    &wino4_filter_test,
    &wino4_output_test,
    &wino4_output_grad_test,
    &wino4_filter_grad_test,
    &sgd_test,
    &read_test,
    NULL,
};

static sigjmp_buf trap;

static void stray_access(int signal)
{
    (void)signal;
    siglongjmp(trap, 1);
}

static bool checks(const struct test *t, const struct rn_kernels *k, const struct rn_kernels *right)
{
    if (sigsetjmp(trap, 1)) {
        printf("# %s: touched memory outside its arrays\n", t->name);
        return false;
    }
    return t->check(k, right);
}

static bool wanted(const struct test *t, char *const *names)
{
    bool all = !*names;
    for (; *names; names++)
        all |= strcmp(*names, t->name) == 0;
    return all;
}

static bool same_kernel(const struct test *t, const struct rn_kernels *a,
                        const struct rn_kernels *b)
{
    return memcmp((const char *)a + t->slot, (const char *)b + t->slot, sizeof(void *)) == 0;
}

static void check_step(const struct test *t, const struct rn_isa *step)
{
    struct rn_kernels ref, k;
    if (!step->has()) {
        ok(true, "%s %s # SKIP not on this machine", t->name, step->name);
        return;
    }
    rn_kernels_ref(&ref);
    rn_kernels_init(&k, step->name);
    if (same_kernel(t, &k, &ref)) {
        ok(true, "%s %s # SKIP it is the reference", t->name, step->name);
        return;
    }
    ok(checks(t, &k, &ref), "%s %s", t->name, step->name);
}

/* Neighbours on the ladder that fuse their multiply-adds must give the same bits. */
static void check_bits(const struct test *t, const struct rn_isa *step)
{
    struct rn_kernels low, high;
    if (step[1].name && step[0].has() && step[1].has()) {
        rn_kernels_init(&low, step[0].name);
        rn_kernels_init(&high, step[1].name);
        if (fused(&low) && fused(&high))
            ok(checks(t, &high, &low), "%s %s has the bits of %s", t->name, high.isa, low.isa);
    }
}

static int check(char *const *names)
{
    struct sigaction on_trap = { .sa_handler = stray_access };
    sigaction(SIGSEGV, &on_trap, NULL);
    sigaction(SIGBUS, &on_trap, NULL);
    if (!*names) {
        struct rn_kernels ref;
        rn_kernels_ref(&ref);
        ok(check_by_hand(&ref), "reference by hand");
        ok(check_ladder(), "ladder");
    }
    for (const struct test *const *t = tests; *t; t++) {
        for (const struct rn_isa *step = rn_isas; wanted(*t, names) && step->name; step++) {
            check_step(*t, step);
            if ((*t)->bits)
                check_bits(*t, step);
        }
    }
    return done();
}

static int bench(char *const *names)
{
    const struct test *some[sizeof tests / sizeof *tests] = { NULL };
    struct rn_kernels k;
    int n = 0;
    for (const struct test *const *t = tests; *t; t++)
        if (wanted(*t, names))
            some[n++] = *t;
    rn_kernels_ref(&k);
    bench_table(&k, some);
    for (const struct rn_isa *step = rn_isas; step->name; step++) {
        if (step->has()) {
            rn_kernels_init(&k, step->name);
            bench_table(&k, some);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--bench") == 0)
        return bench(argv + 2);
    return check(argv + 1);
}
