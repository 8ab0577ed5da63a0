/* The sum of two tensors alone: y = relu(x + residual), where no op before it could take the sum as
 * its epilogue; with stochastic depth y = relu(keep[n] * x + residual). */
#include <string.h>

#include "base/err.h"
#include "graph/graph.h"
#include "kernels/kernels.h"
#include "ops/epilogue.h"
#include "ops/team.h"

static int shape(struct rn_node *n, const struct rn_shape *in)
{
    if (in[0].H != in[1].H || in[0].W != in[1].W || in[0].C != in[1].C)
        return rn_fail(RN_EUSAGE, "%s: adds %dx%dx%d and %dx%dx%d (channels, rows, columns)",
                       n->name, in[0].C, in[0].H, in[0].W, in[1].C, in[1].H, in[1].W);
    n->y = in[0];
    return 0;
}

static void forward(const struct rn_call *c, int thread, int threads)
{
    struct rn_range r = rn_share((size_t)c->N * rn_shape_count(c->node->y), thread, threads);
    if (c->keep)
        rn_epilogue_forward(c, c->x, r);
    else
        c->k->add(c->y + r.first, c->x + r.first, c->residual + r.first, r.last - r.first, c->relu);
}

static void backward(const struct rn_call *c, int thread, int threads)
{
    struct rn_range r = rn_share((size_t)c->N * rn_shape_count(c->node->y), thread, threads);
    size_t n = r.last - r.first;
    const float *dy = c->dy + r.first;

    rn_epilogue_backward(c, thread, threads);
    if (c->dx && c->dx_add)
        c->k->add(c->dx + r.first, c->dx + r.first, dy, n, false);
    else if (c->dx)
        memcpy(c->dx + r.first, dy, n * sizeof *dy);
}

static int reads(bool residual, bool relu)
{
    (void)residual;
    return rn_epilogue_reads(relu);
}

const struct rn_op rn_op_add = {
    .name = "add",
    .epilogue = true,
    .shape = shape,
    .reads = reads,
    .forward = forward,
    .backward = backward,
};
