/*
 * Resizing as Pillow does it (Image.resize with BILINEAR, antialiased): a triangle filter as wide
 * as the reduction, horizontal pass first, 8 bits between the passes, 22-bit fixed-point weights.
 * Byte for byte Pillow's result.
 */
#ifndef RN_DATA_RESIZE_H
#define RN_DATA_RESIZE_H

#include "data/image.h"

/* Weights for one pair of sizes, made once and used for many pictures. */
struct rn_resizer;

int rn_resizer_new(struct rn_resizer **out, int C, int H, int W, int P,
                   int Q); /* HxW to PxQ; Returns 0 or RN_EMEM */
void rn_resizer_free(struct rn_resizer *r);
/* in [H][W][C] -> out [P][Q][C]; a copy where the sizes are equal. Not for two threads at once (it
 * has scratch). */
void rn_resizer_run(struct rn_resizer *r, const uint8_t *in, uint8_t *out);

#endif
