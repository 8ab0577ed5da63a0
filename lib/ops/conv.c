/*
 * Convolution: y[n][p][q][k] = bias[k] + sum over r, s, c of x[n][p*stride + r - top][q*stride + s
 * - left][c] * w[k][c][r][s], c running over the channels of k's group. The op; how a pass is
 * computed is the plan's choice, one file per algorithm.
 */
#include "ops/conv.h"

#include <stdio.h>

#include "base/err.h"
#include "ops/epilogue.h"
#include "ops/stream.h"
#include "ops/team.h"

static const struct rn_conv_algo *const algos[] = {
    &rn_conv_winograd2, &rn_conv_winograd3, &rn_conv_winograd4, &rn_conv_grouped, &rn_conv_stem,
    &rn_conv_igemm,     &rn_conv_pointwise, &rn_conv_outer /* the first that fits */
};

void rn_conv_plan(struct rn_conv *c, const struct rn_node *n, const struct rn_kernels *k,
                  bool training)
{
    bool conv = n->op == &rn_op_conv;
    c->k = k;
    c->training = training;
    c->s = (struct rn_conv_shape){
        .H = n->x.H,
        .W = n->x.W,
        .C = n->x.C,
        .P = n->y.H,
        .Q = n->y.W,
        .K = n->y.C,
        .G = conv ? n->as.conv.G : 1,
        .win = conv ? n->as.conv.win : rn_window_square(1, 1, 0),
    };
    for (int pass = 0; pass < RN_PASSES; pass++) {
        size_t i = 0;
        while (!algos[i]->fits(c, (enum rn_pass)pass))
            i++;
        c->algo[pass] = algos[i];
    }
}

size_t rn_conv_packed(const struct rn_conv *c, enum rn_pass pass)
{
    return pass == RN_BACKWARD_WEIGHTS ? 0 : c->algo[pass]->packed(c, pass);
}

size_t rn_conv_scratch(const struct rn_conv *c, enum rn_pass pass, int N, int threads)
{
    return c->algo[pass]->scratch(c, pass, N, threads);
}

void rn_conv_pack(const struct rn_conv *c, enum rn_pass pass, const float *w, const float *bias,
                  void *packed, int thread, int threads)
{
    c->algo[pass]->pack(c, pass, w, bias, packed, thread, threads);
}

int rn_conv_end(const struct rn_conv *c, enum rn_pass pass, const struct rn_conv_run *r)
{
    bool forward = pass == RN_FORWARD;
    const struct rn_conv_shape *s = &c->s;
    const float *y = forward ? r->y : r->dx;
    size_t K = (size_t)(forward ? s->K : s->C), N = (size_t)r->N;
    size_t H = (size_t)(forward ? s->P : s->H), W = (size_t)(forward ? s->Q : s->W);
    bool read = !forward && r->add; /* then it comes into the caches anyway */

    return (forward && r->relu ? RN_RELU : 0) |
           (!read && rn_streams(y, N * H * W, K) ? RN_STREAM : 0);
}

void rn_conv_run(const struct rn_conv *c, enum rn_pass pass, const struct rn_conv_run *r,
                 int thread, int threads)
{
    c->algo[pass]->run(c, pass, r, thread, threads);
    rn_fence();
}

void rn_conv_bias_grad(const struct rn_conv *c, const struct rn_conv_run *r, int thread,
                       int threads)
{
    enum { ROWS = 1024 }; /* a partial sum's */
    size_t K = (size_t)c->s.K, rows = (size_t)r->N * (size_t)c->s.P * (size_t)c->s.Q;
    size_t nr = c->k->outer_nr;
    struct rn_range mine = rn_share(rn_divide_up(K, nr), thread, threads);

    for (size_t at = mine.first * nr; at < mine.last * nr && at < K; at += nr) {
        size_t n = K - at < nr ? K - at : nr;
        float part[RN_NR_MAX], *sum = r->dbias + at;
        for (size_t row = 0; row < rows; row += ROWS) {
            c->k->colsum(part, r->dy + row * K + at, K, rows - row < ROWS ? rows - row : ROWS, n);
            for (size_t k = 0; k < n; k++)
                sum[k] = row ? sum[k] + part[k] : part[k];
        }
    }
}

/* ---- the op ---- */

static int shape(struct rn_node *n, const struct rn_shape *in)
{
    const struct rn_window *w = &n->as.conv.win;
    int G = n->as.conv.G, K = n->as.conv.K;

    if (w->R < 1 || w->S < 1 || w->R * w->S > RN_TAPS_MAX || w->stride_h < 1 || w->stride_w < 1)
        return rn_fail(RN_EUSAGE,
                       "%s: a %dx%d filter with stride %dx%d: at most %d taps, stride 1 up",
                       n->name, w->R, w->S, w->stride_h, w->stride_w, RN_TAPS_MAX);
    if (K < 1 || G < 1 || in[0].C % G || K % G)
        return rn_fail(RN_EUSAGE, "%s: %d channels in and %d out can't be cut into %d groups",
                       n->name, in[0].C, K, G);
    long rows = (long)in[0].H + w->top + w->bottom - w->R;
    long cols = (long)in[0].W + w->left + w->right - w->S;
    if (rows < 0 || cols < 0)
        return rn_fail(RN_EUSAGE, "%s: a %dx%d filter does not fit its input of %dx%d", n->name,
                       w->R, w->S, in[0].H, in[0].W);
    n->y = (struct rn_shape){ (int)(rows / w->stride_h) + 1, (int)(cols / w->stride_w) + 1, K };
    n->macs = (uint64_t)rn_shape_count(n->y) * (uint64_t)(in[0].C / G) * (uint64_t)(w->R * w->S);
    return 0;
}

static void params(struct rn_graph *g, const struct rn_node *n)
{
    const struct rn_window *w = &n->as.conv.win;
    int K = n->as.conv.K;
    int dim[] = { K, n->x.C / n->as.conv.G, w->R, w->S };

    rn_graph_param(g, n->name, "weight", RN_F32, true, 4, dim);
    if (n->as.conv.bias)
        rn_graph_param(g, n->name, "bias", RN_F32, true, 1, &K);
}

static void what(const struct rn_node *n, char *text, size_t size)
{
    const struct rn_window *w = &n->as.conv.win;
    char stride[24] = "", groups[24] = "";

    if (w->stride_h > 1)
        snprintf(stride, sizeof stride, ", stride %d", w->stride_h);
    if (n->as.conv.G > 1)
        snprintf(groups, sizeof groups, ", %d groups", n->as.conv.G);
    snprintf(text, size, "%dx%d, %d%s%s", w->R, w->S, n->as.conv.K, stride, groups);
}

static void forward(const struct rn_call *c, int thread, int threads)
{
    struct rn_conv_run run = { .N = c->N,
                               .x = c->x,
                               .packed = c->packed,
                               .next = c->next,
                               .residual = c->keep ? NULL : c->residual,
                               .relu = c->relu && !c->keep,
                               .y = c->y,
                               .scratch = c->scratch,
                               .todo = c->todo };
    rn_conv_run(c->conv, RN_FORWARD, &run, thread, threads);
    if (!c->keep)
        return;
    rn_barrier();
    rn_epilogue_forward(c, c->y,
                        rn_share((size_t)c->N * rn_shape_count(c->node->y), thread, threads));
}

static void backward_weights(const struct rn_call *c, int thread, int threads)
{
    struct rn_conv_run run = { .N = c->N,
                               .x = c->x,
                               .dy = c->dy,
                               .dw = c->dparam[0],
                               .dbias = c->dparam[1],
                               .scratch = c->scratch,
                               .todo = c->todo };
    rn_epilogue_backward(c, thread, threads);
    rn_conv_run(c->conv, RN_BACKWARD_WEIGHTS, &run, thread, threads);
}

void rn_conv_backward_data(const struct rn_call *c, int thread, int threads)
{
    struct rn_conv_run run = { .N = c->N,
                               .packed = c->packed,
                               .dy = c->dy,
                               .dx = c->dx,
                               .add = c->dx_add,
                               .scratch = c->scratch,
                               .todo = c->todo };
    rn_conv_run(c->conv, RN_BACKWARD_DATA, &run, thread, threads);
}

static void backward(const struct rn_call *c, int thread, int threads)
{
    backward_weights(c, thread, threads);
    if (!c->dx)
        return;
    rn_barrier(); /* both passes use the scratch */
    rn_conv_backward_data(c, thread, threads);
}

static int reads(bool residual, bool relu)
{
    (void)residual;
    return RN_READS_X | rn_epilogue_reads(relu);
}

const struct rn_op rn_op_conv = {
    .name = "convolution",
    .epilogue = true,
    .shape = shape,
    .params = params,
    .what = what,
    .reads = reads,
    .forward = forward,
    .backward = backward,
};

/* ---- the linear layer: a 1x1 convolution of a 1x1 map ---- */

static int linear_shape(struct rn_node *n, const struct rn_shape *in)
{
    if (in[0].H != 1 || in[0].W != 1)
        return rn_fail(RN_EUSAGE, "%s: a linear layer needs a 1x1 map, not %dx%d", n->name, in[0].H,
                       in[0].W);
    n->y = (struct rn_shape){ 1, 1, n->as.linear.K };
    n->macs = (uint64_t)in[0].C * (uint64_t)n->as.linear.K;
    return 0;
}

static void linear_params(struct rn_graph *g, const struct rn_node *n)
{
    int dim[] = { n->as.linear.K, n->x.C };

    rn_graph_param(g, n->name, "weight", RN_F32, true, 2, dim);
    rn_graph_param(g, n->name, "bias", RN_F32, true, 1, dim);
}

static void linear_what(const struct rn_node *n, char *text, size_t size)
{
    snprintf(text, size, "%d", n->as.linear.K);
}

const struct rn_op rn_op_linear = {
    .name = "linear",
    .epilogue = true,
    .shape = linear_shape,
    .params = linear_params,
    .what = linear_what,
    .reads = reads,
    .forward = forward,
    .backward = backward,
};
