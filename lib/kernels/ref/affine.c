/* Reference of a scale and a shift per channel: batch norm's forward pass with its ReLU and add. */
#include "kernels/ref/ref.h"

#include <math.h>

void rn_affine_ref(float *y, const float *x, const float *res, const float *scale,
                   const float *shift, size_t rows, size_t C, int end)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < C; c++) {
            float v = fmaf(x[r * C + c], scale[c], shift[c]);
            if (res)
                v += res[r * C + c];
            y[r * C + c] = end & RN_RELU ? ref_relu(v) : v;
        }
    }
}
