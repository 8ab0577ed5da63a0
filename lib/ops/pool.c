/* Max pooling over a window (padding never wins) and global average pooling. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "graph/graph.h"
#include "kernels/kernels.h"
#include "ops/team.h"

enum { TAPS_MAX = 255 }; /* a tap's number is kept in a byte */

static int max_shape(struct rn_node *n, const struct rn_shape *in)
{
    const struct rn_window *w = &n->as.pool.win;
    int rows = in[0].H + w->top + w->bottom - w->R, cols = in[0].W + w->left + w->right - w->S;

    if (w->R > TAPS_MAX || w->S > TAPS_MAX || w->R * w->S > TAPS_MAX)
        return rn_fail(RN_EUSAGE,
                       "%s: a window of %dx%d: at most %d pixels, so pool=avg or smaller pictures",
                       n->name, w->R, w->S, TAPS_MAX);
    if (rows < 0 || cols < 0 || w->stride_h < 1 || w->stride_w < 1)
        return rn_fail(RN_EUSAGE, "%s: a %dx%d window does not fit its input of %dx%d", n->name,
                       w->R, w->S, in[0].H, in[0].W);
    if (w->top >= w->R || w->bottom >= w->R || w->left >= w->S || w->right >= w->S)
        return rn_fail(RN_EUSAGE, "%s: padding as large as its %dx%d window: nothing to pool",
                       n->name, w->R, w->S);
    n->y = (struct rn_shape){ rows / w->stride_h + 1, cols / w->stride_w + 1, in[0].C };
    return 0;
}

static void max_what(const struct rn_node *n, char *text, size_t size)
{
    const struct rn_window *w = &n->as.pool.win;
    snprintf(text, size, "%dx%d, stride %d", w->R, w->S, w->stride_h);
}

static size_t max_saved(const struct rn_node *n, int N)
{
    return (size_t)N * rn_shape_count(n->y);
}

/* Offsets (floats from the picture's start) of the pixels that window (p, q) covers inside the
 * picture. */
static size_t window_pixels(const struct rn_node *n, int p, int q, size_t *offset)
{
    const struct rn_window *w = &n->as.pool.win;
    size_t count = 0;

    for (int r = 0; r < w->R; r++)
        for (int s = 0; s < w->S; s++) {
            int h = p * w->stride_h - w->top + r, x = q * w->stride_w - w->left + s;
            if (h >= 0 && h < n->x.H && x >= 0 && x < n->x.W)
                offset[count++] = ((size_t)h * (size_t)n->x.W + (size_t)x) * (size_t)n->x.C;
        }
    return count;
}

static void max_forward(const struct rn_call *c, int thread, int threads)
{
    const struct rn_node *n = c->node;
    size_t C = (size_t)n->y.C, P = (size_t)n->y.H, Q = (size_t)n->y.W;
    struct rn_work w =
        rn_work_begin(c->todo, (size_t)c->N * P, 1, (size_t)c->N * P, thread, threads);
    struct rn_range r;

    while (rn_work_next(&w, &r))
        for (size_t i = r.first * Q; i < r.last * Q; i++) {
            const float *image = c->x + i / (P * Q) * rn_shape_count(n->x), *tap[TAPS_MAX];
            size_t offset[TAPS_MAX];
            size_t taps = window_pixels(n, (int)(i / Q % P), (int)(i % Q), offset);
            for (size_t t = 0; t < taps; t++)
                tap[t] = image + offset[t];
            c->k->maxpool(c->y + i * C, c->saved ? (uint8_t *)c->saved + i * C : NULL, tap, taps,
                          C);
        }
}

/* Windows overlap, so one thread does a whole picture, its windows in order. */
static void picture_backward(const struct rn_call *c, size_t picture)
{
    const struct rn_node *n = c->node;
    size_t C = (size_t)n->y.C, P = (size_t)n->y.H, Q = (size_t)n->y.W, X = rn_shape_count(n->x);
    float *image = c->dx + picture * X;

    if (!c->dx_add)
        memset(image, 0, X * sizeof *image);
    for (size_t j = 0; j < P * Q; j++) {
        size_t offset[TAPS_MAX], at = (picture * P * Q + j) * C;
        float *tap[TAPS_MAX];
        size_t taps = window_pixels(n, (int)(j / Q), (int)(j % Q), offset);
        for (size_t t = 0; t < taps; t++)
            tap[t] = image + offset[t];
        c->k->maxpool_grad(tap, (const uint8_t *)c->saved + at, c->dy + at, C);
    }
}

static void max_backward(const struct rn_call *c, int thread, int threads)
{
    if (!c->dx)
        return;
    struct rn_work w = rn_work_begin(c->todo, (size_t)c->N, 1, 1, thread, threads);
    for (struct rn_range one; rn_work_next(&w, &one);)
        picture_backward(c, one.first);
}

const struct rn_op rn_op_maxpool = {
    .name = "max pool",
    .shape = max_shape,
    .what = max_what,
    .saved = max_saved,
    .forward = max_forward,
    .backward = max_backward,
};

/* ---- global average pooling: y[c] = sum over the pixels of x[c] / pixels ---- */

static int average_shape(struct rn_node *n, const struct rn_shape *in)
{
    n->y = (struct rn_shape){ 1, 1, in[0].C };
    return 0;
}

static void average_forward(const struct rn_call *c, int thread, int threads)
{
    size_t C = (size_t)c->node->y.C, pixels = rn_shape_count(c->node->x) / C;
    struct rn_range r = rn_share((size_t)c->N, thread, threads);

    for (size_t i = r.first; i < r.last; i++) {
        float *y = c->y + i * C;
        c->k->colsum(y, c->x + i * pixels * C, C, pixels, C);
        for (size_t j = 0; j < C; j++)
            y[j] /= (float)pixels;
    }
}

static void average_backward(const struct rn_call *c, int thread, int threads)
{
    size_t C = (size_t)c->node->y.C, pixels = rn_shape_count(c->node->x) / C;
    struct rn_range r = rn_share((size_t)c->N * pixels, thread, threads);

    if (!c->dx)
        return;
    for (size_t i = r.first; i < r.last; i++) {
        const float *dy = c->dy + i / pixels * C;
        float *dx = c->dx + i * C;
        for (size_t j = 0; j < C; j++)
            dx[j] = (c->dx_add ? dx[j] : 0) + dy[j] / (float)pixels;
    }
}

const struct rn_op rn_op_avgpool = {
    .name = "global average pool",
    .shape = average_shape,
    .forward = average_forward,
    .backward = average_backward,
};
