/* Filters from the file's order to the kernels': a matrix turned round, a few rows at a time, so that
 * what is read and what is written both come in whole cache lines. */
#ifndef RN_OPS_TRANSPOSE_H
#define RN_OPS_TRANSPOSE_H

#include <stddef.h>

/* to[j*ldt + i] = x[i*ldx + j*step] for i < I, j < J; a step may be negative. */
static inline void rn_transpose(float *to, size_t ldt, const float *x, size_t ldx, ptrdiff_t step,
                                size_t I, size_t J)
{
    enum { ROWS = 8 }; /* of x: a power of two apart they share one set of the cache */
    size_t i = 0;

    for (; i + ROWS <= I; i += ROWS)
        for (size_t j = 0; j < J; j++)
            for (size_t r = 0; r < ROWS; r++)
                to[j * ldt + i + r] = x[(ptrdiff_t)((i + r) * ldx) + (ptrdiff_t)j * step];
    for (; i < I; i++)
        for (size_t j = 0; j < J; j++)
            to[j * ldt + i] = x[(ptrdiff_t)(i * ldx) + (ptrdiff_t)j * step];
}

#endif
