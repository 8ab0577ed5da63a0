/*
 * Reference of Winograd's transforms for F(4x4, 3x3): each is a product with a small matrix along
 * the rows, then along the columns. With a = sqrt(1/2), b = sqrt(2) and M(x) = x (x^2 - 1/2) (x^2 -
 * 2), row j of B^T has the coefficients of M(x) / (x - p_j), row j of G is (1, p_j, p_j^2) /
 * M'(p_j), column j of A^T is (1, p_j, p_j^2, p_j^3).
 */
#include "kernels/ref/ref.h"

static const float a = 0.70710678F, b = 1.41421356F;

/* B^T d */
static void input(const float *d, size_t step, float *t, size_t to)
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
static void filter(const float *g, size_t step, float *t, size_t to)
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
static void output(const float *m, size_t step, float *t, size_t to)
{
    float sum1 = m[step] + m[2 * step], dif1 = m[step] - m[2 * step];
    float sum2 = m[3 * step] + m[4 * step], dif2 = m[3 * step] - m[4 * step];
    t[0] = m[0] + sum1 + sum2;
    t[to] = a * dif1 + b * dif2;
    t[2 * to] = 0.5F * sum1 + 2 * sum2;
    t[3 * to] = 0.5F * a * dif1 + 2 * b * dif2 + m[5 * step];
}

void rn_wino_input_ref(float *v, size_t ld, const float *const *x, size_t C)
{
    for (size_t c = 0; c < C; c++) {
        float d[36], t[36], out[36];
        for (int e = 0; e < 36; e++)
            d[e] = x[e][c];
        for (size_t j = 0; j < 6; j++)
            input(d + j, 6, t + j, 6);
        for (size_t i = 0; i < 6; i++)
            input(t + 6 * i, 1, out + 6 * i, 1);
        for (size_t e = 0; e < 36; e++)
            v[e * ld + c] = out[e];
    }
}

void rn_wino_filter_ref(float *u, size_t ld, const float *g, size_t K)
{
    for (size_t k = 0; k < K; k++) {
        float t[18], out[36];
        for (size_t s = 0; s < 3; s++)
            filter(g + s * K + k, 3 * K, t + s, 3);
        for (size_t i = 0; i < 6; i++)
            filter(t + 3 * i, 1, out + 6 * i, 1);
        for (size_t e = 0; e < 36; e++)
            u[e * ld + k] = out[e];
    }
}

void rn_wino_output_ref(float *y, const float *res, const size_t *row, const float *m, size_t ld,
                        const float *bias, size_t K, bool relu)
{
    for (size_t k = 0; k < K; k++) {
        float in[36], t[24], out[16];
        for (size_t e = 0; e < 36; e++)
            in[e] = m[e * ld + k];
        for (size_t j = 0; j < 6; j++)
            output(in + j, 6, t + j, 6);
        for (size_t i = 0; i < 4; i++)
            output(t + 6 * i, 1, out + 4 * i, 1);
        for (size_t i = 0; i < 16; i++) {
            if (row[i] == SIZE_MAX)
                continue;
            float v = out[i] + (bias ? bias[k] : 0);
            if (res)
                v += res[row[i] + k];
            y[row[i] + k] = relu ? ref_relu(v) : v;
        }
    }
}
