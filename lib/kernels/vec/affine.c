/* A scale and a shift per channel, with residual and ReLU. */
#include "kernels/vec/vec.h"

/* One vector of a row, n lanes of it. */
TEMPLATE void affine(float *y, const float *x, const float *res, const float *scale,
                     const float *shift, size_t n, int end)
{
    vf v = vfma(vload_n(x, n), vload_n(scale, n), vload_n(shift, n));
    if (res)
        v += vload_n(res, n);
    vput(y, end & RN_RELU ? vrelu(v) : v, n, end & RN_STREAM);
}

TEMPLATE void affine_row(float *y, const float *x, const float *res, const float *scale,
                         const float *shift, size_t C, int end)
{
    size_t c = 0;
    for (; c + VL <= C; c += VL)
        affine(y + c, x + c, res ? res + c : NULL, scale + c, shift + c, VL, end);
    if (c < C)
        affine(y + c, x + c, res ? res + c : NULL, scale + c, shift + c, C - c, end);
}

void RN_ISA(rn_affine)(float *y, const float *x, const float *res, const float *scale,
                       const float *shift, size_t rows, size_t C, int end)
{
    for (size_t i = 0; i < rows * C; i += C)
        affine_row(y + i, x + i, res ? res + i : NULL, scale, shift, C, end);
}
