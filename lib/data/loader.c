/*
 * Batches in the background. One thread fills a ring of batches, the caller takes them in turn: the
 * ring's oldest batch is the caller's until the next call, the ones behind it wait, one is being
 * filled. Everything is allocated before the first batch.
 */
#include "data/loader.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/prep.h"
#include "base/rng.h"
#include "data/resize.h"

enum {
    RING = 3,
    NUMBER_SIZE = 24, /* bytes of "#INDEX" */
    PATIENCE_MS = 20  /* how long a pipe is listened to before looking up again */
};

struct slot {
    int n;
    float *x;    /* [batch][H][W][C] */
    int *label;  /* [batch] */
    char **name; /* [batch], each of name_size bytes, in one block */
};

struct rn_loader {
    struct rn_source *source;
    struct rn_loader_config config;
    size_t name_size;
    struct slot slot[RING];
    uint32_t *order;            /* [count], the epoch's permutation; NULL: as they come */
    struct rn_resizer *resizer; /* from pictures of H x W; NULL: they are as the view wants them */
    struct rn_view view;
    int H, W;
    uint8_t *pixel; /* [prep H][prep W][C], the resized picture */

    pthread_t thread;
    bool running; /* the thread exists */

    /* What the thread works through: its own while it is busy, the caller's while it is not. */
    int epoch;
    long position; /* the picture of the epoch that comes next */
    char error[RN_ERROR_SIZE];

    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t changed;
    int first, ready; /* ring: the oldest batch, how many are filled */
    bool held;        /* the oldest one is the caller's */
    bool busy;        /* the thread is filling the one behind the filled ones */
    bool waiting;     /* the caller waits for a batch */
    bool end;         /* nothing more to fill, for the reason in status */
    int status;
    bool cancel; /* drop what is being filled */
    bool quit;
};

/* ---- the thread ---- */

/* Makes pictures of H x W fit the network: once, where all are of one size and view. */
static int fit(struct rn_loader *l, int H, int W, struct rn_view v)
{
    const struct rn_prep *p = &l->config.prep;
    if (H == l->H && W == l->W && rn_view_same(&v, &l->view))
        return 0;
    rn_resizer_free(l->resizer);
    l->resizer = NULL;
    l->H = l->W = 0;
    if (!rn_view_is_whole(&v, H, W, p->H, p->W)) {
        int status = rn_resizer_view(&l->resizer, p->C, H, W, &v, p->H, p->W);
        if (status)
            return status;
    }
    l->view = v;
    l->H = H;
    l->W = W;
    return 0;
}

/* What is seen of a picture of H x W: by the prep, or by the dice. */
static struct rn_view view(const struct rn_loader *l, int H, int W, long index)
{
    const struct rn_loader_config *c = &l->config;
    return c->augment.area > 0
               ? rn_augment_view(&c->augment, &c->prep, H, W, c->seed, l->epoch, index)
               : rn_view_of(&c->prep, H, W);
}

/* Picture number `position` of the epoch into place n of the slot. Returns 1, 0 at the end, or a
 * status. */
static int load(struct rn_loader *l, struct slot *s, int n)
{
    const struct rn_loader_config *c = &l->config;
    struct rn_image im;
    if (l->order && l->position >= l->source->count)
        return 0;
    long index = l->order ? (long)l->order[l->position] : l->position;
    int got = rn_source_read(l->source, index, &im, &s->label[n]);
    if (got != 1)
        return got;
    if (im.C != c->prep.C) {
        return rn_fail(RN_EFORMAT, "%s: picture %ld has %d channels, the network takes %d",
                       l->source->path, index, im.C, c->prep.C);
    }
    int status = fit(l, im.H, im.W, view(l, im.H, im.W, index));
    if (status)
        return status;
    const uint8_t *pixel = im.pixel;
    if (l->resizer) {
        rn_resizer_run(l->resizer, im.pixel, l->pixel);
        pixel = l->pixel;
    }
    size_t size = (size_t)c->prep.H * (size_t)c->prep.W * (size_t)c->prep.C;
    struct rn_shift shift = rn_augment_draw(&c->augment, c->seed, l->epoch, index);
    rn_augment_apply(&c->prep, shift, pixel, s->x + (size_t)n * size);
    rn_source_name(l->source, index, s->name[n], l->name_size);
    l->position++;
    return 1;
}

static bool flagged(struct rn_loader *l, const bool *flag)
{
    pthread_mutex_lock(&l->mutex);
    bool set = *flag;
    pthread_mutex_unlock(&l->mutex);
    return set;
}

/* Waits until the source can give its next picture. False: go no further with this batch, as it was
 * cancelled or as the caller waits for the pictures that it has already. */
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

/* Fills a batch. Returns 1, 0 when the epoch ended in it, or the status that ended it. */
static int fill(struct rn_loader *l, struct slot *s)
{
    int got = 1;
    for (s->n = 0; s->n < l->config.batch && await_source(l, s->n); s->n++) {
        got = load(l, s, s->n);
        if (got != 1)
            break;
    }
    return got;
}

/* With the mutex held: fills the next slot without it. */
static void fill_next(struct rn_loader *l)
{
    struct slot *s = &l->slot[(l->first + l->ready) % RING];
    l->busy = true;
    pthread_mutex_unlock(&l->mutex);
    int got = fill(l, s);
    if (got < 0)
        strcpy(l->error, rn_error());
    pthread_mutex_lock(&l->mutex);
    l->busy = false;
    if (!l->cancel) {
        l->ready += s->n > 0;
        l->end = got != 1;
        l->status = got < 0 ? got : 0;
    }
    pthread_cond_broadcast(&l->changed);
}

static void *prefetch(void *arg)
{
    struct rn_loader *l = arg;
    pthread_mutex_lock(&l->mutex);
    while (!l->quit)
        if (l->end || l->cancel || l->ready == RING)
            pthread_cond_wait(&l->changed, &l->mutex);
        else
            fill_next(l);
    pthread_mutex_unlock(&l->mutex);
    return NULL;
}

/* Signals are for the thread that runs the loop, which looks at them between batches. */
static int launch(struct rn_loader *l)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(&l->thread, NULL, prefetch, l);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error)
        return rn_fail(RN_EMEM, "no thread for reading ahead: %s", strerror(error));
    l->running = true;
    return 0;
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

static int slot_init(struct rn_loader *l, struct slot *s, size_t size)
{
    size_t batch = (size_t)l->config.batch;
    s->x = rn_alloc(batch, size * sizeof *s->x);
    s->label = rn_alloc(batch, sizeof *s->label);
    s->name = rn_alloc(batch, sizeof *s->name + l->name_size);
    if (!s->x || !s->label || !s->name)
        return RN_EMEM;
    char *text = (char *)(s->name + batch);
    for (size_t i = 0; i < batch; i++)
        s->name[i] = text + i * l->name_size;
    return 0;
}

static int prepare(struct rn_loader *l)
{
    const struct rn_prep *p = &l->config.prep;
    struct rn_source *s = l->source;
    size_t size, bytes;
    if (!rn_mul(&size, (size_t)p->H * (size_t)p->W, (size_t)p->C) || !rn_mul(&bytes, size, 4)) {
        return rn_fail(RN_EMEM, "inputs of %dx%dx%d do not fit the address space", p->C, p->H,
                       p->W);
    }
    for (int i = 0; i < RING; i++)
        if (slot_init(l, &l->slot[i], size))
            return RN_EMEM;
    l->pixel = rn_alloc(size, 1);
    if (!l->pixel)
        return RN_EMEM;
    if (l->config.shuffle) {
        l->order = rn_alloc((size_t)s->count, sizeof *l->order);
        if (!l->order)
            return RN_EMEM;
    }
    return s->H ? fit(l, s->H, s->W, rn_view_of(p, s->H, s->W)) : 0;
}

int rn_loader_new(struct rn_loader **out, struct rn_source *s, const struct rn_loader_config *c)
{
    int status = check(s, c);
    struct rn_loader *l = status ? NULL : rn_alloc(1, sizeof *l);
    if (!l)
        return status ? status : RN_EMEM;
    l->source = s;
    l->config = *c;
    l->name_size = strlen(s->path) + NUMBER_SIZE;
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
                   int batch)
{
    struct rn_loader_config c = { .prep = *prep, .batch = batch };
    int status = rn_loader_new(out, s, &c);
    if (!status)
        rn_loader_start(*out, 0, 0);
    return status;
}

void rn_loader_close(struct rn_loader *l)
{
    if (!l)
        return;
    if (l->running) {
        pthread_mutex_lock(&l->mutex);
        l->quit = l->cancel = true;
        pthread_cond_broadcast(&l->changed);
        pthread_mutex_unlock(&l->mutex);
        pthread_join(l->thread, NULL);
    }
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->mutex);
    for (int i = 0; i < RING; i++) {
        rn_free(l->slot[i].x);
        rn_free(l->slot[i].label);
        rn_free(l->slot[i].name);
    }
    rn_resizer_free(l->resizer);
    rn_free(l->order);
    rn_free(l->pixel);
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
    l->ready = l->status = 0;
    l->epoch = epoch;
    l->position = first * l->config.batch;
    if (l->order)
        shuffle(l, epoch);
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->mutex);
}

/* Gives the caller's batch back to the ring and waits for the one behind it. Returns false at the
 * end. */
static bool advance(struct rn_loader *l)
{
    if (l->held) {
        l->held = false;
        l->first = (l->first + 1) % RING;
        l->ready--;
        pthread_cond_broadcast(&l->changed);
    }
    l->waiting = true;
    while (!l->ready && !l->end)
        pthread_cond_wait(&l->changed, &l->mutex);
    l->waiting = false;
    l->held = l->ready > 0;
    return l->held;
}

int rn_loader_next(struct rn_loader *l, struct rn_batch *b)
{
    *b = (struct rn_batch){ 0 };
    pthread_mutex_lock(&l->mutex);
    int status = 0;
    if (advance(l)) {
        const struct slot *s = &l->slot[l->first];
        *b = (struct rn_batch){ s->n, s->x, s->label, (const char *const *)s->name };
    } else if (l->status) {
        status = rn_fail(l->status, "%s", l->error);
    }
    pthread_mutex_unlock(&l->mutex);
    return status;
}
