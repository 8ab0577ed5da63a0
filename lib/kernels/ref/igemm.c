/* Reference of one tile of a convolution by indirection. */
#include "kernels/ref/ref.h"

#include <math.h>

void rn_igemm_sparse_ref(float *y, const float *res, const size_t *row, const float *const *x,
                         const float *w, const float *bias, const float *next, size_t step,
                         size_t M, size_t K, size_t T, size_t C, int end)
{
    (void)next, (void)step;
    for (size_t m = 0; m < M; m++) {
        for (size_t k = 0; k < K; k++) {
            float sum = bias ? bias[k] : 0;
            for (size_t t = 0; t < T; t++)
                for (size_t c = 0; c < C && x[t * M + m]; c++)
                    sum = fmaf(x[t * M + m][c], w[(t * C + c) * REF_IGEMM_NR + k], sum);
            if (res)
                sum += res[row[m] + k];
            y[row[m] + k] = end & RN_RELU ? ref_relu(sum) : sum;
        }
    }
}

void rn_igemm_ref(float *y, const float *res, const size_t *row, const float *const *x,
                  const float *w, const float *bias, const float *next, size_t step, size_t M,
                  size_t K, size_t T, size_t C, int end)
{
    rn_igemm_sparse_ref(y, res, row, x, w, bias, next, step, M, K, T, C, end);
}
