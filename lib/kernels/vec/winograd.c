/* Winograd's transforms, a vector of channels at a time; the matrices are in ref/winograd.c. M:
 * outputs on a side of a tile, constant wherever a template is used. */
#include "kernels/vec/vec.h"

#define A 0.70710678F /* sqrt(1/2) */
#define B 1.41421356F /* sqrt(2) */

/* B^T d */
TEMPLATE void input4(const vf *d, vf *t, const size_t to)
{
    vf d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4];
    vf even1 = d4 - 2 * d2, odd1 = A * (d3 - 2 * d1);
    vf even2 = d4 - 0.5F * d2, odd2 = B * (d3 - 0.5F * d1);
    t[0] = d0 + d4 - 2.5F * d2;
    t[to] = even1 + odd1;
    t[2 * to] = even1 - odd1;
    t[3 * to] = even2 + odd2;
    t[4 * to] = even2 - odd2;
    t[5 * to] = d1 + d[5] - 2.5F * d3;
}

/* G g */
TEMPLATE void filter4(const vf *g, vf *t, const size_t to)
{
    vf g0 = g[0], g1 = g[1], g2 = g[2];
    vf even1 = -2.0F / 3 * (g0 + 0.5F * g2), odd1 = -2.0F / 3 * A * g1;
    vf even2 = 1.0F / 6 * (g0 + 2 * g2), odd2 = 1.0F / 6 * B * g1;
    t[0] = g0;
    t[to] = even1 + odd1;
    t[2 * to] = even1 - odd1;
    t[3 * to] = even2 + odd2;
    t[4 * to] = even2 - odd2;
    t[5 * to] = g2;
}

/* A^T m */
TEMPLATE void output4(const vf *m, vf *t, const size_t to)
{
    vf sum1 = m[1] + m[2], dif1 = m[1] - m[2];
    vf sum2 = m[3] + m[4], dif2 = m[3] - m[4];
    t[0] = m[0] + sum1 + sum2;
    t[to] = A * dif1 + B * dif2;
    t[2 * to] = 0.5F * sum1 + 2 * sum2;
    t[3 * to] = 0.5F * A * dif1 + 2 * B * dif2 + m[5];
}

/* A y */
TEMPLATE void output_grad4(const vf *y, vf *t, const size_t to)
{
    vf even1 = y[0] + 0.5F * y[2], odd1 = A * (y[1] + 0.5F * y[3]);
    vf even2 = y[0] + 2 * y[2], odd2 = B * (y[1] + 2 * y[3]);
    t[0] = y[0];
    t[to] = even1 + odd1;
    t[2 * to] = even1 - odd1;
    t[3 * to] = even2 + odd2;
    t[4 * to] = even2 - odd2;
    t[5 * to] = y[3];
}

/* G^T m */
TEMPLATE void filter_grad4(const vf *m, vf *t, const size_t to)
{
    vf sum1 = -2.0F / 3 * (m[1] + m[2]), dif1 = -2.0F / 3 * A * (m[1] - m[2]);
    vf sum2 = 1.0F / 6 * (m[3] + m[4]), dif2 = 1.0F / 6 * B * (m[3] - m[4]);
    t[0] = m[0] + sum1 + sum2;
    t[to] = dif1 + dif2;
    t[2 * to] = 0.5F * sum1 + 2 * sum2 + m[5];
}

/* The same for F(3x3, 3x3) */
TEMPLATE void input3(const vf *d, vf *t, const size_t to)
{
    vf even = d[3] - 2 * d[2], odd = 0.75F * (d[2] - 2 * d[1]), last = d[3] - 0.5625F * d[1];
    t[0] = last - 2 * (d[2] - 0.5625F * d[0]);
    t[to] = even + odd;
    t[2 * to] = even - odd;
    t[3 * to] = last;
    t[4 * to] = d[4] - 0.5625F * d[2] - 2 * last;
}

TEMPLATE void filter3(const vf *g, vf *t, const size_t to)
{
    vf g0 = g[0], g1 = g[1], g2 = g[2];
    vf even = g0 + 0.5625F * g2, odd = 0.75F * g1;
    t[0] = 8.0F / 9 * g0;
    t[to] = -32.0F / 45 * (even + odd);
    t[2 * to] = -32.0F / 99 * (even - odd);
    t[3 * to] = 8.0F / 55 * (g0 + 4 * g2 + 2 * g1);
    t[4 * to] = g2;
}

TEMPLATE void output3(const vf *m, vf *t, const size_t to)
{
    vf sum = m[1] + m[2], dif = m[1] - m[2];
    t[0] = m[0] + sum + m[3];
    t[to] = 0.75F * dif + 2 * m[3];
    t[2 * to] = 0.5625F * sum + 4 * m[3] + m[4];
}

TEMPLATE void output_grad3(const vf *y, vf *t, const size_t to)
{
    vf even = y[0] + 0.5625F * y[2], odd = 0.75F * y[1];
    t[0] = y[0];
    t[to] = even + odd;
    t[2 * to] = even - odd;
    t[3 * to] = y[0] + 4 * y[2] + 2 * y[1];
    t[4 * to] = y[2];
}

TEMPLATE void filter_grad3(const vf *m, vf *t, const size_t to)
{
    vf m1 = -32.0F / 45 * m[1], m2 = -32.0F / 99 * m[2], m3 = 8.0F / 55 * m[3];
    vf sum = m1 + m2, dif = m1 - m2;
    t[0] = 8.0F / 9 * m[0] + sum + m3;
    t[to] = 0.75F * dif + 2 * m3;
    t[2 * to] = 0.5625F * sum + 4 * m3 + m[4];
}

/* The same for F(2x2, 3x3) */
TEMPLATE void input2(const vf *d, vf *t, const size_t to)
{
    t[0] = d[0] - d[2];
    t[to] = d[1] + d[2];
    t[2 * to] = d[2] - d[1];
    t[3 * to] = d[1] - d[3];
}

TEMPLATE void filter2(const vf *g, vf *t, const size_t to)
{
    vf even = 0.5F * (g[0] + g[2]), odd = 0.5F * g[1];
    t[0] = g[0];
    t[to] = even + odd;
    t[2 * to] = even - odd;
    t[3 * to] = g[2];
}

TEMPLATE void output2(const vf *m, vf *t, const size_t to)
{
    t[0] = m[0] + (m[1] + m[2]);
    t[to] = m[1] - m[2] - m[3];
}

TEMPLATE void output_grad2(const vf *y, vf *t, const size_t to)
{
    t[0] = y[0];
    t[to] = y[0] + y[1];
    t[2 * to] = y[0] - y[1];
    t[3 * to] = -y[1];
}

TEMPLATE void filter_grad2(const vf *m, vf *t, const size_t to)
{
    vf sum = 0.5F * (m[1] + m[2]), dif = 0.5F * (m[1] - m[2]);
    t[0] = m[0] + sum;
    t[to] = dif;
    t[2 * to] = sum + m[3];
}

/* The transform of one axis for M: part(M, from, t, to). */
#define AXIS(part)                                                                                 \
    TEMPLATE void part(const size_t M, const vf *from, vf *t, const size_t to)                     \
    {                                                                                              \
        if (M == 4)                                                                                \
            part##4(from, t, to);                                                                  \
        else if (M == 3)                                                                           \
            part##3(from, t, to);                                                                  \
        else                                                                                       \
            part##2(from, t, to);                                                                  \
    }
AXIS(input)
AXIS(filter)
AXIS(output)
AXIS(output_grad)
AXIS(filter_grad)

/* The pixels that the strip below has in a column and this one has not. */
TEMPLATE void fetch_below(const size_t M, const float *const *row, size_t pixel, size_t ldx)
{
    UNROLL
    for (size_t i = 2; i < M + 2; i++)
        __builtin_prefetch(row[i] + pixel + M * ldx, 0, 2);
}

/* n channels, from c on, of the tile whose first pixel is number `at` of its rows. inside: no column
 * of it lies outside. */
TEMPLATE void input_lanes(const size_t M, float *v, size_t ld, const float *const *row, int at,
                          int W, size_t C, size_t c, size_t n, const bool inside)
{
    const size_t E = M + 2;
    vf t[36];
    UNROLL
    for (size_t j = 0; j < E; j++) {
        vf d[6] = { 0 };
        if (inside || (unsigned)(at + (int)j) < (unsigned)W) {
            size_t pixel = (size_t)(at + (int)j) * C + c;
            if (j < M)
                fetch_below(M, row, pixel, (size_t)W * C);
            UNROLL
            for (size_t i = 0; i < E; i++)
                d[i] = vload_n(row[i] + pixel, n);
        }
        input(M, d, t + j, E);
    }
    UNROLL
    for (size_t i = 0; i < E; i++) {
        vf out[6];
        input(M, t + E * i, out, 1);
        UNROLL
        for (size_t j = 0; j < E; j++)
            vstore_n(v + (E * i + j) * ld + c, out[j], n);
    }
}

TEMPLATE void input_tile(const size_t M, float *v, size_t ld, const float *const *row, int at,
                         int W, size_t C, const bool inside)
{
    size_t c = 0;
    for (; c + VL <= C; c += VL)
        input_lanes(M, v, ld, row, at, W, C, c, VL, inside);
    if (c < C)
        input_lanes(M, v, ld, row, at, W, C, c, C - c, inside);
}

TEMPLATE void input_strip(const size_t M, float *v, size_t ld, size_t ldt, const float *const *row,
                          int left, int W, size_t T, size_t C)
{
    int at = left;
    for (size_t t = 0; t < T; t++, at += (int)M, v += ldt)
        if (at >= 0 && at + (int)M + 2 <= W)
            input_tile(M, v, ld, row, at, W, C, true);
        else
            input_tile(M, v, ld, row, at, W, C, false);
}

TEMPLATE void filter_lanes(const size_t M, float *u, size_t ld, const float *g, size_t K, size_t k,
                           size_t n)
{
    const size_t E = M + 2;
    vf t[18];
    UNROLL
    for (size_t s = 0; s < 3; s++) {
        vf in[3];
        UNROLL
        for (size_t r = 0; r < 3; r++)
            in[r] = vload_n(g + (3 * r + s) * K + k, n);
        filter(M, in, t + s, 3);
    }
    UNROLL
    for (size_t i = 0; i < E; i++) {
        vf out[6];
        filter(M, t + 3 * i, out, 1);
        UNROLL
        for (size_t j = 0; j < E; j++)
            vstore_n(u + (E * i + j) * ld + k, out[j], n);
    }
}

/* Where a strip of outputs goes, and what is done to them on the way. */
struct outputs {
    float *y;
    const float *res, *bias;
    size_t ldy, step;
    bool relu;
};

/* n channels, from k on, of a tile of which P x Q outputs are in the picture, the first at `at`.
 * whole: all of them. */
TEMPLATE void output_lanes(const size_t M, const struct outputs *o, size_t at, size_t P, size_t Q,
                           const float *m, size_t ld, size_t k, size_t n, const bool whole)
{
    const size_t E = M + 2;
    vf t[24], add = o->bias ? vload_n(o->bias + k, n) : (vf){ 0 };
    UNROLL
    for (size_t j = 0; j < E; j++) {
        vf in[6];
        UNROLL
        for (size_t i = 0; i < E; i++)
            in[i] = vload_n(m + (E * i + j) * ld + k, n);
        output(M, in, t + j, E);
    }
    UNROLL
    for (size_t i = 0; i < M; i++) {
        vf out[4];
        output(M, t + E * i, out, 1);
        UNROLL
        for (size_t j = 0; j < M; j++) {
            size_t to = at + i * o->ldy + j * o->step + k;
            __builtin_prefetch(o->y + to + M * o->step, 1, 3); /* the next tile's */
            if (!whole && (i >= P || j >= Q))
                continue;
            vf v = out[j] + add;
            if (o->res)
                v += vload_n(o->res + to, n);
            vstore_n(o->y + to, o->relu ? vrelu(v) : v, n);
        }
    }
}

TEMPLATE void output_tile(const size_t M, const struct outputs *o, size_t at, size_t P, size_t Q,
                          const float *m, size_t ld, size_t K, const bool whole)
{
    size_t k = 0;
    for (; k + VL <= K; k += VL)
        output_lanes(M, o, at, P, Q, m, ld, k, VL, whole);
    if (k < K)
        output_lanes(M, o, at, P, Q, m, ld, k, K - k, whole);
}

TEMPLATE void output_strip(const size_t M, const struct outputs *o, size_t P, size_t Q,
                           const float *m, size_t ld, size_t ldt, size_t T, size_t K)
{
    for (size_t t = 0; t < T; t++, m += ldt) {
        size_t at = t * M * o->step, left = Q - t * M;
        if (P >= M && left >= M)
            output_tile(M, o, at, P, left, m, ld, K, true);
        else
            output_tile(M, o, at, P, left, m, ld, K, false);
    }
}

/* n channels, from k on, of a tile of gradients, Q of its columns in the picture. */
TEMPLATE void output_grad_lanes(const size_t M, float *d, size_t ld, const float *const *row,
                                size_t at, size_t step, size_t Q, size_t n, const bool whole)
{
    const size_t E = M + 2;
    vf t[24];
    UNROLL
    for (size_t j = 0; j < M; j++) {
        vf in[4] = { 0 };
        if (whole || j < Q) {
            UNROLL
            for (size_t i = 0; i < M; i++)
                in[i] = vload_n(row[i] + at + j * step, n);
        }
        output_grad(M, in, t + j, M);
    }
    UNROLL
    for (size_t i = 0; i < E; i++) {
        vf out[6];
        output_grad(M, t + M * i, out, 1);
        UNROLL
        for (size_t j = 0; j < E; j++)
            vstore(d + (E * i + j) * ld, out[j]);
    }
}

TEMPLATE void output_grad_tile(const size_t M, float *d, size_t ld, size_t panel,
                               const float *const *row, size_t at, size_t step, size_t Q, size_t K,
                               const bool whole)
{
    size_t k = 0;
    for (; k + VL <= K; k += VL)
        output_grad_lanes(M, d + k / NR * panel + k % NR, ld, row, at + k, step, Q, VL, whole);
    if (k < K)
        output_grad_lanes(M, d + k / NR * panel + k % NR, ld, row, at + k, step, Q, K - k, whole);
}

TEMPLATE void output_grad_strip(const size_t M, float *d, size_t ld, size_t ldt, size_t panel,
                                const float *const *row, size_t step, size_t Q, size_t T, size_t K)
{
    for (size_t t = 0; t < T; t++, d += ldt) {
        size_t at = t * M * step, left = Q - t * M;
        if (left >= M)
            output_grad_tile(M, d, ld, panel, row, at, step, left, K, true);
        else
            output_grad_tile(M, d, ld, panel, row, at, step, left, K, false);
    }
}

TEMPLATE void filter_grad_lanes(const size_t M, float *dg, const float *m, size_t ld, size_t K,
                                size_t k, size_t n)
{
    const size_t E = M + 2;
    vf t[18];
    UNROLL
    for (size_t j = 0; j < E; j++) {
        vf in[6];
        UNROLL
        for (size_t i = 0; i < E; i++)
            in[i] = vload_n(m + (E * i + j) * ld + k, n);
        filter_grad(M, in, t + j, E);
    }
    UNROLL
    for (size_t i = 0; i < 3; i++) {
        vf out[3];
        filter_grad(M, t + E * i, out, 1);
        UNROLL
        for (size_t j = 0; j < 3; j++)
            vstore_n(dg + (3 * i + j) * K + k, out[j], n);
    }
}

#define SCHEME(M)                                                                                  \
    void RN_ISA(rn_wino##M##_input)(float *v, size_t ld, size_t ldt, const float *const *row,      \
                                    int left, int W, size_t T, size_t C)                           \
    {                                                                                              \
        input_strip(M, v, ld, ldt, row, left, W, T, C);                                            \
    }                                                                                              \
    void RN_ISA(rn_wino##M##_filter)(float *u, size_t ld, const float *g, size_t K)                \
    {                                                                                              \
        for (size_t k = 0; k < K; k += VL)                                                         \
            filter_lanes(M, u, ld, g, K, k, lanes(K - k));                                         \
    }                                                                                              \
    void RN_ISA(rn_wino##M##_output)(float *y, const float *res, size_t ldy, size_t step,          \
                                     size_t P, size_t Q, const float *m, size_t ld, size_t ldt,    \
                                     const float *bias, size_t T, size_t K, bool relu)             \
    {                                                                                              \
        const struct outputs o = { y, res, bias, ldy, step, relu };                                \
        output_strip(M, &o, P, Q, m, ld, ldt, T, K);                                               \
    }                                                                                              \
    void RN_ISA(rn_wino##M##_output_grad)(float *d, size_t ld, size_t ldt, size_t panel,           \
                                          const float *const *row, size_t step, size_t Q,          \
                                          size_t T, size_t K)                                      \
    {                                                                                              \
        output_grad_strip(M, d, ld, ldt, panel, row, step, Q, T, K);                               \
    }                                                                                              \
    void RN_ISA(rn_wino##M##_filter_grad)(float *dg, const float *m, size_t ld, size_t K)          \
    {                                                                                              \
        for (size_t k = 0; k < K; k += VL)                                                         \
            filter_grad_lanes(M, dg, m, ld, K, k, lanes(K - k));                                   \
    }
SCHEME(2)
SCHEME(3)
SCHEME(4)
