/* Channels of pixels cut into blocks: pixel by pixel, so that x is read as it lies. */
#include "kernels/vec/vec.h"

/* One block of one pixel: n channels of it are there, the rest is zero. */
static inline void cut_block(float *to, const float *x, size_t block, size_t n)
{
    for (size_t i = 0; i < block; i += VL) {
        vf v = i < n ? vload_n(x + i, lanes(n - i)) : (vf){ 0 };
        vstore_n(to + i, v, lanes(block - i));
    }
}

/* Blocks of one vector, as groups want them. */
static void cut_vectors(float *to, size_t ldb, const float *x, size_t ldx, size_t M, size_t C)
{
    for (size_t m = 0; m < M; m++, x += ldx, to += VL) {
        float *out = to;
        for (size_t c = 0; c < C; c += VL, out += ldb)
            vstore(out, vload_n(x + c, lanes(C - c)));
    }
}

void RN_ISA(rn_cut)(float *to, size_t ldb, size_t block, const float *x, size_t ldx, size_t M,
                    size_t C)
{
    if (block == VL) {
        cut_vectors(to, ldb, x, ldx, M, C);
        return;
    }
    for (size_t m = 0; m < M; m++, x += ldx, to += block) {
        float *out = to;
        size_t c = 0;
        for (; c + block <= C; c += block, out += ldb)
            cut_block(out, x + c, block, block);
        if (c < C)
            cut_block(out, x + c, block, C - c);
    }
}
