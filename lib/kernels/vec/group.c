/*
 * A convolution in groups not wider than a vector: lanes are channels, several groups side by side.
 * An output needs all inputs of its group, which lie in its neighbours' lanes. Instead of moving
 * each input to where it is needed, each output has an accumulator per input that stays in the
 * input's lane; a few shuffles at the end join them. Wide groups take their inputs by fours.
 */
#include "kernels/vec/vec.h"

enum {
    ACCS = 2 * MR, /* accumulators of a tile, as many as igemm's */
    CHAINS = 4,    /* of an output at a time, and */
    PIXELS = 12    /* pixels of a tile, at most */
};

/* The arguments of the kernel. */
struct job {
    float *y;
    const float *res;
    size_t ldy;
    const float *const *x;
    size_t step;
    const float *w, *bias;
    size_t M, K, T;
    int end;
};

TEMPLATE size_t chains(const size_t width)
{
    return width < CHAINS ? width : CHAINS;
}

/* Pixels of a tile. */
TEMPLATE size_t pixels(const size_t width)
{
    return ACCS / chains(width) < PIXELS ? ACCS / chains(width) : PIXELS;
}

/* One tap of M pixels: a pixel's input meets the weights of D chains. What is fewer waits in
 * registers for the other. */
TEMPLATE void multiply(vf acc[][CHAINS], const float *x, size_t step, const float *w,
                       const size_t M, const size_t D)
{
    vf held[PIXELS];
    UNROLL
    for (size_t i = 0; i < (D <= M ? D : M); i++)
        held[i] = vhold(D <= M ? vload(w + i * VL) : vload(x + i * step));
    UNROLL
    for (size_t i = 0; i < (D <= M ? M : D); i++) {
        vf v = D <= M ? vload(x + i * step) : vload(w + i * VL);
        v = D == 1 || M == 1 ? v : vhold(v);
        UNROLL
        for (size_t h = 0; h < (D <= M ? D : M); h++) {
            vf *a = D <= M ? &acc[i][h] : &acc[h][i];
            *a = vfma(v, held[h], *a);
        }
    }
}

/* From the inputs' lanes to the outputs', D chains. */
TEMPLATE vf join(const vf *part, const size_t D)
{
    if (D == 1)
        return part[0];
    vf low = part[0] + vswap(part[1], 1);
    if (D == 2)
        return low;
    return low + vswap(part[2] + vswap(part[3], 1), 2);
}

/* The chains d0 .. d0 + 4 of M pixels from m0 on, joined. */
TEMPLATE void by_four(const struct job *j, vf *sum, size_t m0, const size_t M, const size_t width,
                      const size_t d0)
{
    const size_t D = chains(width);
    vf acc[PIXELS][CHAINS];
    UNROLL
    for (size_t m = 0; m < M; m++) {
        acc[m][0] = d0 == 0 && j->bias ? vload(j->bias) : (vf){ 0 };
        UNROLL
        for (size_t d = 1; d < D; d++)
            acc[m][d] = (vf){ 0 };
    }
    const float *w = j->w + d0 * VL;
    for (size_t t = 0; t < j->T; t++, w += width * VL)
        multiply(acc, j->x[t] + m0 * j->step, j->step, w, M, D);
    UNROLL
    for (size_t m = 0; m < M; m++)
        sum[m] = join(acc[m], D);
}

TEMPLATE void by_eight(const struct job *j, vf *sum, size_t m0, const size_t M, const size_t width,
                       const size_t d0)
{
    vf more[PIXELS];
    by_four(j, sum, m0, M, width, d0);
    if (width <= 4)
        return;
    by_four(j, more, m0, M, width, d0 + 4);
    UNROLL
    for (size_t m = 0; m < M; m++)
        sum[m] += vswap(more[m], 4);
}

/* M pixels from m0 on. */
TEMPLATE void tile(const struct job *j, size_t m0, const size_t M, const size_t width)
{
    vf sum[PIXELS], more[PIXELS];
    by_eight(j, sum, m0, M, width, 0);
    if (width > 8)
        by_eight(j, more, m0, M, width, 8);
    UNROLL
    for (size_t m = 0; m < M; m++) {
        size_t at = (m0 + m) * j->ldy;
        vf v = sum[m];
        if (width > 8)
            v += vswap(more[m], 8);
        if (j->res)
            v += vload_n(j->res + at, j->K);
        if (j->end & RN_RELU)
            v = vrelu(v);
        vput(j->y + at, v, j->K, j->end & RN_STREAM);
    }
}

/* A function per shape, so that each has the registers to itself. */
#define SHAPE(W, M)                                                                                \
    static void tile_##W##_##M(const struct job *j, size_t m)                                      \
    {                                                                                              \
        if (W <= VL && M <= pixels(W))                                                             \
            tile(j, m, M, W);                                                                      \
    }
#define SHAPES(M) SHAPE(1, M) SHAPE(2, M) SHAPE(4, M) SHAPE(8, M) SHAPE(16, M)
EACH_ROWS(SHAPES)

/* Tiles of floor or ceil of M / tiles pixels, so that none is a short one. */
void RN_ISA(rn_group)(float *y, const float *res, size_t ldy, const float *const *x, size_t step,
                      const float *w, const float *bias, size_t M, size_t K, size_t T, size_t width,
                      int end)
{
    static void (*const shape[][PIXELS])(const struct job *,
                                         size_t) = { NAMES(tile_1), NAMES(tile_2), NAMES(tile_4),
                                                     NAMES(tile_8), NAMES(tile_16) };
    const struct job j = { y, res, ldy, x, step, w, bias, M, K, T, end };
    size_t tiles = (M + pixels(width) - 1) / pixels(width), each = M / tiles, more = M % tiles;

    for (size_t i = 0, m = 0; i < tiles; i++) {
        size_t n = each + (i < more);
        shape[__builtin_ctzl(width)][n - 1](&j, m);
        m += n;
    }
}
