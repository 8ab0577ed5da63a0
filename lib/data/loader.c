/*
 * Batches in the background. The caller takes the batches of a ring in turn: the oldest is the
 * caller's until its next call, those behind it are full or being filled. One worker at a time
 * holds the source: it reads the next picture, claims the next place of the last batch and passes
 * the source on before it develops the picture, so that order and bits do not depend on who does
 * what.
 */
#include "data/loader.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/prep.h"
#include "base/rng.h"
#include "data/develop.h"
#include "data/keep.h"
#include "data/slot.h"

enum {
    AHEAD = 2, /* batches, unless told */
    WORKERS_MAX = 64,
    PATIENCE_MS = 20 /* how long a pipe is listened to before looking up again */
};

struct worker {
    struct rn_loader *loader;
    pthread_t thread;
    struct rn_item item;
    struct rn_developer developer;
};

struct rn_loader {
    struct rn_source *source;
    struct rn_loader_config config;
    struct rn_slot *slot; /* [ring] */
    int ring;             /* the caller's batch and those ahead */
    struct rn_keep keep;
    uint32_t *order; /* [count], the epoch's permutation; NULL: as they come */
    struct worker *worker;
    int workers; /* threads that exist */

    int epoch; /* does not change while a worker is busy */

    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t changed;
    int first, used; /* ring: the oldest batch, how many are the caller's, full or being filled */
    bool held;       /* the oldest one is the caller's */
    bool reading;    /* a worker holds the source */
    int busy;        /* workers that hold the source or develop a picture */
    bool waiting;    /* the caller waits for a batch */
    double waited;   /* seconds, since the start */
    long position;   /* the picture of the epoch that comes next */
    bool end;        /* nothing more to read, for the reason in status */
    int status;
    char error[RN_ERROR_SIZE];
    bool cancel; /* drop what is being filled */
    bool quit;
};

/* ---- workers ---- */

/* The item into its place. */
static void develop(struct rn_loader *l, struct worker *w, struct rn_slot *s, int place, long index)
{
    const struct rn_loader_config *c = &l->config;
    const struct rn_dice dice = { &c->augment, c->seed, l->epoch, index };
    const uint8_t *pixel = rn_keep_find(&l->keep, index);
    int status = 0;
    if (!pixel) {
        status = rn_develop(&w->developer, &w->item, &l->source->decode, &c->prep, &dice, &pixel);
        if (!status)
            rn_keep_put(&l->keep, index, pixel);
    }
    if (!status)
        rn_augment_apply(&c->prep, rn_augment_draw(&c->augment, c->seed, l->epoch, index), pixel,
                         rn_slot_input(s, place));
    s->label[place] = w->item.label;
    s->index[place] = index;
    rn_slot_name(s, place, w->item.name, status ? rn_error() : NULL);
}

/* The batch that places are claimed in, a new one where the last is closed; NULL: the ring is full.
 */
static struct rn_slot *open_slot(struct rn_loader *l)
{
    struct rn_slot *last = &l->slot[(l->first + l->used + l->ring - 1) % l->ring];
    if (l->used && !last->closed)
        return last;
    if (l->used == l->ring)
        return NULL;
    last = &l->slot[(l->first + l->used++) % l->ring];
    last->n = last->pending = 0;
    last->closed = false;
    return last;
}

static bool flagged(struct rn_loader *l, const bool *flag)
{
    pthread_mutex_lock(&l->mutex);
    bool set = *flag;
    pthread_mutex_unlock(&l->mutex);
    return set;
}

/* Waits until the source can give its next picture. False: read no further now, as the batch was
 * cancelled or as the caller waits for the n pictures that it has already. */
static bool await_source(struct rn_loader *l, int n)
{
    while (!flagged(l, &l->cancel)) {
        if (rn_source_ready(l->source, PATIENCE_MS))
            return true;
        if (n > 0 && flagged(l, &l->waiting))
            return false;
    }
    return false;
}

enum { IDLE = 2 };

/* The next picture into the worker's item. Returns 1, 0 at the end, IDLE, or a status. */
static int read_next(struct rn_loader *l, struct worker *w, int n, long *index)
{
    if (l->order && l->position >= l->source->count)
        return 0;
    if (!await_source(l, n))
        return IDLE;
    *index = l->order ? (long)l->order[l->position] : l->position;
    return rn_source_read(l->source, *index, &w->item);
}

/* With the mutex held: no place is claimed in s any more. A batch without pictures is none. */
static void close_slot(struct rn_loader *l, struct rn_slot *s)
{
    s->closed = true;
    if (!s->n)
        l->used--;
}

/* With the mutex held: what reading gave counts, unless it was cancelled. Returns the claimed
 * place, or -1. */
static int claim(struct rn_loader *l, struct rn_slot *s, int got)
{
    if (l->cancel)
        return -1;
    if (got == 1) {
        l->position++;
        s->pending++;
        s->closed = s->n + 1 == l->config.batch;
        return s->n++;
    }
    close_slot(l, s);
    if (got != IDLE) {
        l->end = true;
        l->status = got < 0 ? got : 0;
        if (got < 0)
            strcpy(l->error, rn_error());
    }
    return -1;
}

/* With the mutex held: one picture into its place, without it. */
static void serve(struct rn_loader *l, struct worker *w, struct rn_slot *s)
{
    long index = 0;
    int n = s->n;
    l->reading = true;
    l->busy++;
    pthread_mutex_unlock(&l->mutex);
    int got = read_next(l, w, n, &index);
    pthread_mutex_lock(&l->mutex);
    l->reading = false;
    int place = claim(l, s, got);
    pthread_cond_broadcast(&l->changed);
    if (place >= 0) {
        pthread_mutex_unlock(&l->mutex);
        develop(l, w, s, place, index);
        pthread_mutex_lock(&l->mutex);
        s->pending--;
    }
    l->busy--;
    pthread_cond_broadcast(&l->changed);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct rn_loader *l = w->loader;
    struct rn_slot *s;
    pthread_mutex_lock(&l->mutex);
    while (!l->quit)
        if (l->end || l->cancel || l->reading || !(s = open_slot(l)))
            pthread_cond_wait(&l->changed, &l->mutex);
        else
            serve(l, w, s);
    pthread_mutex_unlock(&l->mutex);
    return NULL;
}

/* Signals are for the thread that runs the loop, which looks at them between batches. */
static int launch(struct rn_loader *l)
{
    long most =
        l->source->count >= 0 && l->source->count < WORKERS_MAX ? l->source->count : WORKERS_MAX;
    int want = l->config.threads < most ? l->config.threads : (int)most, error = 0;
    sigset_t all, old;
    want = want < 1 ? 1 : want;
    l->worker = rn_alloc((size_t)want, sizeof *l->worker);
    if (!l->worker)
        return RN_EMEM;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (; !error && l->workers < want; l->workers += !error) {
        l->worker[l->workers].loader = l;
        error = pthread_create(&l->worker[l->workers].thread, NULL, work, &l->worker[l->workers]);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return l->workers ? 0 : rn_fail(RN_EMEM, "no thread for reading ahead: %s", strerror(error));
}

/* ---- making one ---- */

static int check(const struct rn_source *s, const struct rn_loader_config *c)
{
    const struct rn_prep *p = &c->prep;
    int shorter, crop;
    if (s->C && s->C != p->C) {
        return rn_fail(RN_EUSAGE, "%s: channels: the pictures have %d, the network takes %d",
                       s->path, s->C, p->C);
    }
    if (p->C < 1 || p->C > RN_CHANNELS_MAX || p->H < 1 || p->W < 1 || c->batch < 1) {
        return rn_fail(RN_EUSAGE, "batches of %d inputs of %dx%dx%d are not possible", c->batch,
                       p->C, p->H, p->W);
    }
    if (!rn_resize_parse(p->resize, &shorter, &crop)) {
        return rn_fail(RN_EUSAGE,
                       "\"%s\" is no way to resize a picture; squash and short=N,crop=M are",
                       p->resize);
    }
    if (crop && (p->H != crop || p->W != crop))
        return rn_fail(RN_EUSAGE, "%s does not give inputs of %dx%d", p->resize, p->H, p->W);
    if (c->shuffle && (!s->random || s->count > UINT32_MAX))
        return rn_fail(RN_EUSAGE, "%s: can be read in order only, not shuffled", s->path);
    return 0;
}

/* Pixels that the source brings are in memory already, and a random view is another every time. */
static bool keeps(const struct rn_loader *l)
{
    const struct rn_source *s = l->source;
    return l->config.keep && s->random && !s->C && l->config.augment.area == 0;
}

static int prepare(struct rn_loader *l)
{
    const struct rn_prep *p = &l->config.prep;
    size_t size, bytes;
    if (!rn_mul(&size, (size_t)p->H * (size_t)p->W, (size_t)p->C) || !rn_mul(&bytes, size, 4)) {
        return rn_fail(RN_EMEM, "inputs of %dx%dx%d do not fit the address space", p->C, p->H,
                       p->W);
    }
    l->slot = rn_alloc((size_t)l->ring, sizeof *l->slot);
    for (int i = 0; i < l->ring; i++)
        if (!l->slot || rn_slot_init(&l->slot[i], l->config.batch, size))
            return RN_EMEM;
    if (keeps(l) && rn_keep_init(&l->keep, l->source->count, size, l->config.keep))
        return RN_EMEM;
    if (l->config.shuffle) {
        l->order = rn_alloc((size_t)l->source->count, sizeof *l->order);
        if (!l->order)
            return RN_EMEM;
    }
    return 0;
}

int rn_loader_new(struct rn_loader **out, struct rn_source *s, const struct rn_loader_config *c)
{
    int status = check(s, c);
    struct rn_loader *l = status ? NULL : rn_alloc(1, sizeof *l);
    if (!l)
        return status ? status : RN_EMEM;
    l->source = s;
    l->config = *c;
    l->ring = 1 + c->ahead;
    l->end = true; /* until it is started */
    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->changed, NULL);
    status = prepare(l);
    status = status ? status : launch(l);
    if (status) {
        rn_loader_close(l);
        return status;
    }
    *out = l;
    return 0;
}

int rn_loader_open(struct rn_loader **out, struct rn_source *s, const struct rn_prep *prep,
                   int batch, int threads)
{
    struct rn_loader_config c = {
        .prep = *prep, .batch = batch, .ahead = AHEAD, .threads = threads
    };
    int status = rn_loader_new(out, s, &c);
    if (!status)
        rn_loader_start(*out, 0, 0);
    return status;
}

static void dismiss(struct rn_loader *l)
{
    pthread_mutex_lock(&l->mutex);
    l->quit = l->cancel = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->mutex);
    for (int i = 0; i < l->workers; i++) {
        pthread_join(l->worker[i].thread, NULL);
        rn_item_release(&l->worker[i].item);
        rn_developer_release(&l->worker[i].developer);
    }
    rn_free(l->worker);
}

void rn_loader_close(struct rn_loader *l)
{
    if (!l)
        return;
    dismiss(l);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->mutex);
    for (int i = 0; l->slot && i < l->ring; i++)
        rn_slot_release(&l->slot[i]);
    rn_free(l->slot);
    rn_keep_release(&l->keep);
    rn_free(l->order);
    rn_free(l);
}

/* ---- the caller's side ---- */

/* The epoch's permutation (Fisher and Yates, Durstenfeld 1964). */
static void shuffle(struct rn_loader *l, int epoch)
{
    uint32_t n = (uint32_t)l->source->count;
    struct rn_rng r;
    rn_rng_init(&r, l->config.seed, RN_RNG_SHUFFLE, (uint32_t)epoch, 0);
    for (uint32_t i = 0; i < n; i++)
        l->order[i] = i;
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = rn_rng_below(&r, i), v = l->order[j];
        l->order[j] = l->order[i - 1];
        l->order[i - 1] = v;
    }
}

void rn_loader_start(struct rn_loader *l, int epoch, long first)
{
    pthread_mutex_lock(&l->mutex);
    l->cancel = true;
    while (l->busy)
        pthread_cond_wait(&l->changed, &l->mutex);
    l->cancel = l->end = l->held = false;
    l->used = l->status = 0;
    l->waited = 0;
    l->epoch = epoch;
    l->position = first * l->config.batch;
    if (l->order)
        shuffle(l, epoch);
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->mutex);
}

/* Gives the caller's batch back to the ring and waits for the one behind it. NULL at the end. */
static struct rn_slot *advance(struct rn_loader *l)
{
    if (l->held) {
        l->held = false;
        l->first = (l->first + 1) % l->ring;
        l->used--;
        pthread_cond_broadcast(&l->changed);
    }
    struct rn_slot *s = &l->slot[l->first];
    double begin = rn_seconds();
    l->waiting = true;
    while (l->used ? !s->closed || s->pending : !l->end)
        pthread_cond_wait(&l->changed, &l->mutex);
    l->waiting = false;
    l->waited += rn_seconds() - begin;
    l->held = l->used > 0;
    return l->held ? s : NULL;
}

int rn_loader_next(struct rn_loader *l, struct rn_batch *b)
{
    *b = (struct rn_batch){ 0 };
    pthread_mutex_lock(&l->mutex);
    int status = 0;
    const struct rn_slot *s = advance(l);
    if (s)
        *b = (struct rn_batch){ s->n, s->x, s->label, s->index, s->name, s->error };
    else if (l->status)
        status = rn_fail(l->status, "%s", l->error);
    pthread_mutex_unlock(&l->mutex);
    return status;
}

double rn_loader_waited(const struct rn_loader *l)
{
    return l->waited;
}

/* The batch is the caller's: no worker looks at it. */
void rn_loader_compact(struct rn_loader *l, struct rn_batch *b)
{
    b->n = rn_slot_compact(&l->slot[l->first], b->n);
}
