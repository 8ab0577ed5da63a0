/*
 * A convolution in groups narrower than a vector: lanes are channels, several groups side by side.
 * An output needs all inputs of its group, which lie in its neighbours' lanes. Instead of moving
 * each input to where it is needed, each output has `width` accumulators that stay in the lanes of
 * the inputs; a few shuffles at the end join them.
 */
#include "kernels/vec/vec.h"

enum {
    ACCS = 2 * MR, /* accumulators of a tile, as many as igemm's */
    PIXELS = 12    /* of a tile at most: enough chains to fill the pipes */
};

/* The arguments of the kernel. */
struct job {
    float *y;
    const float *res;
    const size_t *row;
    const float *const *x;
    size_t at;
    const float *w, *bias;
    size_t M, K, T;
    bool relu;
};

/* Pixels of a tile. */
TEMPLATE size_t pixels(const size_t width)
{
    return ACCS / width < PIXELS ? ACCS / width : PIXELS;
}

/* One tap of M pixels: a pixel's input meets the weights of all chains. */
TEMPLATE void multiply(vf acc[][RN_GROUP_MAX], const float *const *x, size_t at, const float *w,
                       const size_t M, const size_t width, size_t n)
{
    vf wide[RN_GROUP_MAX];
    UNROLL
    for (size_t d = 0; d < width; d++)
        wide[d] = vload(w + d * VL);
    UNROLL
    for (size_t m = 0; m < M; m++) {
        vf in = vload_n(x[m] + at, n);
        UNROLL
        for (size_t d = 0; d < width; d++)
            acc[m][d] = vfma(in, wide[d], acc[m][d]);
    }
}

/* Chains d and d + span, for every other d, into one. */
TEMPLATE void fold(vf *part, const size_t span, const size_t width)
{
    UNROLL
    for (size_t d = 0; d + span < width; d += 2 * span)
        part[d] += vswap(part[d + span], span);
}

/* From the inputs' lanes to the outputs'. (A loop that doubles the span is not unrolled.) */
TEMPLATE vf join(vf *part, const size_t width)
{
    fold(part, 1, width);
    fold(part, 2, width);
    fold(part, 4, width);
    return part[0];
}

/* M pixels from m0 on, n lanes. */
TEMPLATE void tile(const struct job *j, size_t m0, const size_t M, const size_t width, size_t n)
{
    vf acc[PIXELS][RN_GROUP_MAX];
    UNROLL
    for (size_t m = 0; m < M; m++) {
        acc[m][0] = j->bias ? vload(j->bias) : (vf){ 0 };
        UNROLL
        for (size_t d = 1; d < width; d++)
            acc[m][d] = (vf){ 0 };
    }
    for (size_t t = 0; t < j->T; t++)
        multiply(acc, j->x + t * j->M + m0, j->at, j->w + t * width * VL, M, width, n);
    UNROLL
    for (size_t m = 0; m < M; m++) {
        size_t at = j->row[m0 + m];
        vf v = join(acc[m], width);
        if (j->res)
            v += vload_n(j->res + at, n);
        if (j->relu)
            v = vrelu(v);
        vstore_n(j->y + at, v, n);
    }
}

TEMPLATE void tiles(const struct job *j, const size_t width, size_t n)
{
    size_t m = 0;
    for (; m + pixels(width) <= j->M; m += pixels(width))
        tile(j, m, pixels(width), width, n);
    for (; m < j->M; m++)
        tile(j, m, 1, width, n);
}

/* A function per width for full vectors and for others, so that each has the registers to itself. */
#define WIDTH(W)                                                                                   \
    static __attribute__((noinline)) void full_##W(const struct job *j)                            \
    {                                                                                              \
        if (W <= VL)                                                                               \
            tiles(j, W, VL);                                                                       \
    }                                                                                              \
    static __attribute__((noinline)) void part_##W(const struct job *j)                            \
    {                                                                                              \
        if (W <= VL)                                                                               \
            tiles(j, W, j->K);                                                                     \
    }
WIDTH(1)
WIDTH(2)
WIDTH(4)
WIDTH(8)

void RN_ISA(rn_group)(float *y, const float *res, const size_t *row, const float *const *x,
                      size_t at, const float *w, const float *bias, size_t M, size_t K, size_t T,
                      size_t width, bool relu)
{
    const struct job j = { y, res, row, x, at, w, bias, M, K, T, relu };
    const bool full = K == VL;
    if (width == 1)
        full ? full_1(&j) : part_1(&j);
    else if (width == 2)
        full ? full_2(&j) : part_2(&j);
    else if (width == 4)
        full ? full_4(&j) : part_4(&j);
    else
        full ? full_8(&j) : part_8(&j);
}
