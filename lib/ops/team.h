/* How a team of threads shares one op: ranges that depend on the number of threads, results that
 * don't. */
#ifndef RN_OPS_TEAM_H
#define RN_OPS_TEAM_H

#include <stddef.h>

/* The part of 0 .. n that thread `thread` of `threads` does: first to last - 1, sizes differing by
 * at most 1. */
struct rn_range {
    size_t first, last;
};

static inline struct rn_range rn_share(size_t n, int thread, int threads)
{
    size_t t = (size_t)thread, T = (size_t)threads, each = n / T, more = n % T;
    size_t first = t * each + (t < more ? t : more);
    return (struct rn_range){ first, first + each + (t < more) };
}

/* Waits for the whole team; inside a parallel region of the driver. Outside of one it returns at
 * once. An op that runs as one thread of one must not call it: a session's threads run slices of
 * their own side by side, not in step. */
static inline void rn_barrier(void)
{
#pragma omp barrier
}

#endif
