/*
 * Stochastic depth (Huang et al. 2016), torchvision's StochasticDepth by rows: in training a picture
 * skips the branch of residual block b of B, from 0, with probability rate * b / (B - 1), and a
 * branch that it does not skip is scaled by 1 / (1 - that), so that inference takes all of them as
 * they are.
 */
#ifndef RN_TRAIN_DROP_H
#define RN_TRAIN_DROP_H

#include "train/step.h"

/* Makes the trainer drop at this rate, from 0 to below 1; nothing is dropped until
 * rn_drop_draw(). Returns 0, RN_EUSAGE (fewer than two residual blocks) or RN_EMEM. */
int rn_drop_init(struct rn_trainer *t, double rate);

/*
 * Draws for the next batch: what a picture skips depends on seed, epoch and its number in the data
 * alone.
 *   index  in  [n], numbers of the pictures
 */
void rn_drop_draw(struct rn_trainer *t, uint64_t seed, int epoch, const long *index, int n);

#endif
