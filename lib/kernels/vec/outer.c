/* One tile of a sum of outer products: I x V accumulators stay in registers while the rows of x and
 * dy go by. */
#include "kernels/vec/vec.h"

TEMPLATE void compute(float *acc, const float *x, const int32_t *off, const float *dy, size_t M,
                      bool first, const size_t I, const size_t V)
{
    vf sum[RN_MR_MAX][NV] = { 0 };
    for (size_t m = 0; m < M; m++, dy += V * VL) {
        const float *in = x + off[m];
        vf wide[NV];
        UNROLL
        for (size_t v = 0; v < V; v++)
            wide[v] = vload(dy + v * VL);
        UNROLL
        for (size_t i = 0; i < I; i++) {
            vf one = vsplat(in[i]);
            UNROLL
            for (size_t v = 0; v < V; v++)
                sum[i][v] = vfma(one, wide[v], sum[i][v]);
        }
    }
    UNROLL
    for (size_t i = 0; i < I; i++) {
        UNROLL
        for (size_t v = 0; v < V; v++) {
            float *a = acc + (i * V + v) * VL;
            if (!first)
                sum[i][v] += vload(a);
            vstore(a, sum[i][v]);
        }
    }
}

#define SHAPE(name, I, V, MOST)                                                                    \
    static void name##_##I(float *acc, const float *x, const int32_t *off, const float *dy,        \
                           size_t M, bool first)                                                   \
    {                                                                                              \
        if (I <= MOST)                                                                             \
            compute(acc, x, off, dy, M, first, I, V);                                              \
    }
#define WIDE(I) SHAPE(wide, I, NV, MR)
#define NARROW(I) SHAPE(narrow, I, 1, MR_NARROW)
EACH_ROWS(WIDE)
EACH_ROWS(NARROW)
NARROW(13)
NARROW(14)
NARROW(15)
NARROW(16)

typedef void shape_fn(float *, const float *, const int32_t *, const float *, size_t, bool);

void RN_ISA(rn_outer)(float *acc, const float *x, const int32_t *off, const float *dy, size_t M,
                      size_t I, bool first)
{
    static shape_fn *const shape[ROWS_MAX] = NAMES(wide);
    shape[I - 1](acc, x, off, dy, M, first);
}

void RN_ISA(rn_outer_narrow)(float *acc, const float *x, const int32_t *off, const float *dy,
                             size_t M, size_t I, bool first)
{
    static shape_fn *const shape[RN_MR_MAX] = { narrow_1,  narrow_2,  narrow_3,  narrow_4,
                                                narrow_5,  narrow_6,  narrow_7,  narrow_8,
                                                narrow_9,  narrow_10, narrow_11, narrow_12,
                                                narrow_13, narrow_14, narrow_15, narrow_16 };
    shape[I - 1](acc, x, off, dy, M, first);
}
