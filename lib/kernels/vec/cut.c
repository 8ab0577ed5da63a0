/* Channels of pixels cut into blocks: pixel by pixel, so that x is read as it lies. */
#include "kernels/vec/vec.h"

/* The last block of a pixel: n channels of it are there, the rest is zero. */
static inline void cut_rest(float *to, const float *x, size_t block, size_t n)
{
    for (size_t i = 0; i < block; i += VL) {
        vf v = i < n ? vload_n(x + i, lanes(n - i)) : (vf){ 0 };
        vstore_n(to + i, v, lanes(block - i));
    }
}

/* Blocks of V vectors, the last with n lanes. */
TEMPLATE void cut(float *to, size_t ldb, size_t block, const float *x, size_t ldx, size_t M,
                  size_t C, const size_t V, size_t n)
{
    for (size_t m = 0; m < M; m++, x += ldx, to += block) {
        float *out = to;
        size_t c = 0;
        for (; c + block <= C; c += block, out += ldb) {
            UNROLL
            for (size_t v = 0; v + 1 < V; v++)
                vstore(out + v * VL, vload(x + c + v * VL));
            size_t at = (V - 1) * VL;
            vstore_n(out + at, vload_n(x + c + at, n), n);
        }
        if (c < C)
            cut_rest(out, x + c, block, C - c);
    }
}

void RN_ISA(rn_cut)(float *to, size_t ldb, size_t block, const float *x, size_t ldx, size_t M,
                    size_t C)
{
    size_t V = (block + VL - 1) / VL, n = block - (V - 1) * VL;
    if (block == VL)
        cut(to, ldb, VL, x, ldx, M, C, 1, VL);
    else if (block == 2 * VL)
        cut(to, ldb, 2 * VL, x, ldx, M, C, 2, VL);
    else if (V == 1)
        cut(to, ldb, block, x, ldx, M, C, 1, n);
    else if (V == 2)
        cut(to, ldb, block, x, ldx, M, C, 2, n);
    else
        cut(to, ldb, block, x, ldx, M, C, V, n);
}
