/* Winograd's transforms for F(4x4, 3x3) and F(2x2, 3x3), a vector of channels at a time; the
 * matrices are in ref/winograd.c. M: outputs on a side, constant wherever a template is used. */
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

TEMPLATE void input(const size_t M, const vf *d, vf *t, const size_t to)
{
    if (M == 4)
        input4(d, t, to);
    else
        input2(d, t, to);
}

TEMPLATE void filter(const size_t M, const vf *g, vf *t, const size_t to)
{
    if (M == 4)
        filter4(g, t, to);
    else
        filter2(g, t, to);
}

TEMPLATE void output(const size_t M, const vf *m, vf *t, const size_t to)
{
    if (M == 4)
        output4(m, t, to);
    else
        output2(m, t, to);
}

/* n channels of a tile. */
TEMPLATE void input_lanes(const size_t M, float *v, size_t ld, const float *const *x, size_t c,
                          size_t n)
{
    const size_t E = M + 2;
    vf t[36];
    UNROLL
    for (size_t j = 0; j < E; j++) {
        vf d[6];
        UNROLL
        for (size_t i = 0; i < E; i++)
            d[i] = vload_n(x[E * i + j] + c, n);
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

TEMPLATE void input_tile(const size_t M, float *v, size_t ld, const float *const *x, size_t C)
{
    size_t c = 0;
    for (; c + VL <= C; c += VL)
        input_lanes(M, v, ld, x, c, VL);
    if (c < C)
        input_lanes(M, v, ld, x, c, C - c);
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

/* n channels of a tile of outputs. */
TEMPLATE void output_lanes(const size_t M, float *y, const float *res, const size_t *row,
                           const float *m, size_t ld, const float *bias, size_t k, size_t n,
                           bool relu)
{
    const size_t E = M + 2;
    vf t[24], add = bias ? vload_n(bias + k, n) : (vf){ 0 };
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
            size_t at = row[M * i + j];
            if (at == SIZE_MAX)
                continue;
            vf v = out[j] + add;
            if (res)
                v += vload_n(res + at + k, n);
            vstore_n(y + at + k, relu ? vrelu(v) : v, n);
        }
    }
}

TEMPLATE void output_tile(const size_t M, float *y, const float *res, const size_t *row,
                          const float *m, size_t ld, const float *bias, size_t K, bool relu)
{
    size_t k = 0;
    for (; k + VL <= K; k += VL)
        output_lanes(M, y, res, row, m, ld, bias, k, VL, relu);
    if (k < K)
        output_lanes(M, y, res, row, m, ld, bias, k, K - k, relu);
}

void RN_ISA(rn_wino_input)(float *v, size_t ld, const float *const *x, size_t C)
{
    input_tile(4, v, ld, x, C);
}

void RN_ISA(rn_wino2_input)(float *v, size_t ld, const float *const *x, size_t C)
{
    input_tile(2, v, ld, x, C);
}

void RN_ISA(rn_wino_filter)(float *u, size_t ld, const float *g, size_t K)
{
    for (size_t k = 0; k < K; k += VL)
        filter_lanes(4, u, ld, g, K, k, lanes(K - k));
}

void RN_ISA(rn_wino2_filter)(float *u, size_t ld, const float *g, size_t K)
{
    for (size_t k = 0; k < K; k += VL)
        filter_lanes(2, u, ld, g, K, k, lanes(K - k));
}

void RN_ISA(rn_wino_output)(float *y, const float *res, const size_t *row, const float *m,
                            size_t ld, const float *bias, size_t K, bool relu)
{
    output_tile(4, y, res, row, m, ld, bias, K, relu);
}

void RN_ISA(rn_wino2_output)(float *y, const float *res, const size_t *row, const float *m,
                             size_t ld, const float *bias, size_t K, bool relu)
{
    output_tile(2, y, res, row, m, ld, bias, K, relu);
}
