/* Tensors that do not lie in row-major order. */
#ifndef RN_WEIGHTS_STRIDED_H
#define RN_WEIGHTS_STRIDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is it row-major? Strides of axes of one element, and of tensors without any, do not matter. */
bool rn_strided_contiguous(int rank, const size_t dim[], const size_t stride[]);

/* Elements from the first to behind the last one; false: the number does not fit. */
bool rn_strided_extent(size_t *extent, int rank, const size_t dim[], const size_t stride[]);

/*
 * Row-major order:  to[i0][i1]... = from[i0 * stride[0] + i1 * stride[1] + ...]
 *   to      out  elements of `size` bytes, as many as the dimensions say
 *   from    in   bytes, of rn_strided_extent() elements; strides in elements
 */
void rn_strided_copy(uint8_t *to, const uint8_t *from, size_t size, int rank, const size_t dim[],
                     const size_t stride[]);

#endif
