/* One tile of a sum of outer products: I x NV accumulators stay in registers while the rows of x
 * and dy go by. */
#include "kernels/vec/vec.h"

TEMPLATE void compute(float *acc, const float *x, const int32_t *off, const float *dy, size_t M,
                      bool first, const size_t I)
{
    vf sum[ROWS_MAX][NV] = { 0 };
    for (size_t m = 0; m < M; m++, dy += NR) {
        const float *in = x + off[m];
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
            float *a = acc + i * NR + v * VL;
            if (!first)
                sum[i][v] += vload(a);
            vstore(a, sum[i][v]);
        }
    }
}

#define SHAPE(I)                                                                                   \
    static inline void rows_##I(float *acc, const float *x, const int32_t *off, const float *dy,   \
                                size_t M, bool first)                                              \
    {                                                                                              \
        if (I <= MR)                                                                               \
            compute(acc, x, off, dy, M, first, I);                                                 \
    }
SHAPE(1)
SHAPE(2)
SHAPE(3)
SHAPE(4)
SHAPE(5)
SHAPE(6)
SHAPE(7)
SHAPE(8)
SHAPE(9)
SHAPE(10)
SHAPE(11)
SHAPE(12)

void RN_ISA(rn_outer)(float *acc, const float *x, const int32_t *off, const float *dy, size_t M,
                      size_t I, bool first)
{
    static void (*const shape[ROWS_MAX])(float *, const float *, const int32_t *, const float *,
                                         size_t, bool) = {
        rows_1, rows_2, rows_3, rows_4,  rows_5,  rows_6,
        rows_7, rows_8, rows_9, rows_10, rows_11, rows_12,
    };
    shape[I - 1](acc, x, off, dy, M, first);
}
