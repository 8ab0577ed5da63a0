/* Channels of two tensors side by side: y[n][p][q] = x[n][p][q] and behind it the second input's
 * [n][p][q]. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "graph/graph.h"
#include "kernels/kernels.h"
#include "ops/team.h"

static int shape(struct rn_node *n, const struct rn_shape *in)
{
    if (in[0].H != in[1].H || in[0].W != in[1].W)
        return rn_fail(RN_EUSAGE, "%s: joins channels of %dx%d and %dx%d pixels", n->name, in[0].H,
                       in[0].W, in[1].H, in[1].W);
    n->y = (struct rn_shape){ in[0].H, in[0].W, in[0].C + in[1].C };
    return 0;
}

static void what(const struct rn_node *n, char *text, size_t size)
{
    snprintf(text, size, "%d + %d channels", n->x.C, n->y.C - n->x.C);
}

static struct rn_range pixels(const struct rn_call *c, int thread, int threads)
{
    return rn_share((size_t)c->N * (size_t)c->node->y.H * (size_t)c->node->y.W, thread, threads);
}

static void forward(const struct rn_call *c, int thread, int threads)
{
    size_t K = (size_t)c->node->y.C, A = (size_t)c->node->x.C, B = K - A;
    struct rn_range r = pixels(c, thread, threads);

    for (size_t i = r.first; i < r.last; i++) {
        memcpy(c->y + i * K, c->x + i * A, A * sizeof(float));
        memcpy(c->y + i * K + A, c->residual + i * B, B * sizeof(float));
    }
}

/* dx = dy, or dx += dy */
static void hand_back(const struct rn_kernels *k, float *dx, const float *dy, size_t n, bool add)
{
    if (add)
        k->add(dx, dx, dy, n, false);
    else
        memcpy(dx, dy, n * sizeof *dx);
}

static void backward(const struct rn_call *c, int thread, int threads)
{
    size_t K = (size_t)c->node->y.C, A = (size_t)c->node->x.C, B = K - A;
    struct rn_range r = pixels(c, thread, threads);

    for (size_t i = r.first; i < r.last; i++) {
        if (c->dx)
            hand_back(c->k, c->dx + i * A, c->dy + i * K, A, c->dx_add);
        if (c->dres)
            hand_back(c->k, c->dres + i * B, c->dy + i * K + A, B, c->dres_add);
    }
}

const struct rn_op rn_op_concat = {
    .name = "concatenation",
    .shape = shape,
    .what = what,
    .forward = forward,
    .backward = backward,
};
