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
    o->call = (struct rn_call){ .node = n, .k = p->t->k, .training = true, .todo = p->t->todo };
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

/* What backward of an op reads; u: the unit whose epilogue it has, or NULL. */
static int op_reads(const struct rn_op *op, const struct rn_unit *u)
{
    return op->reads ? op->reads(u && u->add >= 0, u && u->relu >= 0) : 0;
}

static int last_reads(const struct planner *p, int i)
{
    const struct rn_train_unit *tu = &p->t->unit[i];
    return op_reads(tu->tail.op ? tu->tail.op : tu->main.op, &p->t->units.unit[i]);
}

static int first_reads(const struct planner *p, int i)
{
    const struct rn_train_unit *tu = &p->t->unit[i];
    return tu->main.op && tu->tail.op ? op_reads(tu->main.op, NULL) : last_reads(p, i);
}

/* The last step that reads unit i's output. */
static int last_read(const struct planner *p, int i)
{
    int step = i;

    if (last_reads(p, i) & RN_READS_Y)
        return back(p, i);
    for (int j = p->U - 1; j > i; j--) {
        const struct rn_unit *u = &p->t->units.unit[j];
        if ((u->in == i && first_reads(p, j) & RN_READS_X) ||
            (u->residual == i && last_reads(p, j) & RN_READS_RESIDUAL))
            step = back(p, j);
        else if (step < j && (u->in == i || u->residual == i))
            step = j;
    }
    return step;
}

static void want_saved(struct planner *p, struct rn_train_op *o, int i)
{
    if (o->op && o->op->saved)
        want(p, o->op->saved(o->call.node, p->t->batch), i, back(p, i), &o->call.saved);
}

/* An op's gradients are made on its way back and wait for SGD, the last thing in a step. */
static void want_params(struct planner *p, const struct rn_train_op *o, int i)
{
    const struct rn_graph *g = &p->t->model->graph;

    for (int j = 0; o->op && j < o->call.node->params; j++) {
        int param = o->call.node->param + j;
        size_t bytes = rn_param_count(&g->param[param]) * sizeof(float);
        if (!g->param[param].trained)
            continue;
        want(p, bytes, back(p, i), 2 * p->U - 1, &p->t->grad[param]);
        want(p, bytes, 0, 2 * p->U - 1, &p->t->velocity[param]);
    }
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

    want(p, tensor_bytes(p, &node[u->out]), i, last_read(p, i), &last->y);
    want(p, tensor_bytes(p, &node[u->out]), reader == i ? p->U - 1 : back(p, reader), back(p, i),
         &last->dy);
    if (tu->main.op && tu->tail.op)
        want(p, tensor_bytes(p, &node[u->main]), i, last_reads(p, i) & RN_READS_X ? back(p, i) : i,
             &tu->main.call.y);
    want_saved(p, &tu->main, i);
    want_saved(p, &tu->tail, i);
    want_params(p, &tu->main, i);
    want_params(p, &tu->tail, i);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* What op o takes on top of its tensors: scratch, and before it the weights packed for the pass. */
static size_t work_bytes(const struct planner *p, const struct rn_train_op *o, enum rn_pass pass)
{
    size_t scratch = o->op->scratch ? o->op->scratch(o->call.node, p->t->batch) : 0;

    if (!o->call.conv)
        return scratch;
    scratch = larger(scratch, rn_conv_scratch(&o->conv, pass, p->t->batch, p->t->threads));
    return rn_align(rn_conv_packed(&o->conv, pass)) + scratch;
}

/* Its ops and passes run one behind the other. */
static void want_work(struct planner *p, int i)
{
    struct rn_train_unit *tu = &p->t->unit[i];
    size_t forward = 0, backward = 0;

    for (int j = 0; j < 2; j++) {
        const struct rn_train_op *o = j ? &tu->tail : &tu->main;
        if (!o->op)
            continue;
        forward = larger(forward, work_bytes(p, o, RN_FORWARD));
        backward = larger(backward, work_bytes(p, o, RN_BACKWARD_DATA));
        backward = larger(backward, work_bytes(p, o, RN_BACKWARD_WEIGHTS));
    }
    want(p, forward, i, i, &tu->work[0]);
    want(p, backward, back(p, i), back(p, i), &tu->work[1]);
}

static void want_all(struct planner *p)
{
    for (int i = 0; i < p->U; i++)
        init_unit(p, i);
    for (int i = 0; i < p->U; i++) {
        want_unit(p, i);
        want_work(p, i);
    }
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

static void link_unit(struct rn_trainer *t, int i, bool *written)
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
    if (tu->main.op)
        link_gradients(t, &tu->main);
    if (tu->tail.op)
        link_gradients(t, &tu->tail);
}

static int link_all(struct rn_trainer *t)
{
    bool *written = rn_alloc((size_t)t->units.units, sizeof *written);

    if (!written)
        return RN_EMEM;
    for (int i = t->units.units - 1; i >= 0; i--)
        link_unit(t, i, written);
    rn_free(written);
    return 0;
}

int rn_train_plan(struct rn_trainer *t)
{
    struct planner p = { .t = t, .U = t->units.units };

    want_all(&p);
    int status = p.status ? p.status : place(&p);
    rn_free(p.want);
    if (!status && t->arena.base)
        status = link_all(t);
    return status;
}
