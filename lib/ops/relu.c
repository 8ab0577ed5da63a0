/* ReLU alone, where no op before it could take it as its epilogue. */
#include "graph/graph.h"
#include "kernels/kernels.h"
#include "ops/team.h"

static int shape(struct rn_node *n, const struct rn_shape *in)
{
    n->y = in[0];
    return 0;
}

static void forward(const struct rn_call *c, int thread, int threads)
{
    struct rn_range r = rn_share((size_t)c->N * rn_shape_count(c->node->y), thread, threads);
    c->k->relu(c->y + r.first, c->x + r.first, r.last - r.first);
}

static void backward(const struct rn_call *c, int thread, int threads)
{
    if (!c->dx)
        return;
    struct rn_range r = rn_share((size_t)c->N * rn_shape_count(c->node->y), thread, threads);
    c->k->relu_grad(c->dx + r.first, c->dy + r.first, c->y + r.first, r.last - r.first, c->dx_add);
}

static int reads(bool residual, bool relu)
{
    (void)residual;
    (void)relu;
    return RN_READS_Y;
}

const struct rn_op rn_op_relu = {
    .name = "ReLU", .shape = shape, .reads = reads, .forward = forward, .backward = backward
};
