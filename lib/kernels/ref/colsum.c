/* Reference of the sum over rows of a matrix: a bias's gradient, an average pooling. */
#include "kernels/ref/ref.h"

void rn_colsum_ref(float *sum, const float *x, size_t ld, size_t rows, size_t C)
{
    for (size_t c = 0; c < C; c++) {
        float s = 0;
        for (size_t r = 0; r < rows; r++)
            s += x[r * ld + c];
        sum[c] = s;
    }
}
