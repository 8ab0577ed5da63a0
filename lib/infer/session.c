/* Running a compiled model: one parallel region for a batch. */
#include "infer/session.h"

#include <omp.h>

#include "base/err.h"
#include "ops/team.h"
#include "weights/modelfile.h"

/* A session of m; w and path as for rn_session_load(). */
static int new_session(struct rn_session **out, const struct rn_model *m, int batch, int threads,
                       const struct rn_weights *w, const char *path)
{
    struct rn_session *s = rn_alloc(1, sizeof *s);
    int status = s ? 0 : RN_EMEM;

    *out = NULL;
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
    rn_free(s->step);
    rn_units_release(&s->units);
    rn_graph_release(&s->graph);
    rn_free(s);
}

int rn_session_bytes(const struct rn_model *m, int batch, int threads, size_t *bytes)
{
    struct rn_session *s = rn_alloc(1, sizeof *s);
    int status = s ? rn_session_plan(s, m, batch, threads) : RN_EMEM;

    *bytes = status ? 0 : s->bytes;
    rn_session_free(s);
    return status;
}

/* A part of a batch, and who works on it. */
struct slice {
    const float *x;
    float *logits;
    int n;
    int thread, threads;     /* of those that work on it */
    char *scratch, *outputs; /* of the slice */
    size_t room;             /* pictures */
};

/* What unit `from` gives, -1: the network's input. */
static const float *output(const struct rn_session *s, const struct slice *of, int from)
{
    return from < 0 ? of->x : (const float *)(of->outputs + s->step[from].y * of->room);
}

static void run_slice(const struct rn_session *s, const struct slice *of)
{
    for (int i = 0; i < s->units.units; i++) {
        const struct rn_unit *u = &s->units.unit[i];
        struct rn_call call = s->step[i].call;
        call.N = of->n;
        call.x = output(s, of, u->in);
        call.residual = u->add >= 0 ? output(s, of, u->residual) : NULL;
        call.y = i + 1 < s->units.units ? (float *)output(s, of, i) : of->logits;
        call.scratch = of->scratch;
        s->step[i].op->forward(&call, of->thread, of->threads);
        if (of->threads > 1)
            rn_barrier();
    }
}

/* The pictures of r, in slices of one size, as far as that goes. */
static void run_slices(const struct rn_session *s, struct slice of, struct rn_range r)
{
    size_t n = r.last - r.first, slices = rn_divide_up(n, of.room);
    const float *x = of.x;
    float *logits = of.logits;

    for (size_t i = 0; i < slices; i++) {
        struct rn_range part = rn_share(n, (int)i, (int)slices);
        of.x = x + (r.first + part.first) * s->pixels;
        of.logits = logits + (r.first + part.first) * (size_t)s->classes;
        of.n = (int)(part.last - part.first);
        run_slice(s, &of);
    }
}

/* One thread's part of a batch. */
static void run_thread(const struct rn_session *s, struct slice of, int n, int thread, int threads)
{
    size_t each = (size_t)(s->room / s->threads), me = (size_t)thread;

    if (n / s->threads < s->alone || s->threads == 1) {
        of.thread = thread;
        of.threads = threads;
        of.room = (size_t)s->room;
        run_slices(s, of, (struct rn_range){ 0, (size_t)n });
    } else {
        of.thread = 0;
        of.threads = 1;
        of.room = each;
        of.scratch += me * s->scratch_alone;
        of.outputs += me * each * s->outputs_bytes;
        run_slices(s, of, rn_share((size_t)n, thread, threads));
    }
}

void rn_session_run(struct rn_session *s, const float *x, int n, float *logits)
{
    struct slice all = { .x = x, .logits = logits };

    all.scratch = s->arena.base + s->scratch;
    all.outputs = s->arena.base + s->outputs;
#pragma omp parallel num_threads(s->threads)
    run_thread(s, all, n, omp_get_thread_num(), omp_get_num_threads());
}
