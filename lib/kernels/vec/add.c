/* The sum of two tensors, with or without ReLU. */
#include "kernels/vec/vec.h"

/* One vector, n lanes of it. */
TEMPLATE void add(float *y, const float *a, const float *b, size_t n, bool relu)
{
    vf v = vload_n(a, n) + vload_n(b, n);
    vstore_n(y, relu ? vrelu(v) : v, n);
}

void RN_ISA(rn_add)(float *y, const float *a, const float *b, size_t n, bool relu)
{
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        add(y + i, a + i, b + i, VL, relu);
    if (i < n)
        add(y + i, a + i, b + i, n - i, relu);
}
