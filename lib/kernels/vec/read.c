/* Memory read as fast as it comes: loads that wait for nothing, each used by one exclusive or. */
#include "kernels/vec/vec.h"

enum { CHAINS = 8 };

uint32_t RN_ISA(rn_read)(const float *x, size_t n)
{
    vi chain[CHAINS] = { 0 };
    size_t i = 0;
    for (; i + CHAINS * VL <= n; i += CHAINS * VL) {
        UNROLL
        for (size_t c = 0; c < CHAINS; c++)
            chain[c] ^= (vi)vload(x + i + c * VL);
    }
    for (; i < n; i += VL)
        chain[0] ^= (vi)vload_n(x + i, lanes(n - i));
    UNROLL
    for (size_t c = 1; c < CHAINS; c++)
        chain[0] ^= chain[c];
    uint32_t all = 0;
    for (size_t l = 0; l < VL; l++)
        all ^= (uint32_t)chain[0][l];
    return all;
}
