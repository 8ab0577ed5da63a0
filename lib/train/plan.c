/* Units -> calls and buffers -> one arena. */
#include "train/plan.h"

#include <string.h>

#include "graph/layout.h"

/* A buffer that is wanted: how large, when, and where its address goes once there is an arena. */
struct want {
    size_t bytes;
    int first, last;
    void *at; /* a pointer variable */
};

struct planner {
    struct rn_trainer *t;
    struct want *want;
    size_t wants, room;
    int U; /* units */
    int status;
};

static void want(struct planner *p, size_t bytes, int first, int last, void *at)
{
    if (p->status || !bytes ||
        (p->status = rn_array_grow(&p->want, p->wants, &p->room, sizeof *p->want)))
        return;
    p->want[p->wants++] = (struct want){ bytes, first, last, at };
}

/* The step of unit i's backward. */
static int back(const struct planner *p, int i)
{
    return 2 * p->U - 1 - i;
}

/* ---- calls ---- */

static void init_op(struct planner *p, struct rn_train_op *o, const struct rn_node *n)
{
    o->op = n->op;
    o->call = (struct rn_call){ .node = n, .k = p->t->k, .training = true };
    for (int i = 0; i < n->params; i++)
        o->call.param[i] = rn_model_value(p->t->model, n, i);
    if (n->op == &rn_op_conv || n->op == &rn_op_linear) {
        rn_conv_plan(&o->conv, n, p->t->k, true);
        o->call.conv = &o->conv;
    }
}

static void init_unit(struct planner *p, int i)
{
    const struct rn_node *node = p->t->model->graph.node;
    const struct rn_unit *u = &p->t->units.unit[i];
    struct rn_train_unit *tu = &p->t->unit[i];

    if (u->main >= 0)
        init_op(p, &tu->main, &node[u->main]);
    if (u->bn >= 0 || u->main < 0)
        init_op(p, &tu->tail, &node[u->bn >= 0 ? u->bn : u->add >= 0 ? u->add : u->relu]);
    struct rn_call *last = tu->tail.op ? &tu->tail.call : &tu->main.call;
    last->relu = u->relu >= 0;
}

/* ---- buffers ---- */

static size_t tensor_bytes(const struct planner *p, const struct rn_node *n)
{
    return rn_shape_count(n->y) * (size_t)p->t->batch * sizeof(float);
}

static void want_saved(struct planner *p, struct rn_train_op *o, int i)
{
    if (o->op && o->op->saved)
        want(p, o->op->saved(o->call.node, p->t->batch), i, back(p, i), &o->call.saved);
}

/* The last unit that reads unit i: on the way back, the first to write its gradient. Itself: the
 * network's output. */
static int last_reader(const struct planner *p, int i)
{
    for (int j = p->U - 1; j > i; j--)
        if (p->t->units.unit[j].in == i || p->t->units.unit[j].residual == i)
            return j;
    return i;
}

static void want_unit(struct planner *p, int i)
{
    const struct rn_node *node = p->t->model->graph.node;
    const struct rn_unit *u = &p->t->units.unit[i];
    struct rn_train_unit *tu = &p->t->unit[i];
    struct rn_call *last = tu->tail.op ? &tu->tail.call : &tu->main.call;
    int reader = last_reader(p, i);

    want(p, tensor_bytes(p, &node[u->out]), i, back(p, i), &last->y);
    want(p, tensor_bytes(p, &node[u->out]), reader == i ? p->U - 1 : back(p, reader), back(p, i),
         &last->dy);
    if (tu->main.op && tu->tail.op)
        want(p, tensor_bytes(p, &node[u->main]), i, back(p, i), &tu->main.call.y);
    want_saved(p, &tu->main, i);
    want_saved(p, &tu->tail, i);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Scratch and packed weights are one buffer each, as large as the hungriest op needs. */
static void measure_op(const struct planner *p, const struct rn_train_op *o, size_t *scratch,
                       size_t *packed)
{
    if (o->op && o->op->scratch)
        *scratch = larger(*scratch, o->op->scratch(o->call.node, p->t->batch));
    for (int pass = 0; o->call.conv && pass < RN_PASSES; pass++) {
        *scratch = larger(
            *scratch, rn_conv_scratch(&o->conv, (enum rn_pass)pass, p->t->batch, p->t->threads));
        *packed = larger(*packed, rn_conv_packed(&o->conv, (enum rn_pass)pass));
    }
}

static void want_params(struct planner *p)
{
    const struct rn_graph *g = &p->t->model->graph;

    for (int i = 0; i < g->params; i++)
        if (g->param[i].trained) {
            size_t bytes = rn_param_count(&g->param[i]) * sizeof(float);
            want(p, bytes, 0, 2 * p->U - 1, &p->t->grad[i]);
            want(p, bytes, 0, 2 * p->U - 1, &p->t->velocity[i]);
        }
}

static void want_all(struct planner *p, void **scratch)
{
    size_t scratch_bytes = 0, packed_bytes = 0;

    for (int i = 0; i < p->U; i++) {
        init_unit(p, i);
        want_unit(p, i);
        measure_op(p, &p->t->unit[i].main, &scratch_bytes, &packed_bytes);
        measure_op(p, &p->t->unit[i].tail, &scratch_bytes, &packed_bytes);
    }
    want_params(p);
    want(p, scratch_bytes, 0, 2 * p->U - 1, scratch);
    want(p, packed_bytes, 0, 2 * p->U - 1, &p->t->packed);
    want(p, (size_t)p->t->batch * sizeof *p->t->loss, 0, 2 * p->U - 1, &p->t->loss);
}

/* *at = address, whatever at points to. */
static void put_address(void *at, void *address)
{
    memcpy(at, &address, sizeof address);
}

/* Lays the wanted buffers out; with an arena, tells each its address. */
static int place(struct planner *p)
{
    struct rn_span *span = rn_alloc(p->wants, sizeof *span);

    if (!span)
        return RN_EMEM;
    for (size_t i = 0; i < p->wants; i++)
        span[i] = (struct rn_span){ p->want[i].bytes, p->want[i].first, p->want[i].last, 0 };
    int status = rn_layout(span, (int)p->wants, &p->t->bytes);
    for (size_t i = 0; i < p->wants && !status && p->t->arena.base; i++)
        put_address(p->want[i].at, p->t->arena.base + span[i].offset);
    rn_free(span);
    return status;
}

/* ---- who reads and writes what ---- */

static struct rn_call *output_call(struct rn_trainer *t, int i)
{
    struct rn_train_unit *u = &t->unit[i];
    return u->tail.op ? &u->tail.call : &u->main.call;
}

static void link_gradients(struct rn_trainer *t, struct rn_train_op *o)
{
    const struct rn_node *n = o->call.node;

    for (int i = 0; i < n->params; i++)
        o->call.dparam[i] = t->grad[n->param + i];
}

/* The gradient buffer of unit i, and whether it has been written before (then the writer adds). */
static float *gradient_of(struct rn_trainer *t, int i, bool *written, bool *add)
{
    if (i < 0)
        return NULL;
    *add = written[i];
    written[i] = true;
    return output_call(t, i)->dy;
}

static void link_unit(struct rn_trainer *t, int i, void *scratch, bool *written)
{
    const struct rn_unit *u = &t->units.unit[i];
    struct rn_train_unit *tu = &t->unit[i];
    struct rn_call *last = output_call(t, i), *first = tu->main.op ? &tu->main.call : last;

    if (u->in >= 0)
        first->x = output_call(t, u->in)->y;
    if (u->residual >= 0)
        last->residual = output_call(t, u->residual)->y;
    if (first != last) { /* batch norm's dx replaces dy, in place: main's dy */
        last->x = first->y;
        first->dy = last->dx = last->dy;
    }
    last->dres = gradient_of(t, u->residual, written, &last->dres_add);
    first->dx = gradient_of(t, u->in, written, &first->dx_add);
    for (int j = 0; j < 2; j++) {
        struct rn_train_op *o = j ? &tu->tail : &tu->main;
        o->call.scratch = scratch;
        o->call.packed = t->packed;
        if (o->op)
            link_gradients(t, o);
    }
}

static int link_all(struct rn_trainer *t, void *scratch)
{
    bool *written = rn_alloc((size_t)t->units.units, sizeof *written);

    if (!written)
        return RN_EMEM;
    for (int i = t->units.units - 1; i >= 0; i--)
        link_unit(t, i, scratch, written);
    rn_free(written);
    return 0;
}

int rn_train_plan(struct rn_trainer *t)
{
    void *scratch = NULL;
    struct planner p = { .t = t, .U = t->units.units };

    want_all(&p, &scratch);
    int status = p.status ? p.status : place(&p);
    rn_free(p.want);
    if (!status && t->arena.base)
        status = link_all(t, scratch);
    return status;
}
