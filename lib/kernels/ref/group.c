/* Reference of a convolution in narrow groups. */
#include "kernels/ref/ref.h"

#include <math.h>

/* The chain of one output over the taps for the input channel k ^ d; m floats from the first
 * pixel. */
static float chain(const float *const *x, size_t m, const float *w, float start, size_t T,
                   size_t width, size_t k, size_t d)
{
    size_t i = k ^ d;
    for (size_t t = 0; t < T; t++)
        start = fmaf(x[t][m + i], w[(t * width + d) * REF_GROUP_NR + i], start);
    return start;
}

void rn_group_ref(float *y, const float *res, size_t ldy, const float *const *x, size_t step,
                  const float *w, const float *bias, size_t M, size_t K, size_t T, size_t width,
                  int end)
{
    float part[RN_GROUP_MAX];

    for (size_t m = 0; m < M; m++) {
        for (size_t k = 0; k < K; k++) {
            for (size_t d = 0; d < width; d++)
                part[d] = chain(x, m * step, w, bias && d == 0 ? bias[k] : 0, T, width, k, d);
            for (size_t span = 1; span < width; span *= 2)
                for (size_t d = 0; d < width; d += 2 * span)
                    part[d] += part[d + span];
            float sum = res ? part[0] + res[m * ldy + k] : part[0];
            y[m * ldy + k] = end & RN_RELU ? ref_relu(sum) : sum;
        }
    }
}

void rn_group_grad_ref(float *acc, const float *const *x, size_t step, const float *dy, size_t ldy,
                       size_t row, size_t rows, size_t M, size_t K, size_t T, size_t width)
{
    for (size_t t = 0; t < T; t++)
        for (size_t d = 0; d < width; d++)
            for (size_t i = 0; i < REF_GROUP_NR; i++) {
                float sum = 0;
                for (size_t m = 0; m < rows * M; m++) {
                    const float *in = x[m / M * T + t], *g = dy + m / M * row + m % M * ldy;
                    sum = fmaf(in[m % M * step + i], (i ^ d) < K ? g[i ^ d] : 0, sum);
                }
                acc[(t * width + d) * REF_GROUP_NR + i] += sum;
            }
}
