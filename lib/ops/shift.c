/*
 * The shift of Wu et al. 2018, a 3x3 convolution without weights: channels are cut into 9 equal
 * parts, and part d = 3 r + s looks one pixel away, y[p][q][c] = x[p + r - 1][q + s - 1][c], zero
 * outside. The channels that 9 does not divide, at the end, stay where they are.
 */
#include <stdio.h>
#include <string.h>

#include "graph/graph.h"
#include "kernels/kernels.h"
#include "ops/team.h"

enum { R = 3, PARTS = R * R };

static int shape(struct rn_node *n, const struct rn_shape *in)
{
    n->y = in[0];
    return 0;
}

static void what(const struct rn_node *n, char *text, size_t size)
{
    snprintf(text, size, "%dx%d, %d channels a direction", R, R, n->y.C / PARTS);
}

/* to[i] = (add ? to[i] : 0) + from[i]; from NULL: zeros. */
static void put(const struct rn_kernels *k, float *to, const float *from, size_t n, bool add)
{
    if (add && from)
        k->add(to, to, from, n, false);
    else if (from)
        memcpy(to, from, n * sizeof *to);
    else if (!add)
        memset(to, 0, n * sizeof *to);
}

/* The pixel that lies (h, w) away from pixel i, counted over the batch, or NULL outside. */
static const float *neighbour(const struct rn_node *n, const float *x, size_t i, int h, int w)
{
    int W = n->y.W, H = n->y.H, q = (int)(i % (size_t)W) + w,
        p = (int)(i / (size_t)W % (size_t)H) + h;

    if (p < 0 || p >= H || q < 0 || q >= W)
        return NULL;
    return x + ((ptrdiff_t)i + h * W + w) * n->y.C;
}

/* Moves each part by its direction (sign 1), or back (-1). */
static void move(const struct rn_call *c, float *to, const float *from, int sign, bool add,
                 struct rn_range r)
{
    const struct rn_node *n = c->node;
    size_t C = (size_t)n->y.C, part = C / PARTS;

    for (size_t i = r.first; i < r.last; i++) {
        for (int d = 0; d < PARTS && part; d++) {
            const float *x = neighbour(n, from, i, sign * (d / R - 1), sign * (d % R - 1));
            size_t at = (size_t)d * part;
            put(c->k, to + i * C + at, x ? x + at : NULL, part, add);
        }
        size_t rest = i * C + PARTS * part;
        put(c->k, to + rest, from + rest, C - PARTS * part, add);
    }
}

static struct rn_range pixels(const struct rn_call *c, int thread, int threads)
{
    return rn_share((size_t)c->N * (size_t)c->node->y.H * (size_t)c->node->y.W, thread, threads);
}

static void forward(const struct rn_call *c, int thread, int threads)
{
    move(c, c->y, c->x, 1, false, pixels(c, thread, threads));
}

static void backward(const struct rn_call *c, int thread, int threads)
{
    if (c->dx)
        move(c, c->dx, c->dy, -1, c->dx_add, pixels(c, thread, threads));
}

const struct rn_op rn_op_shift = {
    .name = "shift", .shape = shape, .what = what, .forward = forward, .backward = backward
};
