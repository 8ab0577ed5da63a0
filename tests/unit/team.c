/*
 * How a team shares a job: every item is done once, whatever the pieces and however slow a thread,
 * also in jobs one behind the other without a barrier; what a slow thread has left, others do; a
 * thread alone has its share and nothing else.
 */
#include "ops/team.h"

#include <omp.h>
#include <sched.h>
#include <string.h>

#include "base/err.h"
#include "tap.h"

enum { ITEMS_MAX = 3000, JOBS = 40, TEAM_MAX = 5 };

static _Atomic int done_by[JOBS][ITEMS_MAX]; /* how often an item was done */
static struct rn_todo todo[TEAM_MAX];

struct job {
    size_t n, least, most;
};

static const struct job job[] = { { 0, 1, 1 },   { 1, 1, 1 },      { 2, 1, 8 },   { 7, 6, 100 },
                                  { 16, 1, 16 }, { 100, 12, 39 },  { 101, 1, 1 }, { 1000, 1, 64 },
                                  { 33, 40, 2 }, { 3000, 1, 3000 } };
enum { KINDS = sizeof job / sizeof *job };

static void forget(void)
{
    memset(done_by, 0, sizeof done_by);
}

static bool each_once(size_t number, size_t n)
{
    for (size_t i = 0; i < ITEMS_MAX; i++)
        if (done_by[number][i] != (i < n))
            return false;
    return true;
}

static void do_piece(size_t number, struct rn_range r)
{
    for (size_t i = r.first; i < r.last; i++)
        done_by[number][i]++;
}

/* Gives the processor away so often, differently in each thread and job. */
static void dawdle(int thread, size_t number)
{
    for (size_t i = 0; i < ((size_t)thread * 7 + number * 3) % 11; i++)
        sched_yield();
}

/* Jobs of every kind in a row, without a barrier between. Is a piece too large? */
static bool run_jobs(int threads, size_t jobs)
{
    _Atomic bool large = false;

    forget();
#pragma omp parallel num_threads(threads)
    {
        int me = omp_get_thread_num();
        rn_team_join(todo, me);
        for (size_t i = 0; i < jobs; i++) {
            const struct job *j = &job[i % KINDS];
            struct rn_work w = rn_work_begin(todo, j->n, j->least, j->most, me, threads);
            for (struct rn_range r; rn_work_next(&w, &r);) {
                dawdle(me, i);
                do_piece(i, r);
                large = large || r.last - r.first > j->most;
            }
        }
    }
    return !large;
}

static void test_jobs(int threads)
{
    bool bounded = true, once = true;

    for (int round = 0; round < 200; round++) {
        /* before it a smaller team, in which the others have no part */
        run_jobs(2, 1 + (size_t)round % JOBS);
        bounded &= run_jobs(threads, JOBS);
        for (size_t i = 0; i < JOBS; i++)
            once &= each_once(i, job[i % KINDS].n);
    }
    ok(once, "%d threads: every item of %d jobs in a row is done once", threads, JOBS);
    ok(bounded, "%d threads: no piece is larger than asked for", threads);
}

/* Waits until *v is n. Returns false after 10 seconds. */
static bool wait_for(const _Atomic size_t *v, size_t n)
{
    double end = rn_seconds() + 10;

    while (*v != n && rn_seconds() < end)
        sched_yield();
    return *v == n;
}

/* After so many jobs without items, one thread takes its first piece, then the others begin, and it
 * waits until they have done the rest. */
static void test_slow_thread(int threads, int slow, int jobs)
{
    enum { N = 800 };
    _Atomic size_t finished = 0, begun = 0;
    bool passed = false;

    forget();
#pragma omp parallel num_threads(threads)
    {
        int me = omp_get_thread_num();
        rn_team_join(todo, me);
        for (int i = 0; i < jobs; i++)
            rn_work_begin(todo, 0, 1, 1, me, threads);
        struct rn_work w = rn_work_begin(todo, N, 1, N, me, threads);
        struct rn_range r;
#pragma omp barrier
        if (me != slow)
            wait_for(&begun, 1);
        else if (rn_work_next(&w, &r)) {
            begun = 1;
            passed = wait_for(&finished, N - (r.last - r.first));
            do_piece(0, r);
        }
        while (rn_work_next(&w, &r)) {
            do_piece(0, r);
            finished += r.last - r.first;
        }
    }
    ok(passed && each_once(0, N), "%d threads, after %d jobs: the others do what thread %d leaves",
       threads, jobs, slow);
}

static void test_alone(void)
{
    struct rn_todo untouched;
    bool own = true;

    memset(&untouched, 0, sizeof untouched);
    for (int thread = 0; thread < 3; thread++) {
        struct rn_work w = rn_work_begin(NULL, 100, 1, 30, thread, 3);
        struct rn_range share = rn_share(100, thread, 3), r;
        size_t at = share.first;
        while (rn_work_next(&w, &r)) {
            own &= r.first == at && r.last <= share.last && r.last - r.first <= 30;
            at = r.last;
            own &= w.more == (at < share.last);
        }
        own &= at == share.last;
    }
    ok(own, "without a team's words, a thread has its share, from front to back");
    struct rn_work w = rn_work_begin(&untouched, 100, 1, 100, 0, 1);
    struct rn_range r;
    bool whole = rn_work_next(&w, &r) && r.first == 0 && r.last == 100 && !rn_work_next(&w, &r);
    ok(whole && !untouched.left && !untouched.jobs, "a team of one has all, and touches no word");
}

/* Small jobs in a row, until their numbers begin again and again. */
static void test_many_jobs(void)
{
    enum { MANY = 200000, N = 5 };
    static _Atomic int sum;

    sum = 0;
#pragma omp parallel num_threads(2)
    {
        rn_team_join(todo, omp_get_thread_num());
        for (int i = 0; i < MANY; i++) {
            struct rn_work w = rn_work_begin(todo, N, 1, 1, omp_get_thread_num(), 2);
            for (struct rn_range r; rn_work_next(&w, &r);)
                sum++;
        }
    }
    ok(sum == MANY * N, "%d jobs of %d items: %d done", MANY, N, sum);
}

int main(void)
{
    omp_set_dynamic(0);
    test_alone();
    for (int threads = 2; threads <= TEAM_MAX; threads += threads == 3 ? 2 : 1) {
        test_jobs(threads);
        test_slow_thread(threads, 0, 0);
        test_slow_thread(threads, threads - 1, 3);
    }
    test_slow_thread(2, 1, 100000); /* numbers of jobs have begun again */
    test_many_jobs();
    return done();
}
