/* Tensors that do not lie in row-major order: whether, how far they reach, and a copy that does. */
#include "weights/strided.h"

#include <string.h>

#include "base/mem.h"
#include "rn.h"

static bool is_empty(int rank, const size_t dim[])
{
    for (int d = 0; d < rank; d++)
        if (!dim[d])
            return true;
    return false;
}

bool rn_strided_contiguous(int rank, const size_t dim[], const size_t stride[])
{
    size_t step = 1;
    for (int d = rank; d-- > 0; step *= dim[d])
        if (dim[d] > 1 && stride[d] != step)
            return is_empty(rank, dim);
    return true;
}

bool rn_strided_extent(size_t *extent, int rank, const size_t dim[], const size_t stride[])
{
    size_t last = 0, step;
    if (is_empty(rank, dim)) {
        *extent = 0;
        return true;
    }
    for (int d = 0; d < rank; d++)
        if (!rn_mul(&step, dim[d] - 1, stride[d]) || !rn_add(&last, last, step))
            return false;
    return rn_add(extent, last, 1);
}

void rn_strided_copy(uint8_t *to, const uint8_t *from, size_t size, int rank, const size_t dim[],
                     const size_t stride[])
{
    size_t at[RN_RANK_MAX] = { 0 };
    if (is_empty(rank, dim))
        return;
    size_t row = rank ? dim[rank - 1] : 1, step = rank ? stride[rank - 1] * size : 0;
    for (;;) {
        for (size_t i = 0; i < row; i++, to += size)
            memcpy(to, from + i * step, size);
        int d = rank - 2;
        while (d >= 0 && ++at[d] == dim[d]) {
            from -= (dim[d] - 1) * stride[d] * size;
            at[d--] = 0;
        }
        if (d < 0)
            return;
        from += stride[d] * size;
    }
}
