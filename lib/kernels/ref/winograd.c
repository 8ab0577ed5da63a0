/*
 * Reference of Winograd's transforms for F(4x4, 3x3) and F(2x2, 3x3): each is a product with a small matrix along
 * the rows, then along the columns. With a = sqrt(1/2), b = sqrt(2) and M(x) = x (x^2 - 1/2) (x^2 -
 * 2), row j of B^T has the coefficients of M(x) / (x - p_j), row j of G is (1, p_j, p_j^2) /
 * M'(p_j), column j of A^T is (1, p_j, p_j^2, p_j^3); F(2x2, 3x3) is
 * the same with M(x) = x (x^2 - 1), but for the sign of its third row of B^T, which G does not have.
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

/* A transform along one axis, for tiles of 4x4 and of 2x2 outputs. */
struct scheme {
    size_t outputs, edge;
    void (*input)(const float *d, size_t step, float *t, size_t to);
    void (*filter)(const float *g, size_t step, float *t, size_t to);
    void (*output)(const float *m, size_t step, float *t, size_t to);
};
static const struct scheme scheme4 = { 4, 6, input4, filter4, output4 };
static const struct scheme scheme2 = { 2, 4, input2, filter2, output2 };

static void input(const struct scheme *f, float *v, size_t ld, const float *const *x, size_t C)
{
    size_t edge = f->edge, E = edge * edge;

    for (size_t c = 0; c < C; c++) {
        float d[36], t[36], out[36];
        for (size_t e = 0; e < E; e++)
            d[e] = x[e][c];
        for (size_t j = 0; j < edge; j++)
            f->input(d + j, edge, t + j, edge);
        for (size_t i = 0; i < edge; i++)
            f->input(t + edge * i, 1, out + edge * i, 1);
        for (size_t e = 0; e < E; e++)
            v[e * ld + c] = out[e];
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

static void output(const struct scheme *f, float *y, const float *res, const size_t *row,
                   const float *m, size_t ld, const float *bias, size_t K, bool relu)
{
    size_t edge = f->edge, n = f->outputs;

    for (size_t k = 0; k < K; k++) {
        float in[36], t[24], out[16];
        for (size_t e = 0; e < edge * edge; e++)
            in[e] = m[e * ld + k];
        for (size_t j = 0; j < edge; j++)
            f->output(in + j, edge, t + j, edge);
        for (size_t i = 0; i < n; i++)
            f->output(t + edge * i, 1, out + n * i, 1);
        for (size_t i = 0; i < n * n; i++) {
            if (row[i] == SIZE_MAX)
                continue;
            float v = out[i] + (bias ? bias[k] : 0);
            if (res)
                v += res[row[i] + k];
            y[row[i] + k] = relu ? ref_relu(v) : v;
        }
    }
}

void rn_wino_input_ref(float *v, size_t ld, const float *const *x, size_t C)
{
    input(&scheme4, v, ld, x, C);
}

void rn_wino2_input_ref(float *v, size_t ld, const float *const *x, size_t C)
{
    input(&scheme2, v, ld, x, C);
}

void rn_wino_filter_ref(float *u, size_t ld, const float *g, size_t K)
{
    filter(&scheme4, u, ld, g, K);
}

void rn_wino2_filter_ref(float *u, size_t ld, const float *g, size_t K)
{
    filter(&scheme2, u, ld, g, K);
}

void rn_wino_output_ref(float *y, const float *res, const size_t *row, const float *m, size_t ld,
                        const float *bias, size_t K, bool relu)
{
    output(&scheme4, y, res, row, m, ld, bias, K, relu);
}

void rn_wino2_output_ref(float *y, const float *res, const size_t *row, const float *m, size_t ld,
                         const float *bias, size_t K, bool relu)
{
    output(&scheme2, y, res, row, m, ld, bias, K, relu);
}
