/* The ladder of 64-bit Arm, where NEON is always there. */
#include "kernels/kernels.h"

void rn_vec_neon(struct rn_kernels *k); /* kernels/vec/vec.c */

static bool has_neon(void)
{
    return true;
}

const struct rn_isa rn_isas[] = { { "neon", has_neon, rn_vec_neon }, { 0 } };
