/*
 * From pixels to input: random flip, crop and resized crop (training), then normalisation to float.
 */
#ifndef RN_DATA_AUGMENT_H
#define RN_DATA_AUGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "data/resize.h"
#include "rn.h"

struct rn_augment {
    enum rn_flip flip;
    int crop;    /* zeros added on each side before a random crop of the input's size; 0: none */
    double area; /* random resized crop: the least part of the picture's area; 0: none */
};

/* What the dice said for one picture. */
struct rn_shift {
    bool flip;
    int dy, dx; /* -crop .. crop: out[h][w] = in[h + dy][w + dx], zero outside */
};

/* The dice of picture `sample` in `epoch`: depends on nothing else. */
struct rn_shift rn_augment_draw(const struct rn_augment *a, uint64_t seed, int epoch, long sample);

/*
 * torchvision's RandomResizedCrop: a box of area .. 1 of a picture of H x W and of aspect 3/4 .. 4/3
 * (uniform in its logarithm), squashed to the input's size. Ten throws that do not fit are followed
 * by the largest box in the middle of an aspect within the limits. The dice are of their own.
 */
struct rn_view rn_augment_view(const struct rn_augment *a, const struct rn_prep *prep, int H, int W,
                               uint64_t seed, int epoch, long sample);

/*
 * out[h][w][c] = (in / 255 - mean[c]) / std[c], shifted and flipped; zero pixels outside the
 * picture count as pixel 0 (crop first, flip then, normalise last, as torchvision's
 * RandomCrop(padding), RandomHorizontalFlip, Normalize).
 *   in   [H][W][C] 8-bit pixels of the prep's size       out  [H][W][C]
 */
void rn_augment_apply(const struct rn_prep *prep, struct rn_shift s, const uint8_t *in, float *out);

#endif
