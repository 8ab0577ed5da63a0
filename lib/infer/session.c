/* Running a compiled model: one parallel region for a batch. */
#include "infer/session.h"

#include <omp.h>
#include <string.h>

#include "base/err.h"
#include "weights/modelfile.h"

/* A session of m; w and path as for rn_session_load(). */
static int new_session(struct rn_session **out, const struct rn_model *m, int batch, int threads,
                       const struct rn_weights *w, const char *path)
{
    struct rn_session *s = rn_alloc(1, sizeof *s);
    int status = s ? 0 : RN_EMEM;

    *out = NULL;
    if (!status && m->spec.single)
        status = rn_fail(RN_EUSAGE, "%s: a single block has no classes to tell apart", m->text);
    if (!status)
        status = rn_session_plan(s, m, batch, threads);
    if (!status)
        status = rn_session_load(s, m, w, path);
    if (status) {
        rn_session_free(s);
        return status;
    }
    *out = s;
    return 0;
}

int rn_session_new(struct rn_session **out, const struct rn_model *m, int batch, int threads)
{
    return new_session(out, m, batch, threads, NULL, NULL);
}

int rn_session_open(struct rn_session **out, struct rn_model **model, const char *path, int batch,
                    int threads)
{
    struct rn_weights *w;
    int status = rn_weights_read(&w, path);

    *out = NULL;
    *model = NULL;
    if (!status)
        status = rn_model_borrow(model, w, path);
    if (!status)
        status = new_session(out, *model, batch, threads, w, path);
    rn_weights_close(w);
    if (status) {
        rn_model_free(*model);
        *model = NULL;
    }
    return status;
}

void rn_session_free(struct rn_session *s)
{
    if (!s)
        return;
    rn_arena_release(&s->arena);
    rn_free(s->todo);
    rn_free(s->mirrored);
    rn_free(s->second);
    rn_free(s->step);
    rn_units_release(&s->units);
    rn_graph_release(&s->graph);
    rn_free(s);
}

int rn_session_bytes(const struct rn_model *m, int batch, int threads, size_t *bytes)
{
    struct rn_session *s = rn_alloc(1, sizeof *s);
    int status = s ? rn_session_plan(s, m, batch, threads) : RN_EMEM;

    *bytes = status ? 0 : s->size;
    rn_session_free(s);
    return status;
}

/* A part of a batch, and who works on it. */
struct slice {
    const float *x;
    float *logits;
    int n;
    int thread, threads;            /* of those that work on it */
    char *scratch, *near, *outputs; /* its own */
    size_t room, near_room;         /* pictures */
    size_t first;                   /* picture among those of the outputs, not of the near ones */
};

/* What unit `from` gives, -1: the network's input. */
static const float *output(const struct rn_session *s, const struct slice *of, int from)
{
    if (from < 0)
        return of->x;
    const struct rn_step *step = &s->step[from];
    return (const float *)(step->near ? of->near + step->y * of->near_room
                                      : of->outputs + step->y * of->room + step->bytes * of->first);
}

static void run_units(const struct rn_session *s, const struct slice *of, int first, int last)
{
    for (int i = first; i < last; i++) {
        const struct rn_unit *u = &s->units.unit[i];
        struct rn_call call = s->step[i].call;
        call.N = of->n;
        call.x = output(s, of, u->in);
        if (u->add >= 0 || u->residual >= 0)
            call.residual = output(s, of, u->residual);
        call.y = i + 1 < s->units.units ? (float *)output(s, of, i) : of->logits;
        call.scratch = of->scratch;
        s->step[i].op->forward(&call, of->thread, of->threads);
        if (of->threads > 1)
            rn_barrier();
        if (s->watch)
            s->watch(s->watcher, i, call.y);
    }
}

/* Pictures r of a slice or batch. */
static struct slice part(const struct rn_session *s, const struct slice *of, struct rn_range r)
{
    struct slice p = *of;
    p.x += r.first * s->pixels;
    p.logits += r.first * (size_t)s->classes;
    p.n = (int)(r.last - r.first);
    return p;
}

static void run_slice(const struct rn_session *s, const struct slice *of)
{
    size_t n = (size_t)of->n, parts = s->cut ? rn_divide_up(n, of->near_room) : 0;

    for (size_t i = 0; i < parts; i++) {
        struct rn_range r = rn_share(n, (int)i, (int)parts);
        struct slice few = part(s, of, r);
        few.first = r.first;
        run_units(s, &few, 0, s->cut);
    }
    run_units(s, of, s->cut, s->units.units);
}

/* A batch in slices of one size, as far as that goes, by a team. */
static void run_together(const struct rn_session *s, struct slice batch, int thread, int threads)
{
    size_t n = (size_t)batch.n, slices = rn_divide_up(n, batch.room);

    batch.thread = thread;
    batch.threads = threads;
    for (size_t i = 0; i < slices; i++) {
        struct slice of = part(s, &batch, rn_share(n, (int)i, (int)slices));
        run_slice(s, &of);
    }
}

/* Those pictures of a batch that one of its threads gets to. */
static void run_alone(const struct rn_session *s, struct slice batch, int thread, int threads)
{
    size_t me = (size_t)thread, team = (size_t)s->threads;
    struct rn_work work;
    struct rn_range r;

    batch.thread = 0;
    batch.threads = 1;
    batch.room /= team;
    batch.near_room /= team;
    batch.scratch += me * s->scratch_alone;
    batch.outputs += me * batch.room * s->bytes;
    batch.near += me * batch.near_room * s->near_bytes;
    work = rn_work_begin(s->todo, (size_t)batch.n, 1, batch.room, thread, threads);
    while (rn_work_next(&work, &r)) {
        struct slice of = part(s, &batch, r);
        run_slice(s, &of);
    }
}

static void run_thread(const struct rn_session *s, const struct slice *batch, int thread,
                       int threads)
{
    bool alone = s->threads > 1 && batch->n / s->threads >= s->alone;
    rn_team_join(s->todo, thread);
    (alone ? run_alone : run_together)(s, *batch, thread, threads);
}

static void run_batch(struct rn_session *s, const float *x, int n, float *logits)
{
    struct slice all = { .x = x, .logits = logits, .n = n };

    all.room = (size_t)s->room;
    all.near_room = (size_t)s->near_room;
    all.scratch = s->arena.base + s->scratch;
    all.near = s->arena.base + s->near;
    all.outputs = s->arena.base + s->outputs;
#pragma omp parallel num_threads(s->threads)
    run_thread(s, &all, omp_get_thread_num(), omp_get_num_threads());
}

/* ---- pictures and their mirror images ---- */

int rn_session_mirror(struct rn_session *s)
{
    rn_free(s->mirrored);
    rn_free(s->second);
    s->mirrored = rn_alloc((size_t)s->batch * s->pixels, sizeof *s->mirrored);
    s->second = rn_alloc((size_t)s->batch * (size_t)s->classes, sizeof *s->second);
    return s->mirrored && s->second ? 0 : RN_EMEM;
}

/* n pictures of shape `in`, left and right exchanged. */
static void mirror(float *y, const float *x, int n, struct rn_shape in)
{
    size_t C = (size_t)in.C, W = (size_t)in.W, rows = (size_t)n * (size_t)in.H;

    for (size_t row = 0; row < rows; row++, x += W * C, y += W * C)
        for (size_t w = 0; w < W; w++)
            memcpy(y + (W - 1 - w) * C, x + w * C, C * sizeof *y);
}

void rn_session_run(struct rn_session *s, const float *x, int n, float *logits)
{
    run_batch(s, x, n, logits);
    if (!s->mirrored)
        return;
    mirror(s->mirrored, x, n, s->graph.node[0].y);
    run_batch(s, s->mirrored, n, s->second);
    for (size_t i = 0; i < (size_t)n * (size_t)s->classes; i++)
        logits[i] = (logits[i] + s->second[i]) / 2;
}
