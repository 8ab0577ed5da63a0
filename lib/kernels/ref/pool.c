/* Reference of max pooling over T taps and of its gradient. */
#include "kernels/ref/ref.h"

#include <math.h>

void rn_maxpool_ref(float *y, uint8_t *arg, const float *const *x, size_t T, size_t C)
{
    for (size_t c = 0; c < C; c++) {
        size_t best = 0;
        for (size_t t = 1; t < T; t++)
            if (x[t][c] > x[best][c] || isnan(x[t][c]))
                best = t;
        y[c] = x[best][c];
        if (arg)
            arg[c] = (uint8_t)best;
    }
}

void rn_maxpool_grad_ref(float *const *dx, const uint8_t *arg, const float *dy, size_t C)
{
    for (size_t c = 0; c < C; c++)
        dx[arg[c]][c] += dy[c];
}
