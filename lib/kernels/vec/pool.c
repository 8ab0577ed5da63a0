/* Max pooling over T taps. The gradient, a scatter by bytes, is the reference's. */
#include "kernels/vec/vec.h"

/* One vector of channels from c on, n lanes of it. */
TEMPLATE void maxpool(float *y, uint8_t *arg, const float *const *x, size_t T, size_t c, size_t n,
                      const bool with_arg)
{
    vf best = vload_n(x[0] + c, n);
    vi at = { 0 };
    for (size_t t = 1; t < T; t++) {
        vf v = vload_n(x[t] + c, n);
        vi wins = (v > best) | (v != v); /* a NaN that leads is beaten by a NaN alone */
        best = vselect(wins, v, best);
        if (with_arg)
            at = vselect_int(wins, (int32_t)t - (vi){ 0 }, at);
    }
    vstore_n(y + c, best, n);
    if (with_arg)
        vstore_bytes(arg + c, at, n);
}

TEMPLATE void maxpool_all(float *y, uint8_t *arg, const float *const *x, size_t T, size_t C,
                          const bool with_arg)
{
    size_t c = 0;
    for (; c + VL <= C; c += VL)
        maxpool(y, arg, x, T, c, VL, with_arg);
    if (c < C)
        maxpool(y, arg, x, T, c, C - c, with_arg);
}

void RN_ISA(rn_maxpool)(float *y, uint8_t *arg, const float *const *x, size_t T, size_t C)
{
    if (arg)
        maxpool_all(y, arg, x, T, C, true);
    else
        maxpool_all(y, NULL, x, T, C, false);
}
