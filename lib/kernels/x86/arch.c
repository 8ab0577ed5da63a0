/* The ladder of x86. What a step must have is what the Makefile's flags let the compiler use. */
#include "kernels/kernels.h"

void rn_vec_sse2(struct rn_kernels *k); /* kernels/vec/vec.c, three times */
void rn_vec_avx2(struct rn_kernels *k);
void rn_vec_avx512(struct rn_kernels *k);

static bool has_sse2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse2");
}

static bool has_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}

const struct rn_isa rn_isas[] = {
    { "sse2", has_sse2, rn_vec_sse2 },
    { "avx2", has_avx2, rn_vec_avx2 },
    { "avx512", has_avx512, rn_vec_avx512 },
    { 0 },
};
