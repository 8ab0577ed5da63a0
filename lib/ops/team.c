/*
 * Jobs whose items pass from slow threads to fast ones. What a thread has left is one word: the
 * job's number, the first item and the one behind the last. The thread itself takes items from the
 * front of its word and others from the back, by compare-and-swap; what one has taken over becomes
 * its own word, from which it may be taken again. The numbers keep those who are already in the
 * next job apart from those who are still in the last one. At a barrier all words are empty. No
 * order of memory is asked for: items depend on what was there before the team last met.
 */
#include "ops/team.h"

#include "base/mem.h"

enum {
    BITS = 24,      /* of an item's number */
    JOBS = 1 << 16, /* before a number comes again */
    PIECES = 8,     /* of a share: none is smaller, for what is read again with each */
};

static const size_t ITEMS = (size_t)1 << BITS;

static uint64_t word(uint64_t job, struct rn_range r)
{
    return (job << BITS | r.first) << BITS | r.last;
}

static struct rn_range range_of(uint64_t word)
{
    return (struct rn_range){ word >> BITS & (ITEMS - 1), word & (ITEMS - 1) };
}

static uint64_t load(const struct rn_todo *t)
{
    return atomic_load_explicit(&t->left, memory_order_relaxed);
}

/* Puts `to` where `from` still is. */
static bool swap(struct rn_todo *t, uint64_t *from, uint64_t to)
{
    return atomic_compare_exchange_weak_explicit(&t->left, from, to, memory_order_relaxed,
                                                 memory_order_relaxed);
}

static size_t count(struct rn_range r)
{
    return r.last - r.first;
}

/* n items but one in `parts`; no small piece is taken or left. */
static size_t most_of(const struct rn_work *w, size_t n, size_t parts)
{
    size_t piece = n - rn_divide_up(n, parts);
    piece = piece < w->least ? w->least : piece;
    return piece + w->least <= n ? piece : n;
}

struct rn_work rn_work_begin(struct rn_todo *todo, size_t n, size_t least, size_t most, int thread,
                             int threads)
{
    size_t each = 1 + n / (size_t)threads / PIECES;
    struct rn_work w = { .todo = threads > 1 && n < ITEMS ? todo : NULL,
                         .thread = thread,
                         .threads = threads,
                         .least = least < each ? each : least,
                         .most = most,
                         .own = rn_share(n, thread, threads) };
    if (w.todo) {
        w.job = ++todo[thread].jobs % JOBS;
        atomic_store_explicit(&todo[thread].left, word(w.job, w.own), memory_order_relaxed);
    }
    return w;
}

/* Cuts a piece off the front of the thread's own share. */
static struct rn_range cut(struct rn_work *w)
{
    size_t first = w->own.first, n = count(w->own);

    n = w->todo ? most_of(w, n, 4) : n;
    w->own.first += n < w->most ? n : w->most;
    w->more = count(w->own) > 0;
    return (struct rn_range){ first, w->own.first };
}

/* The next piece of the thread's own share, or none. */
static struct rn_range take(struct rn_work *w)
{
    struct rn_range piece;

    if (!w->todo)
        return cut(w);
    struct rn_todo *mine = &w->todo[w->thread];
    uint64_t was = load(mine);
    do {
        w->own = range_of(was);
        piece = cut(w);
    } while (count(piece) && !swap(mine, &was, word(w->job, w->own)));
    return piece;
}

/* Makes half of what the thread with the most has left this one's own. Returns false when nobody
 * has any. */
static bool take_over(struct rn_work *w)
{
    for (;;) {
        struct rn_todo *from = NULL;
        struct rn_range left = { 0, 0 }, got;
        uint64_t was = 0;
        for (int i = 0; i < w->threads; i++) {
            uint64_t now = load(&w->todo[i]);
            if (now >> 2 * BITS == w->job && count(range_of(now)) > count(left)) {
                from = &w->todo[i];
                was = now;
                left = range_of(now);
            }
        }
        if (!from)
            return false;
        got = (struct rn_range){ left.last - most_of(w, count(left), 2), left.last };
        if (swap(from, &was, word(w->job, (struct rn_range){ left.first, got.first }))) {
            atomic_store_explicit(&w->todo[w->thread].left, word(w->job, got),
                                  memory_order_relaxed);
            return true;
        }
    }
}

bool rn_work_next(struct rn_work *w, struct rn_range *piece)
{
    do
        *piece = take(w);
    while (!count(*piece) && w->todo && take_over(w));
    return count(*piece) > 0;
}
