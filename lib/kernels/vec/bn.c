/*
 * Batch norm: sums over rows, forward and backward, and the gradient. Lanes are channels; a sum's
 * CV vectors go down all the rows together, so that their chains of adds overlap.
 */
#include "kernels/vec/vec.h"

enum { CV = 4, BAND = 32 };

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

/* Where the ReLU's mask comes from. */
enum relu { NO_RELU, FROM_Y, FROM_X };

/* V vectors of channels and what the gradient wants of them. */
struct channels {
    vf mean[CV], scale[CV], shift[CV];
};

TEMPLATE void load_channels(struct channels *ch, const struct rn_bn_back *p, size_t c,
                            const size_t V, size_t n, const enum relu relu)
{
    UNROLL
    for (size_t v = 0; v < V; v++) {
        ch->mean[v] = vload_n(p->mean + c + v * VL, n);
        ch->scale[v] = vload_n(p->scale + c + v * VL, n);
        if (relu == FROM_X)
            ch->shift[v] = vload_n(p->shift + c + v * VL, n);
    }
}

/* The gradient behind the ReLU, n lanes from element i on, whose x is given. */
TEMPLATE vf passed(const struct rn_bn_back *p, size_t i, vf x, const struct channels *ch, size_t v,
                   size_t n, const enum relu relu)
{
    vf g = vload_n(p->dy + i, n);
    if (relu == FROM_Y)
        return vclear(vload_n(p->y + i, n) <= 0, g);
    if (relu == FROM_X)
        return vclear(vfma(x, ch->scale[v], ch->shift[v]) <= 0, g);
    return g;
}

TEMPLATE void grad_sums(float *sum, float *dot, const struct rn_bn_back *p, size_t c, size_t rows,
                        size_t C, const size_t V, size_t n, const enum relu relu)
{
    vf s[CV] = { 0 }, d[CV] = { 0 };
    struct channels ch;
    load_channels(&ch, p, c, V, n, relu);
    for (size_t r = 0, i = c; r < rows; r++, i += C) {
        UNROLL
        for (size_t v = 0; v < V; v++) {
            vf x = vload_n(p->x + i + v * VL, n);
            vf g = passed(p, i + v * VL, x, &ch, v, n, relu);
            s[v] += g;
            d[v] = vfma(g, x - ch.mean[v], d[v]);
        }
    }
    UNROLL
    for (size_t v = 0; v < V; v++) {
        vstore_n(sum + c + v * VL, s[v], n);
        vstore_n(dot + c + v * VL, d[v], n);
    }
}

TEMPLATE void grad_sums_all(float *sum, float *dot, const struct rn_bn_back *in, size_t rows,
                            size_t C, const enum relu relu)
{
    const struct rn_bn_back p = *in;
    size_t c = 0;
    for (; c + CV * VL <= C; c += CV * VL)
        grad_sums(sum, dot, &p, c, rows, C, CV, VL, relu);
    for (; c < C; c += VL)
        grad_sums(sum, dot, &p, c, rows, C, 1, lanes(C - c), relu);
}

void RN_ISA(rn_bn_grad_sums)(float *sum, float *dot, const struct rn_bn_back *in, size_t rows,
                             size_t C)
{
    if (in->y)
        grad_sums_all(sum, dot, in, rows, C, FROM_Y);
    else if (in->shift)
        grad_sums_all(sum, dot, in, rows, C, FROM_X);
    else
        grad_sums_all(sum, dot, in, rows, C, NO_RELU);
}

/* Where the gradient goes, and its coefficients. */
struct grad {
    float *dx, *dres;
    const float *b, *k;
    bool dres_add, stream;
};

TEMPLATE void grad(const struct grad *o, const struct rn_bn_back *p, size_t first, size_t c,
                   size_t rows, size_t C, const size_t V, size_t n, const enum relu relu)
{
    vf b[CV], k[CV];
    struct channels ch;
    load_channels(&ch, p, c, V, n, relu);
    UNROLL
    for (size_t v = 0; v < V; v++) {
        b[v] = vload_n(o->b + c + v * VL, n);
        k[v] = vload_n(o->k + c + v * VL, n);
    }
    for (size_t i = first * C + c; i < (first + rows) * C; i += C) {
        UNROLL
        for (size_t v = 0; v < V; v++) {
            size_t at = i + v * VL;
            vf x = vload_n(p->x + at, n), g = passed(p, at, x, &ch, v, n, relu);
            vf rest = vfma(b[v], x - ch.mean[v], k[v]);
            vstore_n(o->dx + at, vfma(ch.scale[v], g, rest), n);
            if (o->dres && o->dres_add)
                g += vload_n(o->dres + at, n);
            if (o->dres)
                vput(o->dres + at, g, n, o->stream);
        }
    }
}

/* Narrow rows go by in bands that stay in the first cache, their coefficients in registers; wide ones
 * one by one, in memory's order. */
TEMPLATE void grad_all(const struct grad *o, const struct rn_bn_back *in, size_t rows, size_t C,
                       const enum relu relu)
{
    const struct rn_bn_back p = *in;
    const size_t band = C > CV * VL ? 1 : BAND;
    for (size_t r = 0; r < rows; r += band) {
        size_t c = 0, n = rows - r < band ? rows - r : band;
        for (; band > 1 && c + CV * VL <= C; c += CV * VL)
            grad(o, &p, r, c, n, C, CV, VL, relu);
        for (; c + VL <= C; c += VL)
            grad(o, &p, r, c, n, C, 1, VL, relu);
        if (c < C)
            grad(o, &p, r, c, n, C, 1, C - c, relu);
    }
}

void RN_ISA(rn_bn_grad)(float *dx, float *dres, const struct rn_bn_back *in, const float *b,
                        const float *k, size_t rows, size_t C, bool dres_add, bool stream)
{
    const struct grad o = { dx, dres, b, k, dres_add, stream };
    if (in->y)
        grad_all(&o, in, rows, C, FROM_Y);
    else if (in->shift)
        grad_all(&o, in, rows, C, FROM_X);
    else
        grad_all(&o, in, rows, C, NO_RELU);
}
