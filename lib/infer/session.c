/* Running a compiled model: one parallel region for a batch, a barrier between units. */
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

void rn_session_run(struct rn_session *s, const float *x, int n, float *logits)
{
    struct rn_step *last = &s->step[s->units.units - 1];

    for (int i = 0; i < s->units.units; i++) {
        struct rn_call *call = &s->step[i].call;
        call->N = n;
        if (s->units.unit[i].in < 0)
            call->x = x;
        if (s->units.unit[i].add >= 0 && s->units.unit[i].residual < 0)
            call->residual = x;
    }
#pragma omp parallel num_threads(s->threads)
    {
        int thread = omp_get_thread_num(), threads = omp_get_num_threads();
        for (int i = 0; i < s->units.units; i++) {
            s->step[i].op->forward(&s->step[i].call, thread, threads);
#pragma omp barrier
        }
    }
    memcpy(logits, last->call.y, (size_t)n * (size_t)s->classes * sizeof *logits);
}
