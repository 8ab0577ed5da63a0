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

/* g of struct rn_bn_back at element i, channel c. */
static float passed(const struct rn_bn_back *in, size_t i, size_t c)
{
    if (in->y)
        return ref_relu_grad(in->dy[i], in->y[i]);
    if (in->shift)
        return ref_relu_grad(in->dy[i], fmaf(in->x[i], in->scale[c], in->shift[c]));
    return in->dy[i];
}

void rn_bn_grad_sums_ref(float *sum, float *dot, const struct rn_bn_back *in, size_t rows, size_t C)
{
    for (size_t c = 0; c < C; c++) {
        float s = 0, d = 0;
        for (size_t r = 0; r < rows; r++) {
            size_t i = r * C + c;
            float g = passed(in, i, c);
            s += g;
            d = fmaf(g, in->x[i] - in->mean[c], d);
        }
        sum[c] = s;
        dot[c] = d;
    }
}

void rn_bn_grad_ref(float *dx, float *dres, const struct rn_bn_back *in, const float *b,
                    const float *k, size_t rows, size_t C, bool dres_add, bool stream)
{
    (void)stream;
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < C; c++) {
            size_t i = r * C + c;
            float g = passed(in, i, c);
            dx[i] = fmaf(in->scale[c], g, fmaf(b[c], in->x[i] - in->mean[c], k[c]));
            if (dres)
                dres[i] = dres_add ? dres[i] + g : g;
        }
    }
}
