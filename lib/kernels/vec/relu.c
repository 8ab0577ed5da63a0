/* ReLU and its gradient. */
#include "kernels/vec/vec.h"

/* One vector, n lanes of it. */
TEMPLATE void relu(float *y, const float *x, size_t n)
{
    vstore_n(y, vrelu(vload_n(x, n)), n);
}

void RN_ISA(rn_relu)(float *y, const float *x, size_t n)
{
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        relu(y + i, x + i, VL);
    if (i < n)
        relu(y + i, x + i, n - i);
}

TEMPLATE void grad(float *dx, const float *dy, const float *y, size_t n, bool add)
{
    vf g = vclear(vload_n(y, n) <= 0, vload_n(dy, n));
    if (add)
        g += vload_n(dx, n);
    vstore_n(dx, g, n);
}

void RN_ISA(rn_relu_grad)(float *dx, const float *dy, const float *y, size_t n, bool add)
{
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        grad(dx + i, dy + i, y + i, VL, add);
    if (i < n)
        grad(dx + i, dy + i, y + i, n - i, add);
}
