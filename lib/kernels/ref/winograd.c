/*
 * Reference of Winograd's transforms: each is a product with a small matrix along the rows, then
 * along the columns. With the points p_j and M(x) = product of (x - p_j), row j of B^T has the
 * coefficients of M(x) / (x - p_j), row j of G is (1, p_j, p_j^2) / M'(p_j), column j of A^T is
 * (1, p_j, p_j^2, ...); for infinity these are M(x), (0, 0, 1) and (..., 0, 1). F(2x2, 3x3) has
 * another sign in its third row of B^T, which G does not have.
 */
#include "kernels/ref/ref.h"

static const float a = 0.70710678F, b = 1.41421356F;

/* B^T d */
static void input4(const float *d, size_t step, float *t, size_t to)
{
    float d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step];
    float even1 = d4 - 2 * d2, odd1 = a * (d3 - 2 * d1);
    float even2 = d4 - 0.5F * d2, odd2 = b * (d3 - 0.5F * d1);
    t[0] = d0 + d4 - 2.5F * d2;
    t[to] = even1 + odd1;
    t[2 * to] = even1 - odd1;
    t[3 * to] = even2 + odd2;
    t[4 * to] = even2 - odd2;
    t[5 * to] = d1 + d[5 * step] - 2.5F * d3;
}

/* G g */
static void filter4(const float *g, size_t step, float *t, size_t to)
{
    float g0 = g[0], g1 = g[step], g2 = g[2 * step];
    float even1 = -2.0F / 3 * (g0 + 0.5F * g2), odd1 = -2.0F / 3 * a * g1;
    float even2 = 1.0F / 6 * (g0 + 2 * g2), odd2 = 1.0F / 6 * b * g1;
    t[0] = g0;
    t[to] = even1 + odd1;
    t[2 * to] = even1 - odd1;
    t[3 * to] = even2 + odd2;
    t[4 * to] = even2 - odd2;
    t[5 * to] = g2;
}

/* A^T m */
static void output4(const float *m, size_t step, float *t, size_t to)
{
    float sum1 = m[step] + m[2 * step], dif1 = m[step] - m[2 * step];
    float sum2 = m[3 * step] + m[4 * step], dif2 = m[3 * step] - m[4 * step];
    t[0] = m[0] + sum1 + sum2;
    t[to] = a * dif1 + b * dif2;
    t[2 * to] = 0.5F * sum1 + 2 * sum2;
    t[3 * to] = 0.5F * a * dif1 + 2 * b * dif2 + m[5 * step];
}

/* A y */
static void output_grad4(const float *y, size_t step, float *t, size_t to)
{
    float y0 = y[0], y1 = y[step], y2 = y[2 * step], y3 = y[3 * step];
    float even1 = y0 + 0.5F * y2, odd1 = a * (y1 + 0.5F * y3);
    float even2 = y0 + 2 * y2, odd2 = b * (y1 + 2 * y3);
    t[0] = y0;
    t[to] = even1 + odd1;
    t[2 * to] = even1 - odd1;
    t[3 * to] = even2 + odd2;
    t[4 * to] = even2 - odd2;
    t[5 * to] = y3;
}

/* G^T m */
static void filter_grad4(const float *m, size_t step, float *t, size_t to)
{
    float sum1 = -2.0F / 3 * (m[step] + m[2 * step]),
          dif1 = -2.0F / 3 * a * (m[step] - m[2 * step]);
    float sum2 = 1.0F / 6 * (m[3 * step] + m[4 * step]);
    float dif2 = 1.0F / 6 * b * (m[3 * step] - m[4 * step]);
    t[0] = m[0] + sum1 + sum2;
    t[to] = dif1 + dif2;
    t[2 * to] = 0.5F * sum1 + 2 * sum2 + m[5 * step];
}

static void input3(const float *d, size_t step, float *t, size_t to)
{
    float d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step];
    float even = d3 - 2 * d2, odd = 0.75F * (d2 - 2 * d1), last = d3 - 0.5625F * d1;
    t[0] = last - 2 * (d2 - 0.5625F * d0);
    t[to] = even + odd;
    t[2 * to] = even - odd;
    t[3 * to] = last;
    t[4 * to] = d4 - 0.5625F * d2 - 2 * last;
}

static void filter3(const float *g, size_t step, float *t, size_t to)
{
    float g0 = g[0], g1 = g[step], g2 = g[2 * step];
    float even = g0 + 0.5625F * g2, odd = 0.75F * g1;
    t[0] = 8.0F / 9 * g0;
    t[to] = -32.0F / 45 * (even + odd);
    t[2 * to] = -32.0F / 99 * (even - odd);
    t[3 * to] = 8.0F / 55 * (g0 + 4 * g2 + 2 * g1);
    t[4 * to] = g2;
}

static void output3(const float *m, size_t step, float *t, size_t to)
{
    float sum = m[step] + m[2 * step], dif = m[step] - m[2 * step], m3 = m[3 * step];
    t[0] = m[0] + sum + m3;
    t[to] = 0.75F * dif + 2 * m3;
    t[2 * to] = 0.5625F * sum + 4 * m3 + m[4 * step];
}

static void output_grad3(const float *y, size_t step, float *t, size_t to)
{
    float y0 = y[0], y1 = y[step], y2 = y[2 * step];
    float even = y0 + 0.5625F * y2, odd = 0.75F * y1;
    t[0] = y0;
    t[to] = even + odd;
    t[2 * to] = even - odd;
    t[3 * to] = y0 + 4 * y2 + 2 * y1;
    t[4 * to] = y2;
}

static void filter_grad3(const float *m, size_t step, float *t, size_t to)
{
    float m1 = -32.0F / 45 * m[step], m2 = -32.0F / 99 * m[2 * step], m3 = 8.0F / 55 * m[3 * step];
    float sum = m1 + m2, dif = m1 - m2;
    t[0] = 8.0F / 9 * m[0] + sum + m3;
    t[to] = 0.75F * dif + 2 * m3;
    t[2 * to] = 0.5625F * sum + 4 * m3 + m[4 * step];
}

static void input2(const float *d, size_t step, float *t, size_t to)
{
    float d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step];
    t[0] = d0 - d2;
    t[to] = d1 + d2;
    t[2 * to] = d2 - d1;
    t[3 * to] = d1 - d3;
}

static void filter2(const float *g, size_t step, float *t, size_t to)
{
    float even = 0.5F * (g[0] + g[2 * step]), odd = 0.5F * g[step];
    t[0] = g[0];
    t[to] = even + odd;
    t[2 * to] = even - odd;
    t[3 * to] = g[2 * step];
}

static void output2(const float *m, size_t step, float *t, size_t to)
{
    t[0] = m[0] + (m[step] + m[2 * step]);
    t[to] = m[step] - m[2 * step] - m[3 * step];
}

static void output_grad2(const float *y, size_t step, float *t, size_t to)
{
    float y0 = y[0], y1 = y[step];
    t[0] = y0;
    t[to] = y0 + y1;
    t[2 * to] = y0 - y1;
    t[3 * to] = -y1;
}

static void filter_grad2(const float *m, size_t step, float *t, size_t to)
{
    float sum = 0.5F * (m[step] + m[2 * step]), dif = 0.5F * (m[step] - m[2 * step]);
    t[0] = m[0] + sum;
    t[to] = dif;
    t[2 * to] = sum + m[3 * step];
}

/* The transforms along one axis, for tiles of m x m outputs. */
typedef void axis(const float *from, size_t step, float *t, size_t to);

struct scheme {
    size_t m, edge;
    axis *input, *filter, *output, *output_grad, *filter_grad;
};
static const struct scheme scheme2 = { 2, 4, input2, filter2, output2, output_grad2, filter_grad2 };
static const struct scheme scheme3 = { 3, 5, input3, filter3, output3, output_grad3, filter_grad3 };
static const struct scheme scheme4 = { 4, 6, input4, filter4, output4, output_grad4, filter_grad4 };

static void input(const struct scheme *f, float *v, size_t ld, size_t ldt, const float *const *row,
                  int left, int W, size_t T, size_t C)
{
    size_t edge = f->edge;

    for (size_t i = 0; i < T * C; i++) {
        size_t tile = i / C, c = i % C;
        float d[36], t[36], out[36];
        for (size_t e = 0; e < edge * edge; e++) {
            int q = left + (int)(tile * f->m + e % edge);
            d[e] = q >= 0 && q < W ? row[e / edge][(size_t)q * C + c] : 0;
        }
        for (size_t j = 0; j < edge; j++)
            f->input(d + j, edge, t + j, edge);
        for (size_t j = 0; j < edge; j++)
            f->input(t + edge * j, 1, out + edge * j, 1);
        for (size_t e = 0; e < edge * edge; e++)
            v[e * ld + tile * ldt + c] = out[e];
    }
}

static void filter(const struct scheme *f, float *u, size_t ld, const float *g, size_t K)
{
    size_t edge = f->edge;

    for (size_t k = 0; k < K; k++) {
        float t[18], out[36];
        for (size_t s = 0; s < 3; s++)
            f->filter(g + s * K + k, 3 * K, t + s, 3);
        for (size_t i = 0; i < edge; i++)
            f->filter(t + 3 * i, 1, out + edge * i, 1);
        for (size_t e = 0; e < edge * edge; e++)
            u[e * ld + k] = out[e];
    }
}

static void output(const struct scheme *f, float *y, const float *res, size_t ldy, size_t step,
                   size_t P, size_t Q, const float *m, size_t ld, size_t ldt, const float *bias,
                   size_t T, size_t K, bool relu)
{
    size_t edge = f->edge, n = f->m;

    for (size_t i = 0; i < T * K; i++) {
        size_t tile = i / K, k = i % K;
        float in[36], t[24], out[16];
        for (size_t e = 0; e < edge * edge; e++)
            in[e] = m[e * ld + tile * ldt + k];
        for (size_t j = 0; j < edge; j++)
            f->output(in + j, edge, t + j, edge);
        for (size_t j = 0; j < n; j++)
            f->output(t + edge * j, 1, out + n * j, 1);
        for (size_t o = 0; o < n * n; o++) {
            size_t p = o / n, q = tile * n + o % n, to = p * ldy + q * step + k;
            float v = out[o] + (bias ? bias[k] : 0);
            if (p >= P || q >= Q)
                continue;
            if (res)
                v += res[to];
            y[to] = relu ? ref_relu(v) : v;
        }
    }
}

static void output_grad(const struct scheme *f, float *d, size_t ld, size_t ldt, size_t panel,
                        const float *const *row, size_t step, size_t Q, size_t T, size_t K)
{
    size_t edge = f->edge, n = f->m, NR = REF_OUTER_NR, V = REF_OUTER_NARROW_NR;
    size_t columns = (K + V - 1) / V * V;

    for (size_t i = 0; i < T * columns; i++) {
        size_t tile = i / columns, k = i % columns;
        float in[16], t[24], out[36];
        for (size_t o = 0; o < n * n; o++) {
            size_t q = tile * n + o % n;
            in[o] = k < K && q < Q ? row[o / n][q * step + k] : 0;
        }
        for (size_t j = 0; j < n; j++)
            f->output_grad(in + j, n, t + j, n);
        for (size_t j = 0; j < edge; j++)
            f->output_grad(t + n * j, 1, out + edge * j, 1);
        for (size_t e = 0; e < edge * edge; e++)
            d[e * ld + tile * ldt + k / NR * panel + k % NR] = k < K ? out[e] : 0;
    }
}

static void filter_grad(const struct scheme *f, float *dg, const float *m, size_t ld, size_t K)
{
    size_t edge = f->edge;

    for (size_t k = 0; k < K; k++) {
        float in[36], t[18], out[9];
        for (size_t e = 0; e < edge * edge; e++)
            in[e] = m[e * ld + k];
        for (size_t j = 0; j < edge; j++)
            f->filter_grad(in + j, edge, t + j, edge);
        for (size_t i = 0; i < 3; i++)
            f->filter_grad(t + edge * i, 1, out + 3 * i, 1);
        for (size_t i = 0; i < 9; i++)
            dg[i * K + k] = out[i];
    }
}

#define SCHEME(m)                                                                                  \
    void rn_wino##m##_input_ref(float *v, size_t ld, size_t ldt, const float *const *row,          \
                                int left, int W, size_t T, size_t C)                               \
    {                                                                                              \
        input(&scheme##m, v, ld, ldt, row, left, W, T, C);                                         \
    }                                                                                              \
    void rn_wino##m##_filter_ref(float *u, size_t ld, const float *g, size_t K)                    \
    {                                                                                              \
        filter(&scheme##m, u, ld, g, K);                                                           \
    }                                                                                              \
    void rn_wino##m##_output_ref(float *y, const float *res, size_t ldy, size_t step, size_t P,    \
                                 size_t Q, const float *in, size_t ld, size_t ldt,                 \
                                 const float *bias, size_t T, size_t K, bool relu)                 \
    {                                                                                              \
        output(&scheme##m, y, res, ldy, step, P, Q, in, ld, ldt, bias, T, K, relu);                \
    }                                                                                              \
    void rn_wino##m##_output_grad_ref(float *d, size_t ld, size_t ldt, size_t panel,               \
                                      const float *const *row, size_t step, size_t Q, size_t T,    \
                                      size_t K)                                                    \
    {                                                                                              \
        output_grad(&scheme##m, d, ld, ldt, panel, row, step, Q, T, K);                            \
    }                                                                                              \
    void rn_wino##m##_filter_grad_ref(float *dg, const float *in, size_t ld, size_t K)             \
    {                                                                                              \
        filter_grad(&scheme##m, dg, in, ld, K);                                                    \
    }
SCHEME(2)
SCHEME(3)
SCHEME(4)
