/* Reference of one step of stochastic gradient descent. */
#include "kernels/ref/ref.h"

#include <math.h>

void rn_sgd_ref(float *w, float *v, const float *dw, size_t n, float lr, float momentum,
                bool nesterov, float decay)
{
    for (size_t i = 0; i < n; i++) {
        float g = fmaf(decay, w[i], dw[i]), d = g;
        if (v) {
            v[i] = fmaf(momentum, v[i], g);
            d = nesterov ? fmaf(momentum, v[i], g) : v[i];
        }
        w[i] = fmaf(-lr, d, w[i]);
    }
}
