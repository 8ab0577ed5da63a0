/*
 * Average pooling over a window: y[p][q][c] = mean of the pixels of x that the window covers; what
 * lies outside the picture does not count (PyTorch's count_include_pad=False).
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "graph/graph.h"
#include "ops/team.h"

static int shape(struct rn_node *n, const struct rn_shape *in)
{
    const struct rn_window *w = &n->as.pool.win;
    int rows = in[0].H + w->top + w->bottom - w->R, cols = in[0].W + w->left + w->right - w->S;

    if (rows < 0 || cols < 0 || w->top >= w->R || w->bottom >= w->R || w->left >= w->S ||
        w->right >= w->S)
        return rn_fail(RN_EUSAGE, "%s: a %dx%d window does not fit its input of %dx%d", n->name,
                       w->R, w->S, in[0].H, in[0].W);
    n->y = (struct rn_shape){ rows / w->stride_h + 1, cols / w->stride_w + 1, in[0].C };
    return 0;
}

static void what(const struct rn_node *n, char *text, size_t size)
{
    const struct rn_window *w = &n->as.pool.win;
    snprintf(text, size, "%dx%d, stride %d", w->R, w->S, w->stride_h);
}

/* Rows and columns of x under window (p, q), the last ones excluded. */
struct under {
    int top, bottom, left, right;
    float pixels;
};

static struct under under(const struct rn_node *n, int p, int q)
{
    const struct rn_window *w = &n->as.pool.win;
    int h = p * w->stride_h - w->top, v = q * w->stride_w - w->left;
    struct under u = { h < 0 ? 0 : h, h + w->R < n->x.H ? h + w->R : n->x.H, v < 0 ? 0 : v,
                       v + w->S < n->x.W ? v + w->S : n->x.W, 0 };
    u.pixels = (float)((u.bottom - u.top) * (u.right - u.left));
    return u;
}

static void forward(const struct rn_call *c, int thread, int threads)
{
    const struct rn_node *n = c->node;
    size_t C = (size_t)n->y.C, P = (size_t)n->y.H, Q = (size_t)n->y.W, W = (size_t)n->x.W;
    struct rn_range r = rn_share((size_t)c->N * P * Q, thread, threads);

    for (size_t i = r.first; i < r.last; i++) {
        struct under u = under(n, (int)(i / Q % P), (int)(i % Q));
        const float *image = c->x + i / (P * Q) * rn_shape_count(n->x);
        float *y = c->y + i * C;
        memset(y, 0, C * sizeof *y);
        for (int h = u.top; h < u.bottom; h++)
            for (int v = u.left; v < u.right; v++) {
                const float *x = image + ((size_t)h * W + (size_t)v) * C;
                for (size_t j = 0; j < C; j++)
                    y[j] += x[j];
            }
        for (size_t j = 0; j < C; j++)
            y[j] /= u.pixels;
    }
}

/* Windows may overlap, so one thread does a whole picture, its windows in order. */
static void backward(const struct rn_call *c, int thread, int threads)
{
    const struct rn_node *n = c->node;
    size_t C = (size_t)n->y.C, Q = (size_t)n->y.W, PQ = (size_t)n->y.H * Q, W = (size_t)n->x.W;
    size_t X = rn_shape_count(n->x);
    struct rn_range r = rn_share((size_t)c->N, thread, threads);

    if (!c->dx)
        return;
    if (!c->dx_add)
        memset(c->dx + r.first * X, 0, (r.last - r.first) * X * sizeof(float));
    for (size_t i = r.first * PQ; i < r.last * PQ; i++) {
        struct under u = under(n, (int)(i % PQ / Q), (int)(i % Q));
        const float *dy = c->dy + i * C;
        for (int h = u.top; h < u.bottom; h++)
            for (int v = u.left; v < u.right; v++) {
                float *dx = c->dx + i / PQ * X + ((size_t)h * W + (size_t)v) * C;
                for (size_t j = 0; j < C; j++)
                    dx[j] += dy[j] / u.pixels;
            }
    }
}

const struct rn_op rn_op_meanpool = {
    .name = "average pool",
    .shape = shape,
    .what = what,
    .forward = forward,
    .backward = backward,
};
