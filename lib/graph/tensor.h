/*
 * THE legend of dimension letters, the same everywhere:
 *   N    pictures in a batch             C    channels in        K    channels out
 *   H W  rows and columns in             P Q  rows and columns out
 *   R S  rows and columns of a filter    G    groups of a convolution
 * A gradient is `d` and the name: dx, dy, dw. Activations are [N][H][W][C], channels innermost;
 * weights are in the order of PyTorch, [K][C/G][R][S].
 */
#ifndef RN_GRAPH_TENSOR_H
#define RN_GRAPH_TENSOR_H

#include <stddef.h>

/* One picture of an activation: [H][W][C] floats. */
struct rn_shape {
    int H, W, C;
};

/* Floats in one picture; shapes are checked when the graph is made, so this fits a size_t. */
static inline size_t rn_shape_count(struct rn_shape s)
{
    return (size_t)s.H * (size_t)s.W * (size_t)s.C;
}

#endif
