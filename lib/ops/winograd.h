/* What the passes of Winograd's algorithm share: how a map is cut into tiles, and where their
 * pixels lie. */
#ifndef RN_OPS_WINOGRAD_H
#define RN_OPS_WINOGRAD_H

#include "ops/conv.h"

enum {
    RN_WINO_EDGE = 6, /* elements on a side of a tile, at most */
    RN_WINO_GAP = 16, /* floats between matrices, off power-of-two strides: a line */
};

/* The convolution as a pass sees it: from a map of C channels to one of K. */
struct rn_wino_view {
    int H, W, C, P, Q, K;
    int top, left;
    int m, edge;       /* outputs and elements on a side of a tile: m + 2 */
    size_t elements;   /* edge^2 */
    size_t rows, cols; /* of tiles in a picture */
    size_t panels;     /* of output channels, igemm_nr wide */
    const struct rn_wino *k;
};

/* The m that the pass gets, by the layer's shape: 4, 3, 2, or 0 when it is not Winograd's. */
int rn_wino_m(const struct rn_conv *c, enum rn_pass pass);

struct rn_wino_view rn_wino_view(const struct rn_conv *c, enum rn_pass pass);

/* Tiles side by side in picture n, m pixels apart; the first one's first output is (p, q). */
struct rn_wino_strip {
    size_t n;
    int p, q;
    size_t tiles;
};

/* Those from tile t of the batch on to the end of its row, `most` at most. */
struct rn_wino_strip rn_wino_strip(const struct rn_wino_view *v, size_t t, size_t most);

/* row[i] = row i of the inputs, from the picture's left edge, in a batch x [N][H][W][C]; outside the
 * picture it is `zero`, [W][C]. */
void rn_wino_input_rows(const struct rn_wino_view *v, const struct rn_wino_strip *s, const float *x,
                        const float *zero, const float **row);

/* Where the strip's outputs begin in a batch [N][P][Q][K]. */
size_t rn_wino_output_at(const struct rn_wino_view *v, const struct rn_wino_strip *s);

/* Backward-weights, as struct rn_conv_algo has them. */
size_t rn_wino_weights_scratch(const struct rn_conv *c, int N, int threads);
void rn_wino_weights_run(const struct rn_conv *c, const struct rn_conv_run *r, int thread,
                         int threads);

#endif
