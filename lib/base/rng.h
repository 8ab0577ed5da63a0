/*
 * Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as
 * easy as 1, 2, 3"). A stream is named by what it is for, never by a thread or by the order of
 * calls, so the numbers of sample 17 of epoch 3 are the same however the work is shared.
 */
#ifndef RN_BASE_RNG_H
#define RN_BASE_RNG_H

#include <stdint.h>

enum rn_purpose {
    RN_RNG_INIT = 1,
    RN_RNG_SHUFFLE,
    RN_RNG_AUGMENT,
    RN_RNG_BENCH,
    RN_RNG_TEST,
    RN_RNG_BOX,
    RN_RNG_DROP,
    RN_RNG_FLIP
};

struct rn_rng {
    uint32_t key[2];     /* the seed */
    uint32_t counter[4]; /* [0] block in the stream, [1] purpose and epoch, [2..3] sample */
    uint32_t word[4];    /* the last block */
    int left;            /* words of it not handed out yet */
};

/* epoch below 2^24; sample is any number that names the item (picture, parameter). */
void rn_rng_init(struct rn_rng *r, uint64_t seed, enum rn_purpose purpose, uint32_t epoch,
                 uint64_t sample);

uint32_t rn_rng_u32(struct rn_rng *r);
uint32_t rn_rng_below(struct rn_rng *r, uint32_t n); /* 0 <= value < n, unbiased; n > 0 */
double rn_rng_uniform(struct rn_rng *r);             /* [0, 1), 32 bits */
double rn_rng_normal(struct rn_rng *r);              /* N(0, 1), Box and Muller 1958 */

#endif
