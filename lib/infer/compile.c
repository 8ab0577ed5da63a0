/* From a model to the steps of a session: batch norm folded, bias, add and ReLU fused, buffers
 * placed by their liveness. */
#include "graph/layout.h"
#include "infer/session.h"
#include "kernels/kernels.h"

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
    step->call = (struct rn_call){ .node = n, .k = k, .relu = u->relu >= 0 };
    if (rn_step_has_conv(step)) {
        rn_conv_plan(&step->conv, n, k);
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

static size_t scratch_bytes(const struct rn_session *s, const struct rn_step *step)
{
    if (rn_step_has_conv(step))
        return rn_conv_scratch(&step->conv, RN_FORWARD, s->batch, s->threads);
    return step->op->scratch ? step->op->scratch(step->call.node, s->batch) : 0;
}

/* A unit's output lives until the last unit that reads it; the last unit's until the end. */
static int place_outputs(struct rn_session *s, size_t base)
{
    int units = s->units.units;
    size_t total;
    struct rn_span *span = rn_alloc((size_t)units, sizeof *span);

    if (!span)
        return RN_EMEM;
    for (int i = 0; i < units; i++) {
        const struct rn_unit *u = &s->units.unit[i];
        size_t floats = rn_shape_count(s->graph.node[u->out].y) * (size_t)s->batch;
        span[i] = (struct rn_span){ floats * sizeof(float), i, i, 0 };
        if (u->in >= 0)
            span[u->in].last = i;
        if (u->residual >= 0)
            span[u->residual].last = i;
    }
    int status = rn_layout(span, units, &total);
    for (int i = 0; i < units && !status; i++)
        s->step[i].y = base + span[i].offset;
    s->bytes = base + (status ? 0 : total);
    rn_free(span);
    return status;
}

int rn_session_plan(struct rn_session *s, const struct rn_model *m, int batch, int threads)
{
    const struct rn_kernels *k = rn_kernels_get();
    size_t scratch = 0, at = 0;
    int status;

    *s = (struct rn_session){ .batch = batch, .threads = threads, .classes = m->spec.classes };
    if ((status = rn_spec_build(&m->spec, m->prep.H, m->prep.W, &s->graph)) ||
        (status = rn_units_init(&s->units, &s->graph)))
        return status;
    s->step = rn_alloc((size_t)s->units.units, sizeof *s->step);
    if (!s->step)
        return RN_EMEM;
    for (int i = 0; i < s->units.units; i++) {
        struct rn_step *step = &s->step[i];
        init_step(s, i, k);
        step->packed = at;
        at += rn_align(packed_bytes(step));
        if (scratch_bytes(s, step) > scratch)
            scratch = scratch_bytes(s, step);
    }
    s->scratch = at;
    return place_outputs(s, at + rn_align(scratch));
}
