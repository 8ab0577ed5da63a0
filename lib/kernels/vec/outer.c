/* One tile of a sum of outer products: I x NV accumulators stay in registers while the rows of x
 * and dy go by. */
#include "kernels/vec/vec.h"

enum { LINE = 16, L2 = 2 }; /* floats of a cache line; the locality that means the second cache */

/* The arguments of the kernel. */
struct tile {
    float *acc;
    size_t lda;
    const float *x;
    const int32_t *off;
    const float *dy;
    size_t M;
    bool first;
    const float *next;
};

TEMPLATE void compute(const struct tile *t, const size_t I)
{
    const float *dy = t->dy, *next = t->next ? t->next : dy;
    vf sum[ROWS_MAX][NV] = { 0 };
    for (size_t m = 0; m < t->M; m++, dy += NR) {
        const float *in = t->x + t->off[m];
        __builtin_prefetch(next + m * LINE, 0, L2);
        vf wide[NV];
        UNROLL
        for (size_t v = 0; v < NV; v++)
            wide[v] = vload(dy + v * VL);
        UNROLL
        for (size_t i = 0; i < I; i++) {
            vf one = vsplat(in[i]);
            UNROLL
            for (size_t v = 0; v < NV; v++)
                sum[i][v] = vfma(one, wide[v], sum[i][v]);
        }
    }
    UNROLL
    for (size_t i = 0; i < I; i++) {
        UNROLL
        for (size_t v = 0; v < NV; v++) {
            float *a = t->acc + i * t->lda + v * VL;
            if (!t->first)
                sum[i][v] += vload(a);
            vstore(a, sum[i][v]);
        }
    }
}

/* A function per number of rows, so that each has the registers to itself. */
#define SHAPE(I)                                                                                   \
    static void rows_##I(const struct tile *t)                                                     \
    {                                                                                              \
        if (I <= MR)                                                                               \
            compute(t, I);                                                                         \
    }
EACH_ROWS(SHAPE)

void RN_ISA(rn_outer)(float *acc, size_t lda, const float *x, const int32_t *off, const float *dy,
                      size_t M, size_t I, bool first, const float *next)
{
    static void (*const shape[])(const struct tile *) = NAMES(rows);
    const struct tile t = { acc, lda, x, off, dy, M, first, next };
    shape[I - 1](&t);
}
