/* Multiply-adds that wait for nothing but themselves: the speed no kernel can pass. */
#include "kernels/vec/vec.h"

enum { CHAINS = MR * NV }; /* as many as a tile has */

double RN_ISA(rn_peak)(size_t rounds)
{
    volatile float half = 0.5F; /* each reading is unknown: no two chains are merged into one */
    const vf h = vsplat(half);
    vf chain[CHAINS];
    UNROLL
    for (size_t i = 0; i < CHAINS; i++)
        chain[i] = vsplat(half);
    for (size_t r = 0; r < rounds; r++) {
        UNROLL
        for (size_t i = 0; i < CHAINS; i++)
            chain[i] = vfma(chain[i], h, h);
    }
    UNROLL
    for (size_t i = 0; i < CHAINS; i++)
        half = chain[i][0];
    return 2.0 * CHAINS * VL * (double)rounds;
}
