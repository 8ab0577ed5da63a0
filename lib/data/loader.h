/*
 * Batches in the background: one prefetch thread (a pthread, no OpenMP) reads, resizes, augments
 * and normalises the next batches while the cores compute. What a batch holds depends only on
 * (seed, epoch, number of the batch).
 */
#ifndef RN_DATA_LOADER_H
#define RN_DATA_LOADER_H

#include "data/augment.h"
#include "data/source.h"

struct rn_loader_config {
    struct rn_prep prep;
    struct rn_augment augment;
    int batch;
    bool shuffle; /* a permutation of (seed, epoch); needs a random source */
    uint64_t seed;
};

int rn_loader_new(struct rn_loader **out, struct rn_source *s, const struct rn_loader_config *c);

/*
 * Goes to batch `first` of epoch `epoch` (both from 0) and starts prefetching there.
 * rn_loader_next() gives n == 0 at the end of the epoch. May be called at any time, also in the
 * middle of an epoch.
 */
void rn_loader_start(struct rn_loader *l, int epoch, long first);

#endif
