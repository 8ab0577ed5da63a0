/* Reference of the cut of channels into blocks. */
#include "kernels/ref/ref.h"

void rn_cut_ref(float *to, size_t ldb, size_t block, const float *x, size_t ldx, size_t M, size_t C)
{
    for (size_t m = 0; m < M; m++)
        for (size_t b = 0; b * block < C; b++)
            for (size_t i = 0; i < block; i++)
                to[b * ldb + m * block + i] = b * block + i < C ? x[m * ldx + b * block + i] : 0;
}
