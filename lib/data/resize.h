/*
 * Resizing as Pillow does it (Image.resize with BILINEAR, antialiased): a triangle filter as wide
 * as the reduction, horizontal pass first, 8 bits between the passes, 22-bit fixed-point weights.
 * Byte for byte Pillow's result, of which only the part that is asked for is computed.
 */
#ifndef RN_DATA_RESIZE_H
#define RN_DATA_RESIZE_H

#include "data/image.h"
#include "rn.h"

/*
 * What of a picture is seen: a part of it, resized, and where in that the output begins. Output
 * outside the resized part is 0.
 */
struct rn_view {
    int y, x, H, W;        /* the part of the picture, in its pixels */
    int64_t rows, columns; /* what it is resized to */
    int64_t top, left;     /* output [p][q] is pixel [top + p][left + q] of that */
};

/*
 * A picture of H x W as prep->resize says: squashed, or as torchvision's Resize(N) and
 * CenterCrop(M): the long side is cut to whole pixels, the crop's offset rounded to even where it
 * is half a pixel, a picture smaller than the crop stands in the middle of zeros.
 */
struct rn_view rn_view_of(const struct rn_prep *prep, int H, int W);

/* Does the view leave a picture of H x W as it is, for an output of P x Q? */
bool rn_view_is_whole(const struct rn_view *v, int H, int W, int P, int Q);

bool rn_view_same(const struct rn_view *a, const struct rn_view *b);

/* Weights for one size of picture and one view, made once and used for many pictures. */
struct rn_resizer;

/* Pictures of HxW, seen as P x Q pixels that overlap the resized part. Returns 0 or RN_EMEM. */
int rn_resizer_view(struct rn_resizer **out, int C, int H, int W, const struct rn_view *v, int P,
                    int Q);
/* The same, squashed: HxW to PxQ. */
int rn_resizer_new(struct rn_resizer **out, int C, int H, int W, int P, int Q);
void rn_resizer_free(struct rn_resizer *r);
/* in [H][W][C] -> out [P][Q][C]; a copy where the sizes are equal. Not for two threads at once (it
 * has scratch). */
void rn_resizer_run(struct rn_resizer *r, const uint8_t *in, uint8_t *out);

#endif
