/* Liveness: buffers with a first and a last step of use share one block of memory. */
#ifndef RN_GRAPH_LAYOUT_H
#define RN_GRAPH_LAYOUT_H

#include <stddef.h>

struct rn_span {
    size_t bytes;
    int first, last; /* steps, both included */
    size_t offset;   /* out: into the block, a multiple of RN_ALIGN */
};

/*
 * Places the spans so that no two alive at one step overlap: largest first, each at the lowest
 * offset that is free. *total is the block's size. Returns 0, or RN_EMEM when sizes overflow or
 * memory is short.
 */
int rn_layout(struct rn_span *span, int spans, size_t *total);

#endif
