/* The reference itself, on examples small enough to work out by hand. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool good;

static void expect(const char *kernel, const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (got[i] != want[i] && !(isnan(got[i]) && isnan(want[i]))) {
            printf("# %s by hand: [%zu] is %g, not %g\n", kernel, i, (double)got[i],
                   (double)want[i]);
            good = false;
        }
    }
}

#define EXPECT(kernel, got, ...)                                                                   \
    expect(kernel, got, (const float[]){ __VA_ARGS__ }, sizeof(got) / sizeof *(got))

/* Two taps of one channel, two pixels in backward order, three output channels. */
static void igemm(const struct rn_kernels *k)
{
    const float a = 1, b = 2, zero = 0, bias[8] = { 10, -10, 0 }, res[6] = { 1, 1, 1, 2, 2, 2 };
    const float w[2][8] = { { 1, 2, 3 }, { 4, 5, -6 } };
    const float *const x[] = { &a, &zero, &b, &a }; /* [T][M] */
    const size_t row[] = { 3, 0 };
    float y[6];
    k->igemm(y, NULL, row, x, w[0], bias, NULL, 0, 2, 3, 2, 1, 0);
    EXPECT("igemm", y, 14, -5, -6, 19, 2, -9);
    k->igemm(y, res, row, x, w[0], NULL, NULL, 0, 2, 3, 2, 1, RN_RELU);
    EXPECT("igemm", y, 5, 6, 0, 11, 14, 0);
}

static void outer(const struct rn_kernels *k)
{
    const float x[] = { 1, 2, 9, 3, 4 }, dy[2][8] = { { 1, 10 }, { 1, 100 } };
    const int32_t off[] = { 3, 0 };
    float acc[16] = { 1000 };
    k->outer(acc, 8, x, off, dy[0], 2, 2, false, NULL, 0);
    EXPECT("outer", acc, 1004, 130, 0, 0, 0, 0, 0, 0, 6, 240, 0, 0, 0, 0, 0, 0);
    k->outer(acc, 8, x, off, dy[0], 2, 2, true, NULL, 0);
    EXPECT("outer", acc, 4, 130, 0, 0, 0, 0, 0, 0, 6, 240, 0, 0, 0, 0, 0, 0);

    const float narrow[2][2] = { { 1, 10 }, { 1, 100 } };
    float few[4] = { 1000 };
    k->outer_narrow(few, 2, x, off, narrow[0], 2, 2, false, NULL, 0);
    EXPECT("outer_narrow", few, 1004, 130, 6, 240);
}

static void gemm(const struct rn_kernels *k)
{
    const float x[] = { 1, 2, 9, 3, 4 }, w[2][8] = { { 1, 10 }, { 1, 100 } };
    float y[5] = { 0, 0, 5 };
    k->gemm(y, 3, x, 3, w[0], NULL, 2, 2, 2);
    EXPECT("gemm", y, 3, 210, 5, 7, 430);
}

static void cut(const struct rn_kernels *k)
{
    const float x[] = { 1, 2, 3, -1, 4, 5, 6, -1 }; /* two pixels of three channels */
    float to[9] = { [4] = 9 };
    k->cut(to, 5, 2, x, 4, 2, 3);
    EXPECT("cut", to, 1, 2, 4, 5, 9, 3, 0, 6, 0);
}

static void elementwise(const struct rn_kernels *k)
{
    const float a[4] = { -1, 2, NAN, 0 }, b[4] = { -2, 3, 1, 5 }, scale[2] = { 2, 3 },
                shift[2] = { 1, -1 };
    float y[4], dx[4] = { 1, 1, 1, 1 };
    k->relu(y, a, 4);
    EXPECT("relu", y, 0, 2, NAN, 0);
    k->relu_grad(dx, b, a, 4, true);
    EXPECT("relu_grad", dx, 1, 4, 2, 1);
    k->relu_grad(dx, b, a, 4, false);
    EXPECT("relu_grad", dx, 0, 3, 1, 0);
    k->add(y, a, b, 4, false);
    EXPECT("add", y, -3, 5, NAN, 5);
    k->add(y, a, b, 4, true);
    EXPECT("add", y, 0, 5, NAN, 5);
    k->affine(y, b, NULL, scale, shift, 2, 2, 0);
    EXPECT("affine", y, -3, 8, 3, 14);
    k->affine(y, b, a, scale, shift, 2, 2, RN_RELU);
    EXPECT("affine", y, 0, 10, NAN, 14);
}

static void bn(const struct rn_kernels *k)
{
    const float x[4] = { 1, 2, 4, 8 }, mean[2] = { 1, 4 }, dy[4] = { 1, 2, 3, 4 },
                y[4] = { 1, 0, NAN, -1 }, scale[2] = { 2, 3 }, shift[2] = { -8, -6 },
                b[2] = { 10, 100 }, c[2] = { 5, 6 };
    const struct rn_bn_back behind = { dy, x, y, mean, scale, shift },
                            from_x = { dy, x, NULL, mean, scale, shift },
                            alone = { dy, x, NULL, mean, scale, NULL };
    float sum[2], other[2], dx[4], dres[4] = { 1, 1, 1, 1 };
    k->bn_sums(sum, other, x, mean, 2, 2);
    EXPECT("bn_sums", sum, 3, 2);
    EXPECT("bn_sums", other, 9, 20);
    k->bn_grad_sums(sum, other, &behind, 2, 2);
    EXPECT("bn_grad_sums", sum, 4, 0);
    EXPECT("bn_grad_sums", other, 9, 0);
    k->bn_grad_sums(sum, other, &from_x, 2, 2);
    EXPECT("bn_grad_sums", sum, 0, 4);
    EXPECT("bn_grad_sums", other, 0, 16);
    k->bn_grad_sums(sum, other, &alone, 2, 2);
    EXPECT("bn_grad_sums", sum, 4, 6);
    EXPECT("bn_grad_sums", other, 9, 12);
    k->bn_grad(dx, dres, &behind, b, c, 2, 2, true, false);
    EXPECT("bn_grad", dx, 7, -194, 41, 406);
    EXPECT("bn_grad", dres, 2, 1, 4, 1);
    k->bn_grad(dx, dres, &from_x, b, c, 2, 2, false, false);
    EXPECT("bn_grad", dx, 5, -194, 35, 418);
    EXPECT("bn_grad", dres, 0, 0, 0, 4);
    k->bn_grad(dx, NULL, &alone, b, c, 2, 2, false, false);
    EXPECT("bn_grad", dx, 7, -188, 41, 418);
}

/* Ties go to the first, NaN to the last. */
static void pool(const struct rn_kernels *k)
{
    const float x[3][4] = { { 1, 5, NAN, -3 }, { 2, 5, 7, -2 }, { 2, 4, NAN, -2 } },
                dy[4] = { 1, 2, 3, 4 };
    const float *const rows[] = { x[0], x[1], x[2] };
    float y[4], dx[3][4] = { { 1, 1, 1, 1 } };
    float *const drows[] = { dx[0], dx[1], dx[2] };
    uint8_t arg[4];
    k->maxpool(y, arg, rows, 3, 4);
    EXPECT("maxpool", y, 2, 5, NAN, -2);
    const float args[] = { arg[0], arg[1], arg[2], arg[3] };
    EXPECT("maxpool", args, 1, 0, 2, 1);
    k->maxpool_grad(drows, arg, dy, 4);
    EXPECT("maxpool_grad", dx[0], 1, 3, 1, 1);
    EXPECT("maxpool_grad", dx[1], 1, 0, 0, 4);
    EXPECT("maxpool_grad", dx[2], 0, 0, 3, 0);
}

static void columns(const struct rn_kernels *k)
{
    const float x[] = { 1, 2, 99, 3, 4 };
    float sum[2];
    k->colsum(sum, x, 3, 2, 2);
    EXPECT("colsum", sum, 4, 6);
}

static void sgd(const struct rn_kernels *k)
{
    const float dw[1] = { 4 };
    float w[1] = { 8 }, v[1] = { 2 };
    k->sgd(w, NULL, dw, 1, 0.5F, 0, false, 0.25F); /* g = 6 */
    EXPECT("sgd", w, 5);
    k->sgd(w, v, dw, 1, 0.5F, 0.5F, false, 0); /* v = 5 */
    EXPECT("sgd", w, 2.5F);
    k->sgd(w, v, dw, 1, 0.5F, 0.5F, true, 0); /* v = 6.5, d = 7.25 */
    EXPECT("sgd", v, 6.5F);
    EXPECT("sgd", w, -1.125F);
}

static void reading(const struct rn_kernels *k)
{
    const float x[] = { 1, 2, 1 };
    const uint32_t bits = k->read(x, 3);
    float all[1];
    memcpy(all, &bits, sizeof bits);
    EXPECT("read", all, 2);
}

bool check_by_hand(const struct rn_kernels *k)
{
    good = true;
    igemm(k);
    outer(k);
    gemm(k);
    cut(k);
    elementwise(k);
    bn(k);
    pool(k);
    columns(k);
    sgd(k);
    reading(k);
    return good;
}
