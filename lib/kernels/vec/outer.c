/* One tile of a sum of outer products: I x V accumulators stay in registers while the rows of x and
 * dy go by. */
#include "kernels/vec/vec.h"

enum { L2 = 2 }; /* the locality that means the second cache */

/* The arguments of the kernel. */
struct tile {
    float *acc;
    size_t lda;
    const float *x;
    const int32_t *off;
    const float *dy;
    size_t M;
    bool first;
    const struct rn_fetch *fetch;
    size_t fetches;
};

/* Adds pixels m .. last to the sums. */
TEMPLATE void add(vf sum[RN_MR_MAX][NV], const struct tile *t, size_t m, size_t last,
                  const size_t I, const size_t V)
{
    const float *dy = t->dy + m * V * VL;
    for (; m < last; m++, dy += V * VL) {
        const float *in = t->x + t->off[m];
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
}

/* Pixels from one line that is fetched to the next: lines come from far, and few can be on their way
 * at a time; while there are as many, the operands have to wait. */
static size_t fetch_gap(const struct tile *t)
{
    size_t lines = 1;
    for (size_t f = 0; f < t->fetches; f++)
        lines += t->fetch[f].n;
    return lines < t->M ? t->M / lines : 1;
}

/* (A narrow tile is bound by its loads already, so it fetches nothing.) */
TEMPLATE void compute(const struct tile *t, const size_t I, const size_t V)
{
    vf sum[RN_MR_MAX][NV] = { 0 };
    size_t m = 0, gap = V > 1 ? fetch_gap(t) : 0;
    for (size_t f = 0; V > 1 && f < t->fetches; f++) {
        const struct rn_fetch fetch = t->fetch[f];
        for (size_t i = 0; i < fetch.n && m + gap < t->M; i++, m += gap) {
            __builtin_prefetch(fetch.at + i * fetch.step, 0, L2);
            add(sum, t, m, m + gap, I, V);
        }
    }
    add(sum, t, m, t->M, I, V);
    UNROLL
    for (size_t i = 0; i < I; i++) {
        UNROLL
        for (size_t v = 0; v < V; v++) {
            float *a = t->acc + i * t->lda + v * VL;
            if (!t->first)
                sum[i][v] += vload(a);
            vstore(a, sum[i][v]);
        }
    }
}

/* A function per number of rows, so that each has the registers to itself. */
#define SHAPE(name, I, V, MOST)                                                                    \
    static void name##_##I(const struct tile *t)                                                   \
    {                                                                                              \
        if (I <= MOST)                                                                             \
            compute(t, I, V);                                                                      \
    }
#define WIDE(I) SHAPE(wide, I, NV, MR)
#define NARROW(I) SHAPE(narrow, I, 1, MR_NARROW)
EACH_ROWS(WIDE)
EACH_ROWS(NARROW)
NARROW(13)
NARROW(14)
NARROW(15)
NARROW(16)

typedef void shape_fn(const struct tile *);

void RN_ISA(rn_outer)(float *acc, size_t lda, const float *x, const int32_t *off, const float *dy,
                      size_t M, size_t I, bool first, const struct rn_fetch *fetch, size_t fetches)
{
    static shape_fn *const shape[ROWS_MAX] = NAMES(wide);
    const struct tile t = { acc, lda, x, off, dy, M, first, fetch, fetches };
    shape[I - 1](&t);
}

void RN_ISA(rn_outer_narrow)(float *acc, size_t lda, const float *x, const int32_t *off,
                             const float *dy, size_t M, size_t I, bool first,
                             const struct rn_fetch *fetch, size_t fetches)
{
    static shape_fn *const shape[RN_MR_MAX] = { narrow_1,  narrow_2,  narrow_3,  narrow_4,
                                                narrow_5,  narrow_6,  narrow_7,  narrow_8,
                                                narrow_9,  narrow_10, narrow_11, narrow_12,
                                                narrow_13, narrow_14, narrow_15, narrow_16 };
    const struct tile t = { acc, lda, x, off, dy, M, first, fetch, fetches };
    shape[I - 1](&t);
}
