/*
 * Batches in the background: workers (pthreads, no OpenMP) take pictures from the source one after
 * another, each claiming the next place of a batch, and decode, resize, augment and normalise them
 * side by side. What a batch holds depends only on (seed, epoch, number of the batch), not on the
 * number of workers.
 */
#ifndef RN_DATA_LOADER_H
#define RN_DATA_LOADER_H

#include "data/augment.h"
#include "data/source.h"

struct rn_loader_config {
    struct rn_prep prep;
    struct rn_augment augment;
    int batch;
    int ahead;   /* batches made ready before the caller asks for them; 0: none */
    int threads; /* workers; 0 counts as 1 */
    size_t keep; /* decoded pictures that take no more bytes, all together, are kept; 0: none are */
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

/* Seconds since then that rn_loader_next() has waited for workers. */
double rn_loader_waited(const struct rn_loader *l);

/* Takes the pictures that are broken out of the batch that rn_loader_next() gave last; the others
 * move up. */
void rn_loader_compact(struct rn_loader *l, struct rn_batch *b);

#endif
