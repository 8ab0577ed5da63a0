/* Reference of ReLU and its gradient: NaN is not less than zero, so it passes both. */
#include "kernels/ref/ref.h"

void rn_relu_ref(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = ref_relu(x[i]);
}

void rn_relu_grad_ref(float *dx, const float *dy, const float *y, size_t n, bool add)
{
    for (size_t i = 0; i < n; i++) {
        float g = ref_relu_grad(dy[i], y[i]);
        dx[i] = add ? dx[i] + g : g;
    }
}
