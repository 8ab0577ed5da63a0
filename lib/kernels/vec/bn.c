/*
 * Batch norm: sums over rows, forward and backward, and the gradient. Lanes are channels; a sum's
 * CV vectors go down all the rows together, so that their chains of adds overlap.
 */
#include "kernels/vec/vec.h"

enum { CV = 4 };

/* V vectors of channels; the last one (the only one, if it is short) has n lanes. */
TEMPLATE void sums(float *sum, float *square, const float *x, const float *origin, size_t rows,
                   size_t C, const size_t V, size_t n)
{
    vf s[CV] = { 0 }, q[CV] = { 0 }, o[CV];
    UNROLL
    for (size_t v = 0; v < V; v++)
        o[v] = vload_n(origin + v * VL, n);
    for (size_t r = 0; r < rows; r++, x += C) {
        UNROLL
        for (size_t v = 0; v < V; v++) {
            vf d = vload_n(x + v * VL, n) - o[v];
            s[v] += d;
            q[v] = vfma(d, d, q[v]);
        }
    }
    UNROLL
    for (size_t v = 0; v < V; v++) {
        vstore_n(sum + v * VL, s[v], n);
        vstore_n(square + v * VL, q[v], n);
    }
}

void RN_ISA(rn_bn_sums)(float *sum, float *square, const float *x, const float *origin, size_t rows,
                        size_t C)
{
    size_t c = 0;
    for (; c + CV * VL <= C; c += CV * VL)
        sums(sum + c, square + c, x + c, origin + c, rows, C, CV, VL);
    for (; c < C; c += VL)
        sums(sum + c, square + c, x + c, origin + c, rows, C, 1, lanes(C - c));
}

/* The gradient behind the ReLU, n lanes; y NULL: there is none. */
TEMPLATE vf passed(const float *dy, const float *y, size_t n)
{
    vf g = vload_n(dy, n);
    return y ? vclear(vload_n(y, n) <= 0, g) : g;
}

TEMPLATE void grad_sums(float *sum, float *dot, const float *dy, const float *y, const float *x,
                        const float *mean, size_t rows, size_t C, const size_t V, size_t n)
{
    vf s[CV] = { 0 }, d[CV] = { 0 }, mu[CV];
    UNROLL
    for (size_t v = 0; v < V; v++)
        mu[v] = vload_n(mean + v * VL, n);
    for (size_t i = 0; i < rows * C; i += C) {
        UNROLL
        for (size_t v = 0; v < V; v++) {
            size_t at = i + v * VL;
            vf g = passed(dy + at, y ? y + at : NULL, n);
            s[v] += g;
            d[v] = vfma(g, vload_n(x + at, n) - mu[v], d[v]);
        }
    }
    UNROLL
    for (size_t v = 0; v < V; v++) {
        vstore_n(sum + v * VL, s[v], n);
        vstore_n(dot + v * VL, d[v], n);
    }
}

void RN_ISA(rn_bn_grad_sums)(float *sum, float *dot, const float *dy, const float *y,
                             const float *x, const float *mean, size_t rows, size_t C)
{
    size_t c = 0;
    for (; c + CV * VL <= C; c += CV * VL)
        grad_sums(sum + c, dot + c, dy + c, y ? y + c : NULL, x + c, mean + c, rows, C, CV, VL);
    for (; c < C; c += VL) {
        grad_sums(sum + c, dot + c, dy + c, y ? y + c : NULL, x + c, mean + c, rows, C, 1,
                  lanes(C - c));
    }
}

/* One vector of a row: i is its first element in the tensors, c its first channel. */
struct grad {
    float *dx, *dres;
    const float *dy, *y, *x, *mean, *a, *b, *k;
    bool dres_add;
};

TEMPLATE void grad(const struct grad *p, size_t i, size_t c, size_t n)
{
    vf g = passed(p->dy + i, p->y ? p->y + i : NULL, n);
    vf centred = vload_n(p->x + i, n) - vload_n(p->mean + c, n);
    vf rest = vfma(vload_n(p->b + c, n), centred, vload_n(p->k + c, n));
    vstore_n(p->dx + i, vfma(vload_n(p->a + c, n), g, rest), n);
    if (p->dres) {
        if (p->dres_add)
            g += vload_n(p->dres + i, n);
        vstore_n(p->dres + i, g, n);
    }
}

void RN_ISA(rn_bn_grad)(float *dx, float *dres, const float *dy, const float *y, const float *x,
                        const float *mean, const float *a, const float *b, const float *k,
                        size_t rows, size_t C, bool dres_add)
{
    const struct grad p = { dx, dres, dy, y, x, mean, a, b, k, dres_add };
    for (size_t i = 0; i < rows * C; i += C) {
        size_t c = 0;
        for (; c + VL <= C; c += VL)
            grad(&p, i + c, c, VL);
        if (c < C)
            grad(&p, i + c, c, C - c);
    }
}
