/* Reference of batch norm's sums over rows, forward and backward, and of its gradient. */
#include "kernels/ref/ref.h"

#include <math.h>

void rn_bn_sums_ref(float *sum, float *square, const float *x, const float *origin, size_t rows,
                    size_t C)
{
    for (size_t c = 0; c < C; c++) {
        float s = 0, q = 0;
        for (size_t r = 0; r < rows; r++) {
            float d = x[r * C + c] - origin[c];
            s += d;
            q = fmaf(d, d, q);
        }
        sum[c] = s;
        square[c] = q;
    }
}

void rn_bn_grad_sums_ref(float *sum, float *dot, const float *dy, const float *y, const float *x,
                         const float *mean, size_t rows, size_t C)
{
    for (size_t c = 0; c < C; c++) {
        float s = 0, d = 0;
        for (size_t r = 0; r < rows; r++) {
            size_t i = r * C + c;
            float g = y ? ref_relu_grad(dy[i], y[i]) : dy[i];
            s += g;
            d = fmaf(g, x[i] - mean[c], d);
        }
        sum[c] = s;
        dot[c] = d;
    }
}

void rn_bn_grad_ref(float *dx, float *dres, const float *dy, const float *y, const float *x,
                    const float *mean, const float *a, const float *b, const float *k, size_t rows,
                    size_t C, bool dres_add)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < C; c++) {
            size_t i = r * C + c;
            float g = y ? ref_relu_grad(dy[i], y[i]) : dy[i];
            dx[i] = fmaf(a[c], g, fmaf(b[c], x[i] - mean[c], k[c]));
            if (dres)
                dres[i] = dres_add ? dres[i] + g : g;
        }
    }
}
