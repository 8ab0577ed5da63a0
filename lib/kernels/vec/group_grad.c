/*
 * The weight gradient of a convolution in groups not wider than a vector: lanes are inputs, and each
 * meets the gradients of its group's outputs, which are shuffled into its lane, a number of steps
 * away. A few taps share the shuffled gradients.
 */
#include "kernels/vec/vec.h"

enum {
    CHAINS = 4,             /* gradients of the group at a time */
    TAPS = VB == 32 ? 2 : 3 /* taps at a time: their sums fit into the registers */
};

/* The arguments of the kernel, and which gradients it takes: lane ^ (d0 .. d0 + D). */
struct job {
    float *acc;
    const float *const *x;
    size_t step;
    const float *dy;
    size_t ldy, row, rows, M, K, T;
};

/* The gradients of lanes j ^ d0, j ^ d0 ^ 1, ... in lane j. */
TEMPLATE void shuffle(vf g, vf *out, const size_t D, const size_t d0)
{
    if (d0 & 4)
        g = vswap(g, 4);
    if (d0 & 8)
        g = vswap(g, 8);
    out[0] = g;
    if (D > 1)
        out[1] = vswap(g, 1);
    if (D > 2) {
        out[2] = vswap(g, 2);
        out[3] = vswap(out[1], 2);
    }
}

/* `taps` taps from t on. */
TEMPLATE void add_taps(const struct job *j, size_t t, const size_t taps, const size_t width,
                       const size_t d0)
{
    const size_t D = width < CHAINS ? width : CHAINS;
    vf sum[TAPS][CHAINS] = { 0 };
    for (size_t r = 0; r < j->rows; r++) {
        const float *const *x = j->x + r * j->T + t, *dy = j->dy + r * j->row;
        for (size_t m = 0; m < j->M; m++) {
            vf g[CHAINS];
            shuffle(vload_n(dy + m * j->ldy, j->K), g, D, d0);
            UNROLL
            for (size_t i = 0; i < taps; i++) {
                vf in = vload(x[i] + m * j->step);
                UNROLL
                for (size_t d = 0; d < D; d++)
                    sum[i][d] = vfma(in, g[d], sum[i][d]);
            }
        }
    }
    UNROLL
    for (size_t i = 0; i < taps; i++) {
        UNROLL
        for (size_t d = 0; d < D; d++) {
            float *a = j->acc + ((t + i) * width + d0 + d) * VL;
            vstore(a, vload(a) + sum[i][d]);
        }
    }
}

TEMPLATE void add_chains(const struct job *j, const size_t width, const size_t d0)
{
    size_t t = 0;
    for (; t + TAPS <= j->T; t += TAPS)
        add_taps(j, t, TAPS, width, d0);
    for (; t < j->T; t++)
        add_taps(j, t, 1, width, d0);
}

/* A function per width and place in the group, so that each has the registers to itself. */
#define SHAPE(W, D0)                                                                               \
    static void chains_##W##_##D0(const struct job *j)                                             \
    {                                                                                              \
        if (W <= VL)                                                                               \
            add_chains(j, W, D0);                                                                  \
    }
SHAPE(1, 0)
SHAPE(2, 0)
SHAPE(4, 0)
SHAPE(8, 0)
SHAPE(8, 4)
SHAPE(16, 0)
SHAPE(16, 4)
SHAPE(16, 8)
SHAPE(16, 12)

void RN_ISA(rn_group_grad)(float *acc, const float *const *x, size_t step, const float *dy,
                           size_t ldy, size_t row, size_t rows, size_t M, size_t K, size_t T,
                           size_t width)
{
    static void (*const chains[][4])(const struct job *) = {
        { chains_1_0 },
        { chains_2_0 },
        { chains_4_0 },
        { chains_8_0, chains_8_4 },
        { chains_16_0, chains_16_4, chains_16_8, chains_16_12 },
    };
    const struct job j = { acc, x, step, dy, ldy, row, rows, M, K, T };
    for (size_t d0 = 0; d0 < width; d0 += CHAINS)
        chains[__builtin_ctzl(width)][d0 / CHAINS](&j);
}
