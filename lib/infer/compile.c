/* From a model to the steps of a session: batch norm folded, bias, add and ReLU fused, buffers
 * placed by their liveness. */
#include "base/err.h"
#include "graph/layout.h"
#include "infer/session.h"
#include "kernels/kernels.h"

enum {
    SLICE = 16,           /* pictures for each thread: the weights are read once for them */
    MACS_A_BYTE = 64,     /* of weights, that make it worth reading them */
    NEAR_BYTES = 4 << 20, /* of outputs, that stay in the cache of a thread, about */
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Pictures whose arithmetic outweighs the reading of the weights. */
static int pictures_worth(const struct rn_graph *g, size_t weight_bytes)
{
    uint64_t macs = 1;
    for (int i = 0; i < g->nodes; i++)
        macs += g->node[i].macs;
    return 1 + (int)((uint64_t)weight_bytes * MACS_A_BYTE / macs);
}

/* The node whose op runs the unit: what it can't fuse into itself has no other part. */
static int runner(const struct rn_unit *u)
{
    return u->main >= 0 ? u->main : u->bn >= 0 ? u->bn : u->add >= 0 ? u->add : u->relu;
}

static void init_step(struct rn_session *s, int i, const struct rn_kernels *k)
{
    const struct rn_unit *u = &s->units.unit[i];
    struct rn_step *step = &s->step[i];
    const struct rn_node *n = &s->graph.node[runner(u)];

    step->op = n->op;
    step->call = (struct rn_call){ .node = n, .k = k, .relu = u->relu >= 0, .todo = s->todo };
    if (rn_step_has_conv(step)) {
        rn_conv_plan(&step->conv, n, k, false);
        step->call.conv = &step->conv;
    }
}

/* Bytes of folded weights: packed ones, or scale and shift of a batch norm alone. */
static size_t packed_bytes(const struct rn_step *step)
{
    if (rn_step_has_conv(step))
        return rn_conv_packed(&step->conv, RN_FORWARD);
    return step->op == &rn_op_bn ? 2 * (size_t)step->call.node->y.C * sizeof(float) : 0;
}

static size_t scratch_bytes(const struct rn_step *step, int pictures, int threads)
{
    if (rn_step_has_conv(step))
        return rn_align(rn_conv_scratch(&step->conv, RN_FORWARD, pictures, threads));
    return step->op->scratch ? rn_align(step->op->scratch(step->call.node, pictures)) : 0;
}

/* A unit's output lives until the last unit that reads it. The last unit's goes to the caller. */
static void make_spans(struct rn_session *s, struct rn_span *span)
{
    int units = s->units.units;

    for (int i = 0; i < units; i++) {
        const struct rn_unit *u = &s->units.unit[i];
        size_t floats = i + 1 < units ? rn_shape_count(s->graph.node[u->out].y) : 0;
        s->step[i].bytes = floats * sizeof(float);
        span[i] = (struct rn_span){ s->step[i].bytes, i, i, 0 };
        if (u->in >= 0)
            span[u->in].last = i;
        if (u->residual >= 0)
            span[u->residual].last = i;
    }
}

static size_t bytes_of(const struct rn_session *s, int unit)
{
    return unit >= 0 ? s->step[unit].bytes : 0;
}

/*
 * Where the first units, which gain from running by few pictures, end. A picture gains that the
 * unit's inputs and output stay in the cache, and loses its share of reading the weights again.
 */
static int choose_cut(const struct rn_session *s, int few)
{
    double gain = 0, best = 0;
    int cut = 0;

    for (int i = 0; i < s->units.units; i++) {
        const struct rn_unit *u = &s->units.unit[i];
        gain += (double)(bytes_of(s, i) + bytes_of(s, u->in) + bytes_of(s, u->residual));
        gain -= (double)packed_bytes(&s->step[i]) / few;
        if (gain > best) {
            best = gain;
            cut = i + 1;
        }
    }
    return cut;
}

/* Places the near outputs, or the others. */
static int place(struct rn_session *s, const struct rn_span *all, bool near, size_t *total)
{
    size_t units = (size_t)s->units.units;
    struct rn_span *span = rn_alloc(units, sizeof *span);

    if (!span)
        return RN_EMEM;
    for (size_t i = 0; i < units; i++) {
        span[i] = all[i];
        span[i].bytes = s->step[i].near == near ? all[i].bytes : 0;
    }
    int status = rn_layout(span, (int)units, total);
    for (size_t i = 0; i < units && !status; i++)
        if (s->step[i].near == near)
            s->step[i].y = span[i].offset;
    rn_free(span);
    return status;
}

/* How many pictures run through the first units at a time, and where those end; all: bytes of all
 * outputs of a picture. Nothing is near where that is the whole slice. */
static void choose_near(struct rn_session *s, size_t all)
{
    size_t few = all ? NEAR_BYTES / all : SLICE;
    few = few < 1 ? 1 : few > SLICE ? SLICE : few;
    if ((int)few * s->threads >= s->room)
        return;
    s->near_room = (int)few * s->threads;
    s->cut = choose_cut(s, (int)few);
}

/* Near are the outputs that only units before the cut read. */
static int place_outputs(struct rn_session *s)
{
    size_t all;
    struct rn_span *span = rn_alloc((size_t)s->units.units, sizeof *span);

    if (!span)
        return RN_EMEM;
    make_spans(s, span);
    int status = rn_layout(span, s->units.units, &all);
    if (!status) {
        choose_near(s, all);
        for (int i = 0; i < s->units.units; i++)
            s->step[i].near = span[i].last < s->cut;
        status = place(s, span, true, &s->near_bytes);
    }
    if (!status)
        status = place(s, span, false, &s->bytes);
    rn_free(span);
    return status;
}

/* Folded weights, the larger of the two ways' scratch, outputs. */
static int place_all(struct rn_session *s)
{
    size_t weights = 0, together = 0, alone = 0, near, far;

    for (int i = 0; i < s->units.units; i++) {
        struct rn_step *step = &s->step[i];
        int pictures = i < s->cut ? s->near_room : s->room;
        step->packed = weights;
        weights += rn_align(packed_bytes(step));
        together = larger(together, scratch_bytes(step, pictures, s->threads));
        if (pictures >= s->threads)
            alone = larger(alone, scratch_bytes(step, pictures / s->threads, 1));
    }
    s->alone = pictures_worth(&s->graph, weights);
    s->scratch = weights;
    s->scratch_alone = alone;
    s->near = weights + larger(together, alone * (size_t)s->threads);
    if (!rn_mul(&near, s->near_bytes, (size_t)s->near_room) ||
        !rn_add(&s->outputs, s->near, near) || !rn_mul(&far, s->bytes, (size_t)s->room) ||
        !rn_add(&s->size, s->outputs, far))
        return rn_fail(RN_EMEM, "the outputs of %d pictures do not fit the address space", s->room);
    return 0;
}

int rn_session_plan(struct rn_session *s, const struct rn_model *m, int batch, int threads)
{
    const struct rn_kernels *k = rn_kernels_get();
    int most = SLICE * threads, status;

    *s = (struct rn_session){ .batch = batch, .threads = threads, .classes = m->spec.classes };
    s->room = batch < most ? batch : most;
    s->pixels = (size_t)m->prep.H * (size_t)m->prep.W * (size_t)m->prep.C;
    if ((status = rn_spec_build(&m->spec, m->prep.H, m->prep.W, &s->graph)) ||
        (status = rn_units_init(&s->units, &s->graph)))
        return status;
    s->step = rn_alloc((size_t)s->units.units, sizeof *s->step);
    s->todo = rn_alloc((size_t)threads, sizeof *s->todo);
    if (!s->step || !s->todo)
        return RN_EMEM;
    for (int i = 0; i < s->units.units; i++)
        init_step(s, i, k);
    status = place_outputs(s);
    return status ? status : place_all(s);
}
