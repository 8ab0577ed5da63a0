/* Reference of a product of matrices. */
#include "kernels/ref/ref.h"

#include <math.h>

void rn_gemm_ref(float *y, size_t ldy, const float *x, size_t ldx, const float *w,
                 const float *next, size_t M, size_t K, size_t C)
{
    (void)next;
    for (size_t m = 0; m < M; m++) {
        for (size_t k = 0; k < K; k++) {
            float sum = 0;
            for (size_t c = 0; c < C; c++)
                sum = fmaf(x[m * ldx + c], w[c * REF_IGEMM_NR + k], sum);
            y[m * ldy + k] = sum;
        }
    }
}
