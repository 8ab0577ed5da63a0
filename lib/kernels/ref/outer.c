/* Reference of one tile of a sum of outer products. */
#include "kernels/ref/ref.h"

#include <math.h>

static void outer(float *acc, size_t lda, const float *x, const int32_t *off, const float *dy,
                  size_t M, size_t I, size_t J, bool first)
{
    for (size_t i = 0; i < I; i++) {
        for (size_t j = 0; j < J; j++) {
            float sum = 0, *a = acc + i * lda + j;
            for (size_t m = 0; m < M; m++)
                sum = fmaf(x[off[m] + (ptrdiff_t)i], dy[m * J + j], sum);
            *a = first ? sum : *a + sum;
        }
    }
}

void rn_outer_ref(float *acc, size_t lda, const float *x, const int32_t *off, const float *dy,
                  size_t M, size_t I, bool first, const struct rn_fetch *fetch, size_t fetches)
{
    (void)fetch, (void)fetches;
    outer(acc, lda, x, off, dy, M, I, REF_OUTER_NR, first);
}

void rn_outer_narrow_ref(float *acc, size_t lda, const float *x, const int32_t *off,
                         const float *dy, size_t M, size_t I, bool first,
                         const struct rn_fetch *fetch, size_t fetches)
{
    (void)fetch, (void)fetches;
    outer(acc, lda, x, off, dy, M, I, REF_OUTER_NARROW_NR, first);
}
