/*
 * The gate of squeeze-and-excitation (Hu et al. 2018): y[n][p][q][c] = x[n][p][q][c] * sigmoid(s[n][c]).
 * s is the second input, one value a channel. A picture's sums over its pixels are one thread's, in
 * their order: the same bits for any team and batch.
 */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "graph/graph.h"
#include "ops/team.h"

static int shape(struct rn_node *n, const struct rn_shape *in)
{
    if (in[1].H != 1 || in[1].W != 1 || in[1].C != in[0].C)
        return rn_fail(RN_EUSAGE, "%s: gates %d channels by %dx%dx%d (channels, rows, columns)",
                       n->name, in[0].C, in[1].C, in[1].H, in[1].W);
    n->y = in[0];
    return 0;
}

/* sigmoid(s), [N][C] */
static size_t scratch(const struct rn_node *n, int N)
{
    return (size_t)N * (size_t)n->y.C * sizeof(float);
}

static void open_gates(const struct rn_call *c, int thread, int threads)
{
    float *gate = c->scratch;
    struct rn_range r = rn_share((size_t)c->N * (size_t)c->node->y.C, thread, threads);

    for (size_t i = r.first; i < r.last; i++)
        gate[i] = 1 / (1 + expf(-c->residual[i]));
    if (threads > 1)
        rn_barrier();
}

static void forward(const struct rn_call *c, int thread, int threads)
{
    size_t C = (size_t)c->node->y.C, pixels = rn_shape_count(c->node->y) / C;
    struct rn_range r = rn_share((size_t)c->N * pixels, thread, threads);

    open_gates(c, thread, threads);
    for (size_t i = r.first; i < r.last; i++) {
        const float *gate = (const float *)c->scratch + i / pixels * C, *x = c->x + i * C;
        float *y = c->y + i * C;
        for (size_t j = 0; j < C; j++)
            y[j] = x[j] * gate[j];
    }
}

/* dx = dy * gate of one picture. */
static void gradient_of_x(const struct rn_call *c, size_t picture, size_t pixels, size_t C)
{
    const float *gate = (const float *)c->scratch + picture * C;

    for (size_t i = picture * pixels; i < (picture + 1) * pixels; i++) {
        const float *dy = c->dy + i * C;
        float *dx = c->dx + i * C;
        for (size_t j = 0; j < C; j++)
            dx[j] = (c->dx_add ? dx[j] : 0) + dy[j] * gate[j];
    }
}

/* ds = gate * (1 - gate) * sum over the pixels of dy * x, of one picture. */
static void gradient_of_gate(const struct rn_call *c, size_t picture, size_t pixels, size_t C)
{
    const float *gate = (const float *)c->scratch + picture * C;
    float *ds = c->dres + picture * C;

    for (size_t j = 0; j < C; j++) {
        double sum = 0;
        for (size_t i = picture * pixels; i < (picture + 1) * pixels; i++)
            sum += (double)c->dy[i * C + j] * c->x[i * C + j];
        ds[j] = (c->dres_add ? ds[j] : 0) + (float)(sum * gate[j] * (1 - gate[j]));
    }
}

static void backward(const struct rn_call *c, int thread, int threads)
{
    size_t C = (size_t)c->node->y.C, pixels = rn_shape_count(c->node->y) / C;
    struct rn_range r = rn_share((size_t)c->N, thread, threads);

    open_gates(c, thread, threads);
    for (size_t n = r.first; n < r.last; n++) {
        if (c->dres)
            gradient_of_gate(c, n, pixels, C);
        if (c->dx)
            gradient_of_x(c, n, pixels, C);
    }
}

static int reads(bool residual, bool relu)
{
    (void)residual;
    (void)relu;
    return RN_READS_X | RN_READS_RESIDUAL;
}

const struct rn_op rn_op_gate = {
    .name = "gate",
    .shape = shape,
    .scratch = scratch,
    .reads = reads,
    .forward = forward,
    .backward = backward,
};
