/* Running a step: one parallel region from forward to SGD, barriers between ops. */
#include "train/step.h"

#include <assert.h>
#include <omp.h>

#include "base/err.h"
#include "ops/loss.h"
#include "train/plan.h"

static int trainer_init(struct rn_trainer *t, struct rn_model *m, int batch, int threads)
{
    size_t params = (size_t)m->graph.params;
    int status;

    t->model = m;
    t->batch = batch;
    t->threads = threads;
    t->k = rn_kernels_get();
    if ((status = rn_units_init(&t->units, &m->graph)))
        return status;
    t->unit = rn_alloc((size_t)t->units.units, sizeof *t->unit);
    t->grad = rn_alloc(params, sizeof *t->grad);
    t->velocity = rn_alloc(params, sizeof *t->velocity);
    t->todo = rn_alloc((size_t)threads, sizeof *t->todo);
    if (!t->unit || !t->grad || !t->velocity || !t->todo)
        return RN_EMEM;
    return rn_train_plan(t);
}

/* Can this network be trained on batches of this size? */
static int check_trainable(const struct rn_model *m, int batch)
{
    if (m->spec.single)
        return rn_fail(RN_EUSAGE, "%s: a single block has no classes to be trained on", m->text);
    for (int i = 0; i < m->graph.nodes; i++) {
        const struct rn_node *n = &m->graph.node[i];
        if (n->op == &rn_op_bn && batch == 1 && n->y.H == 1 && n->y.W == 1)
            return rn_fail(RN_EUSAGE,
                           "%s: batch norm over one value: pictures of %dx%d end in one pixel here "
                           "and the batch is 1",
                           n->name, m->prep.H, m->prep.W);
    }
    return 0;
}

int rn_trainer_new(struct rn_trainer **out, struct rn_model *m, int batch, int threads)
{
    struct rn_trainer *t = rn_alloc(1, sizeof *t);
    int status = t ? check_trainable(m, batch) : RN_EMEM;

    *out = NULL;
    if (!status)
        status = trainer_init(t, m, batch, threads);
    if (!status)
        status = rn_arena_init(&t->arena, t->bytes);
    if (!status)
        status = rn_train_plan(t);
    if (status) {
        rn_trainer_free(t);
        return status;
    }
    *out = t;
    return 0;
}

void rn_trainer_free(struct rn_trainer *t)
{
    if (!t)
        return;
    rn_arena_release(&t->arena);
    rn_units_release(&t->units);
    rn_free(t->unit);
    rn_free(t->grad);
    rn_free(t->velocity);
    rn_free(t->keep);
    rn_free(t->todo);
    rn_free(t);
}

int rn_trainer_bytes(const struct rn_model *m, int batch, int threads, size_t *bytes)
{
    struct rn_trainer *t = rn_alloc(1, sizeof *t);
    struct rn_model shared = *m; /* planning only reads it */
    int status = t ? trainer_init(t, &shared, batch, threads) : RN_EMEM;

    *bytes = status ? 0 : t->bytes;
    rn_trainer_free(t);
    return status;
}

/* ---- one step, by one thread of the team ---- */

/* The team has met: what it did since it last met was this phase. */
static void meet(struct rn_trainer *t, enum rn_phase phase, int thread)
{
    rn_barrier();
    if (thread > 0 || !t->spent)
        return;
    double now = rn_seconds();
    t->spent[phase] += now - t->lap;
    t->lap = now;
}

struct rn_call rn_train_call(const struct rn_train_op *o, enum rn_pass pass, char *work)
{
    struct rn_call c = o->call;

    c.packed = work;
    c.scratch = c.conv ? work + rn_align(rn_conv_packed(c.conv, pass)) : work;
    return c;
}

static void pack(const struct rn_call *c, enum rn_pass pass, char *work, int thread, int threads)
{
    rn_conv_pack(c->conv, pass, c->param[0], c->param[1], work, thread, threads);
    rn_barrier();
}

static void forward_op(struct rn_trainer *t, const struct rn_train_op *o, char *work, int thread,
                       int threads)
{
    if (!o->op)
        return;
    struct rn_call c = rn_train_call(o, RN_FORWARD, work);
    if (c.conv)
        pack(&c, RN_FORWARD, work, thread, threads);
    o->op->forward(&c, thread, threads);
    meet(t, o->op == &rn_op_bn ? RN_PHASE_NORM : RN_PHASE_FORWARD, thread);
}

/* Both gradients of a convolution or linear layer, one behind the other: they share the memory. */
static void backward_conv(struct rn_trainer *t, const struct rn_train_op *o, char *work, int thread,
                          int threads)
{
    struct rn_call weights = rn_train_call(o, RN_BACKWARD_WEIGHTS, work);
    weights.dx = NULL;
    o->op->backward(&weights, thread, threads);
    meet(t, RN_PHASE_BACKWARD_WEIGHTS, thread);
    if (!o->call.dx)
        return;
    struct rn_call data = rn_train_call(o, RN_BACKWARD_DATA, work);
    pack(&data, RN_BACKWARD_DATA, work, thread, threads);
    rn_conv_backward_data(&data, thread, threads);
    meet(t, RN_PHASE_BACKWARD_DATA, thread);
}

static void backward_op(struct rn_trainer *t, const struct rn_train_op *o, char *work, int thread,
                        int threads)
{
    if (!o->op)
        return;
    if (o->call.conv) {
        backward_conv(t, o, work, thread, threads);
        return;
    }
    struct rn_call c = rn_train_call(o, RN_BACKWARD_DATA, work);
    o->op->backward(&c, thread, threads);
    meet(t, o->op == &rn_op_bn ? RN_PHASE_NORM : RN_PHASE_BACKWARD_DATA, thread);
}

static void move_params(struct rn_trainer *t, const struct rn_sgd *sgd, int thread, int threads)
{
    const struct rn_graph *g = &t->model->graph;

    for (int i = 0; i < g->params; i++) {
        if (!g->param[i].trained)
            continue;
        struct rn_range r = rn_share(rn_param_count(&g->param[i]), thread, threads);
        float *w = t->model->value[i], *v = sgd->momentum != 0 ? t->velocity[i] + r.first : NULL;
        bool spared = sgd->weights_only && g->param[i].rank < 2;
        t->k->sgd(w + r.first, v, t->grad[i] + r.first, r.last - r.first, (float)sgd->lr,
                  (float)sgd->momentum, sgd->nesterov, spared ? 0 : (float)sgd->weight_decay);
    }
}

static void run_thread(struct rn_trainer *t, const int *label, int n, const struct rn_sgd *sgd,
                       int thread, int threads)
{
    int U = t->units.units;
    const struct rn_call *out = &t->unit[U - 1].main.call; /* the classifier */

    rn_team_join(t->todo, thread);
    for (int i = 0; i < U; i++) {
        struct rn_train_unit *u = &t->unit[i];
        forward_op(t, &u->main, u->work[0], thread, threads);
        forward_op(t, &u->tail, u->work[0], thread, threads);
    }
    rn_cross_entropy_grad(out->y, label, n, t->model->spec.classes, t->smoothing, 1.0 / n, t->loss,
                          out->dy, thread, threads);
    meet(t, RN_PHASE_FORWARD, thread);
    for (int i = U - 1; i >= 0; i--) {
        struct rn_train_unit *u = &t->unit[i];
        backward_op(t, &u->tail, u->work[1], thread, threads);
        backward_op(t, &u->main, u->work[1], thread, threads);
    }
    if (!sgd)
        return;
    move_params(t, sgd, thread, threads);
    meet(t, RN_PHASE_STEP, thread);
}

/* The network's input and the size of this batch, where calls need them. */
static void feed(struct rn_trainer *t, const float *x, int n)
{
    for (int i = 0; i < t->units.units; i++) {
        const struct rn_unit *u = &t->units.unit[i];
        struct rn_train_unit *tu = &t->unit[i];
        struct rn_call *first = tu->main.op ? &tu->main.call : &tu->tail.call;
        struct rn_call *last = tu->tail.op ? &tu->tail.call : &tu->main.call;
        tu->main.call.N = tu->tail.call.N = n;
        if (u->in < 0)
            first->x = x;
        if (u->add >= 0 && u->residual < 0)
            last->residual = x;
    }
}

double rn_trainer_run(struct rn_trainer *t, const float *x, const int *label, int n,
                      const struct rn_sgd *sgd)
{
    double sum = 0;

    assert(n >= 1 && n <= t->batch);
    feed(t, x, n);
    t->lap = rn_seconds();
#pragma omp parallel num_threads(t->threads)
    run_thread(t, label, n, sgd, omp_get_thread_num(), omp_get_num_threads());
    for (int i = 0; i < n; i++)
        sum += t->loss[i];
    return sum / n;
}

void rn_trainer_measure(struct rn_trainer *t, double seconds[RN_PHASES])
{
    t->spent = seconds;
}

double rn_trainer_step(struct rn_trainer *t, const float *x, const int *label, int n, double lr,
                       double momentum, bool nesterov, double weight_decay)
{
    struct rn_sgd sgd = { lr, momentum, weight_decay, nesterov, false };
    return rn_trainer_run(t, x, label, n, &sgd);
}
