/*
 * A product of matrices: tiles of M x V accumulators, as in igemm.c, whose rows stand a stride apart,
 * so that short products do not wait for pointers.
 */
#include "kernels/vec/vec.h"

enum { L2 = 2 }; /* the locality that means the second cache */

struct tile {
    float *y;
    const float *x, *w, *next;
    size_t ldy, ldx, K, C;
};

/* p, as if nobody knew what it has to do with others: compilers like to hold one pointer and the
 * distances of all from it. */
static inline const float *apart(const float *p)
{
    __asm__("" : "+r"(p));
    return p;
}

TEMPLATE void compute(const struct tile *p, const size_t M, const size_t V)
{
    const float *in[ROWS_MAX / 4], *w = p->w;
    vf acc[ROWS_MAX][NV] = { 0 };
    const size_t last = p->K - (V - 1) * VL, ldx = p->ldx;
    UNROLL
    for (size_t m = 0; m < M; m += 4) /* a pointer for each row would fill the registers */
        in[m / 4] = apart(p->x + m * ldx);
    for (size_t c = 0; c < p->C; c++, w += NR) {
        if (V > 1) /* a narrow tile is bound by its loads already */
            __builtin_prefetch(p->next + c * RN_LINE, 0, L2);
        vf wide[NV];
        UNROLL
        for (size_t v = 0; v < V; v++)
            wide[v] = vload(w + v * VL);
        UNROLL
        for (size_t m = 0; m < M; m++) {
            vf one = vsplat(in[m / 4][m % 4 * ldx + c]);
            UNROLL
            for (size_t v = 0; v < V; v++)
                acc[m][v] = vfma(one, wide[v], acc[m][v]);
        }
    }
    UNROLL
    for (size_t m = 0; m < M; m++) {
        UNROLL
        for (size_t v = 0; v < V; v++)
            vstore_n(p->y + m * p->ldy + v * VL, acc[m][v], v + 1 < V ? VL : last);
    }
}

#define SHAPES(M)                                                                                  \
    static void narrow_##M(const struct tile *p)                                                   \
    {                                                                                              \
        if (M <= MR)                                                                               \
            compute(p, M, 1);                                                                      \
    }                                                                                              \
    static void wide_##M(const struct tile *p)                                                     \
    {                                                                                              \
        if (M <= MR)                                                                               \
            compute(p, M, 2);                                                                      \
    }
EACH_ROWS(SHAPES)

/* The first tiles share what is fetched, a line of each row. */
void RN_ISA(rn_gemm)(float *y, size_t ldy, const float *x, size_t ldx, const float *w,
                     const float *next, size_t M, size_t K, size_t C)
{
    static void (*const shape[NV][ROWS_MAX])(const struct tile *) = { NAMES(narrow), NAMES(wide) };
    size_t tiles = (M + MR - 1) / MR, lines = (NR + RN_LINE - 1) / RN_LINE;

    for (size_t i = 0; i < tiles; i++) {
        size_t first = M * i / tiles, rows = M * (i + 1) / tiles - first;
        const float *fetch = next && i < lines ? next + i * C * RN_LINE : w;
        const struct tile p = { y + first * ldy, x + first * ldx, w, fetch, ldy, ldx, K, C };
        shape[K > VL][rows - 1](&p);
    }
}
