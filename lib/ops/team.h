/*
 * How a team of threads shares one op: ranges that depend on the number of threads, results that
 * don't. Cores are seldom equally fast (neighbours on the same machine, siblings on the same core,
 * cores of two kinds), and at the next barrier all wait for the slowest: so a thread that has done
 * its own share takes over from the others.
 */
#ifndef RN_OPS_TEAM_H
#define RN_OPS_TEAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* What a thread has left to do, in a cache line of its own. The driver has one for each thread,
 * zeroed at first. */
struct rn_todo {
    _Alignas(64) _Atomic uint64_t left; /* job, first, last: see team.c */
    uint64_t jobs;                      /* that the thread has begun with this team */
};

/* A thread joins a team: the first thing in a parallel region, as teams may differ in size. */
static inline void rn_team_join(struct rn_todo *todo, int thread)
{
    todo[thread].jobs = 0;
}

/* A thread's view of the job that it works on. */
struct rn_work {
    struct rn_todo *todo; /* the team's; NULL: nothing is taken over */
    int thread, threads;
    uint64_t job;
    size_t least, most;  /* items of a piece */
    struct rn_range own; /* left of the share; kept in todo where there is one */
    bool more;           /* behind the piece at hand lies another of the same share */
};

/*
 * A job of n items, any of which any thread may do: every thread of the team begins it, in the same
 * order with the team's other jobs, and works on the pieces that rn_work_next() gives until there
 * are none. Together these are all items, each once. A thread's own share, as rn_share() has it,
 * comes from front to back, in pieces that become smaller: three quarters of what is left, but not
 * less than `least` and an eighth of the share, and at most `most`, which is 1 or more. Then comes what
 * others have left, from the back. Between jobs no barrier is needed.
 *   todo  in/out  [threads] or NULL: then, or alone, or of 2^24 items and more, a thread has its share
 *                 and nothing else
 */
struct rn_work rn_work_begin(struct rn_todo *todo, size_t n, size_t least, size_t most, int thread,
                             int threads);

/* The next piece. Returns false when there is none. */
bool rn_work_next(struct rn_work *w, struct rn_range *piece);

#endif
