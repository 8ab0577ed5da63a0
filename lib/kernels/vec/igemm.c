/*
 * One tile of a convolution by indirection: M x V accumulators stay in registers while taps and
 * channels go by; each step broadcasts M inputs over V vectors of weights.
 */
#include "kernels/vec/vec.h"

enum { L2 = 2 }; /* the locality that means the second cache */

/* The arguments of the kernel. */
struct tile {
    float *y;
    const float *res;
    const size_t *row;
    const float *const *x;
    const float *w, *bias, *next;
    size_t M, K, T, C;
    int end;
};

TEMPLATE void multiply(vf acc[][NV], const float *const *x, const float *w, const float *next,
                       const size_t step, size_t C, const size_t M, const size_t V)
{
    const float *in[ROWS_MAX];
    UNROLL
    for (size_t m = 0; m < M; m++)
        in[m] = x[m];
    for (size_t c = 0; c < C; c++, w += NR, next += step) {
        if (V > 1) /* a narrow tile is bound by its loads already */
            __builtin_prefetch(next, 0, L2);
        vf wide[NV];
        UNROLL
        for (size_t v = 0; v < V; v++)
            wide[v] = vload(w + v * VL);
        UNROLL
        for (size_t m = 0; m < M; m++) {
            vf one = vsplat(in[m][c]);
            UNROLL
            for (size_t v = 0; v < V; v++)
                acc[m][v] = vfma(one, wide[v], acc[m][v]);
        }
    }
}

/* A tap that some rows leave out: they take part with another row's input, and get back what they
 * were. */
TEMPLATE void multiply_some(vf acc[][NV], const float *const *x, const float *w, const float *next,
                            const size_t step, size_t C, const size_t M, const size_t V)
{
    const float *in[ROWS_MAX], *any = NULL;
    vf was[ROWS_MAX][NV];
    for (size_t m = 0; m < M; m++)
        any = x[m] ? x[m] : any;
    if (!any)
        return;
    UNROLL
    for (size_t m = 0; m < M; m++) {
        in[m] = x[m] ? x[m] : any;
        UNROLL
        for (size_t v = 0; v < V; v++)
            was[m][v] = acc[m][v];
    }
    multiply(acc, in, w, next, step, C, M, V);
    UNROLL
    for (size_t m = 0; m < M; m++) {
        UNROLL
        for (size_t v = 0; v < V; v++)
            acc[m][v] = x[m] ? acc[m][v] : was[m][v];
    }
}

/* The residual is read at the end: rows apart, which hardware does not foresee. */
TEMPLATE void fetch_residual(const struct tile *p, const size_t M, const size_t V)
{
    UNROLL
    for (size_t m = 0; m < M; m++) {
        UNROLL
        for (size_t v = 0; v < V; v++)
            __builtin_prefetch(p->res + p->row[m] + v * VL, 0, 3);
    }
}

/* Residual, ReLU and store of a vector's n lanes. */
TEMPLATE void finish(const struct tile *p, size_t at, vf v, size_t n)
{
    if (p->res)
        v += vload_n(p->res + at, n);
    if (p->end & RN_RELU)
        v = vrelu(v);
    vput(p->y + at, v, n, p->end & RN_STREAM);
}

TEMPLATE void compute(const struct tile *p, const size_t M, const size_t V, const size_t step,
                      const bool sparse)
{
    vf acc[ROWS_MAX][NV];
    if (p->res)
        fetch_residual(p, M, V);
    UNROLL
    for (size_t m = 0; m < M; m++) {
        UNROLL
        for (size_t v = 0; v < V; v++)
            acc[m][v] = p->bias ? vload(p->bias + v * VL) : (vf){ 0 };
    }
    const float *next = p->next ? p->next : p->w;
    for (size_t t = 0; t < p->T; t++)
        (sparse ? multiply_some : multiply)(acc, p->x + t * M, p->w + t * p->C * NR,
                                            next + t * p->C * step, step, p->C, M, V);
    const size_t last = p->K - (V - 1) * VL;
    UNROLL
    for (size_t m = 0; m < M; m++) {
        UNROLL
        for (size_t v = 0; v < V; v++)
            finish(p, p->row[m] + v * VL, acc[m][v], v + 1 < V ? VL : last);
    }
}

/* A function per shape, so that each has the registers to itself. The steps are constants, too: a
 * step in a register costs the loop one that it needs. */
#define SHAPE(name, M, V, step, sparse)                                                            \
    static void name##_##M(const struct tile *p)                                                   \
    {                                                                                              \
        if (M <= MR)                                                                               \
            compute(p, M, V, step, sparse);                                                        \
    }
#define SHAPES(M)                                                                                  \
    SHAPE(narrow, M, 1, 0, false)                                                                  \
    SHAPE(wide, M, 2, RN_LINE, false)                                                              \
    SHAPE(wide_half, M, 2, RN_LINE / 2, false)                                                     \
    SHAPE(wide_quarter, M, 2, RN_LINE / 4, false)                                                  \
    SHAPE(sparse_narrow, M, 1, 0, true)                                                            \
    SHAPE(sparse_wide, M, 2, RN_LINE, true)                                                        \
    SHAPE(sparse_wide_half, M, 2, RN_LINE / 2, true)                                               \
    SHAPE(sparse_wide_quarter, M, 2, RN_LINE / 4, true)
EACH_ROWS(SHAPES)

typedef void shape_fn(const struct tile *);
#define KINDS(prefix)                                                                              \
    {                                                                                              \
        NAMES(prefix##narrow), NAMES(prefix##wide), NAMES(prefix##wide_half),                      \
            NAMES(prefix##wide_quarter)                                                            \
    }

/* Number of the kind among those. */
static inline size_t kind(size_t K, size_t step)
{
    return K <= VL ? 0 : step == RN_LINE / 4 ? 3 : step == RN_LINE / 2 ? 2 : 1;
}

void RN_ISA(rn_igemm)(float *y, const float *res, const size_t *row, const float *const *x,
                      const float *w, const float *bias, const float *next, size_t step, size_t M,
                      size_t K, size_t T, size_t C, int end)
{
    static shape_fn *const shape[][ROWS_MAX] = KINDS();
    const struct tile p = { y, res, row, x, w, bias, next, M, K, T, C, end };
    shape[kind(K, step)][M - 1](&p);
}

void RN_ISA(rn_igemm_sparse)(float *y, const float *res, const size_t *row, const float *const *x,
                             const float *w, const float *bias, const float *next, size_t step,
                             size_t M, size_t K, size_t T, size_t C, int end)
{
    static shape_fn *const shape[][ROWS_MAX] = KINDS(sparse_);
    const struct tile p = { y, res, row, x, w, bias, next, M, K, T, C, end };
    shape[kind(K, step)][M - 1](&p);
}
