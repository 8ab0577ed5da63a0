/* One step of stochastic gradient descent, fused into one pass. */
#include "kernels/vec/vec.h"

struct step {
    float lr, momentum, decay;
    bool nesterov;
};

/* One vector, n lanes of it; v NULL: no momentum. */
TEMPLATE void update(float *w, float *v, const float *dw, size_t n, const struct step *s)
{
    vf old = vload_n(w, n);
    vf g = vfma(vsplat(s->decay), old, vload_n(dw, n)), d = g;
    if (v) {
        d = vfma(vsplat(s->momentum), vload_n(v, n), g);
        vstore_n(v, d, n);
        if (s->nesterov)
            d = vfma(vsplat(s->momentum), d, g);
    }
    vstore_n(w, vfma(vsplat(-s->lr), d, old), n);
}

void RN_ISA(rn_sgd)(float *w, float *v, const float *dw, size_t n, float lr, float momentum,
                    bool nesterov, float decay)
{
    const struct step s = { lr, momentum, decay, nesterov };
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        update(w + i, v ? v + i : NULL, dw + i, VL, &s);
    if (i < n)
        update(w + i, v ? v + i : NULL, dw + i, n - i, &s);
}
