/*
 * The zero-padding shortcut (He et al. 2015, option A): every stride-th pixel, with channels of
 * zeros before and after. y[p][q][before + c] = x[p * stride][q * stride][c].
 */
#include <stdio.h>
#include <string.h>

#include "graph/graph.h"
#include "ops/team.h"

static int shape(struct rn_node *n, const struct rn_shape *in)
{
    int stride = n->as.pad.stride;

    n->y = (struct rn_shape){ (in[0].H - 1) / stride + 1, (in[0].W - 1) / stride + 1,
                              n->as.pad.before + in[0].C + n->as.pad.after };
    return 0;
}

static void what(const struct rn_node *n, char *text, size_t size)
{
    snprintf(text, size, "%d + %d channels, stride %d", n->as.pad.before, n->as.pad.after,
             n->as.pad.stride);
}

/* Floats before the source pixel of output pixel i, counted over the whole batch. */
static size_t source(const struct rn_node *n, size_t i)
{
    size_t Q = (size_t)n->y.W, PQ = Q * (size_t)n->y.H, stride = (size_t)n->as.pad.stride;
    size_t h = i % PQ / Q * stride, w = i % Q * stride;
    return ((i / PQ * (size_t)n->x.H + h) * (size_t)n->x.W + w) * (size_t)n->x.C;
}

static void forward(const struct rn_call *c, int thread, int threads)
{
    const struct rn_node *n = c->node;
    size_t C = (size_t)n->x.C, K = (size_t)n->y.C, before = (size_t)n->as.pad.before;
    struct rn_range r = rn_share((size_t)c->N * rn_shape_count(n->y) / K, thread, threads);

    for (size_t i = r.first; i < r.last; i++) {
        float *y = c->y + i * K;
        memset(y, 0, before * sizeof *y);
        memcpy(y + before, c->x + source(n, i), C * sizeof *y);
        memset(y + before + C, 0, (K - before - C) * sizeof *y);
    }
}

/* The pixels between the strides have no gradient: a thread clears whole pictures before it adds to
 * them. */
static void backward(const struct rn_call *c, int thread, int threads)
{
    const struct rn_node *n = c->node;
    size_t C = (size_t)n->x.C, K = (size_t)n->y.C, X = rn_shape_count(n->x);
    size_t pixels = rn_shape_count(n->y) / K;
    struct rn_range r = rn_share((size_t)c->N, thread, threads);

    if (!c->dx)
        return;
    if (!c->dx_add)
        memset(c->dx + r.first * X, 0, (r.last - r.first) * X * sizeof(float));
    for (size_t i = r.first * pixels; i < r.last * pixels; i++) {
        float *dx = c->dx + source(n, i);
        const float *dy = c->dy + i * K + (size_t)n->as.pad.before;
        for (size_t j = 0; j < C; j++)
            dx[j] += dy[j];
    }
}

const struct rn_op rn_op_pad = {
    .name = "zero-padding shortcut",
    .shape = shape,
    .what = what,
    .forward = forward,
    .backward = backward,
};
