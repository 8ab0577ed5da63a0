/*
 * From a picture on its way to pixels of the network's size: decoded and resized. One developer for
 * each thread: it has scratch.
 */
#ifndef RN_DATA_DEVELOP_H
#define RN_DATA_DEVELOP_H

#include "data/augment.h"
#include "data/item.h"
#include "data/resize.h"

/* Zeroed at first. */
struct rn_developer {
    struct rn_picture picture;  /* the decoded one */
    struct rn_resizer *resizer; /* from pictures of H x W; NULL: they are as the view wants them */
    struct rn_view view;
    int H, W;
    uint8_t *pixel; /* [prep H][prep W][C], the resized picture */
};
void rn_developer_release(struct rn_developer *d);

/* Which picture of which epoch this is: all that its augmentation depends on. */
struct rn_dice {
    const struct rn_augment *augment;
    uint64_t seed;
    int epoch;
    long sample;
};

/*
 * The picture -> *pixel, [prep H][prep W][prep C] of the item or the developer: until either takes
 * the next picture.
 *   how   limits and orientation; its channels are the prep's
 *   dice  of what is seen of the picture, when that is random
 * Returns 0, or why this picture is left out: RN_EIO, RN_EFORMAT, RN_EMEM.
 */
int rn_develop(struct rn_developer *d, struct rn_item *it, const struct rn_decode *how,
               const struct rn_prep *prep, const struct rn_dice *dice, const uint8_t **pixel);

#endif
