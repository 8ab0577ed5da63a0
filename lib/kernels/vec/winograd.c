/* Winograd's transforms for F(4x4, 3x3), a vector of channels at a time; the matrices are in
 * ref/winograd.c. */
#include "kernels/vec/vec.h"

#define A 0.70710678F /* sqrt(1/2) */
#define B 1.41421356F /* sqrt(2) */

/* B^T d */
TEMPLATE void input(const vf *d, const size_t step, vf *t, const size_t to)
{
    vf d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step];
    vf even1 = d4 - 2 * d2, odd1 = A * (d3 - 2 * d1);
    vf even2 = d4 - 0.5F * d2, odd2 = B * (d3 - 0.5F * d1);
    t[0] = d0 + d4 - 2.5F * d2;
    t[to] = even1 + odd1;
    t[2 * to] = even1 - odd1;
    t[3 * to] = even2 + odd2;
    t[4 * to] = even2 - odd2;
    t[5 * to] = d1 + d[5 * step] - 2.5F * d3;
}

/* G g */
TEMPLATE void filter(const vf *g, const size_t step, vf *t, const size_t to)
{
    vf g0 = g[0], g1 = g[step], g2 = g[2 * step];
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
TEMPLATE void output(const vf *m, const size_t step, vf *t, const size_t to)
{
    vf sum1 = m[step] + m[2 * step], dif1 = m[step] - m[2 * step];
    vf sum2 = m[3 * step] + m[4 * step], dif2 = m[3 * step] - m[4 * step];
    t[0] = m[0] + sum1 + sum2;
    t[to] = A * dif1 + B * dif2;
    t[2 * to] = 0.5F * sum1 + 2 * sum2;
    t[3 * to] = 0.5F * A * dif1 + 2 * B * dif2 + m[5 * step];
}

/* n channels of a tile. */
TEMPLATE void input_lanes(float *v, size_t ld, const float *const *x, size_t c, size_t n)
{
    vf t[36];
    UNROLL
    for (size_t j = 0; j < 6; j++) {
        vf d[6];
        UNROLL
        for (size_t i = 0; i < 6; i++)
            d[i] = vload_n(x[6 * i + j] + c, n);
        input(d, 1, t + j, 6);
    }
    UNROLL
    for (size_t i = 0; i < 6; i++) {
        vf out[6];
        input(t + 6 * i, 1, out, 1);
        UNROLL
        for (size_t j = 0; j < 6; j++)
            vstore_n(v + (6 * i + j) * ld + c, out[j], n);
    }
}

void RN_ISA(rn_wino_input)(float *v, size_t ld, const float *const *x, size_t C)
{
    size_t c = 0;
    for (; c + VL <= C; c += VL)
        input_lanes(v, ld, x, c, VL);
    if (c < C)
        input_lanes(v, ld, x, c, C - c);
}

TEMPLATE void filter_lanes(float *u, size_t ld, const float *g, size_t K, size_t k, size_t n)
{
    vf t[18];
    UNROLL
    for (size_t s = 0; s < 3; s++) {
        vf in[3];
        UNROLL
        for (size_t r = 0; r < 3; r++)
            in[r] = vload_n(g + (3 * r + s) * K + k, n);
        filter(in, 1, t + s, 3);
    }
    UNROLL
    for (size_t i = 0; i < 6; i++) {
        vf out[6];
        filter(t + 3 * i, 1, out, 1);
        UNROLL
        for (size_t j = 0; j < 6; j++)
            vstore_n(u + (6 * i + j) * ld + k, out[j], n);
    }
}

void RN_ISA(rn_wino_filter)(float *u, size_t ld, const float *g, size_t K)
{
    for (size_t k = 0; k < K; k += VL)
        filter_lanes(u, ld, g, K, k, lanes(K - k));
}

/* n channels of a tile of outputs. */
TEMPLATE void output_lanes(float *y, const float *res, const size_t *row, const float *m, size_t ld,
                           const float *bias, size_t k, size_t n, bool relu)
{
    vf t[24], add = bias ? vload_n(bias + k, n) : (vf){ 0 };
    UNROLL
    for (size_t j = 0; j < 6; j++) {
        vf in[6];
        UNROLL
        for (size_t i = 0; i < 6; i++)
            in[i] = vload_n(m + (6 * i + j) * ld + k, n);
        output(in, 1, t + j, 6);
    }
    UNROLL
    for (size_t i = 0; i < 4; i++) {
        vf out[4];
        output(t + 6 * i, 1, out, 1);
        UNROLL
        for (size_t j = 0; j < 4; j++) {
            size_t at = row[4 * i + j];
            if (at == SIZE_MAX)
                continue;
            vf v = out[j] + add;
            if (res)
                v += vload_n(res + at + k, n);
            vstore_n(y + at + k, relu ? vrelu(v) : v, n);
        }
    }
}

void RN_ISA(rn_wino_output)(float *y, const float *res, const size_t *row, const float *m,
                            size_t ld, const float *bias, size_t K, bool relu)
{
    size_t k = 0;
    for (; k + VL <= K; k += VL)
        output_lanes(y, res, row, m, ld, bias, k, VL, relu);
    if (k < K)
        output_lanes(y, res, row, m, ld, bias, k, K - k, relu);
}
