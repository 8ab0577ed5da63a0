/*
 * Batch norm (Ioffe and Szegedy 2015): y = relu(gamma * (x - mean) / sqrt(var + eps) + beta +
 * residual), by channel. Training takes mean and biased variance from the batch and moves the
 * running statistics by `momentum` (unbiased variance, as PyTorch does; biased where the node says
 * so); inference runs a scale and a shift (call.packed, [2][C]) folded from the running ones. Sums
 * run over fixed chunks of 64 rows and are joined in their order, in double: the same bits for any
 * team.
 */
#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "graph/graph.h"
#include "kernels/kernels.h"
#include "ops/epilogue.h"
#include "ops/stream.h"

enum { CHUNK = 64 }; /* rows (pixels) */

enum { GAMMA, BETA, MEAN, VAR, TRACKED }; /* parameters */

/* What forward saves for backward. */
struct saved {
    float *mean, *invstd, *scale, *shift; /* [C]: y = relu(scale * x + shift + residual) */
};

/* Shared by the team during one run. */
struct space {
    float *b, *k;        /* [C]: coefficients of the gradient */
    float *sum, *square; /* [chunks][C] */
};

static size_t rows_of(const struct rn_node *n, int N)
{
    return (size_t)N * (size_t)n->y.H * (size_t)n->y.W;
}

static size_t chunks_of(const struct rn_node *n, int N)
{
    return (rows_of(n, N) + CHUNK - 1) / CHUNK;
}

static size_t saved_bytes(const struct rn_node *n, int N)
{
    (void)N;
    return 4 * rn_align((size_t)n->y.C * sizeof(float));
}

static size_t scratch_bytes(const struct rn_node *n, int N)
{
    size_t C = (size_t)n->y.C * sizeof(float);
    return 2 * rn_align(C) + 2 * rn_align(chunks_of(n, N) * C);
}

static struct saved saved_at(const struct rn_call *c)
{
    size_t line = rn_align((size_t)c->node->y.C * sizeof(float)) / sizeof(float);
    float *mean = c->saved;
    return (struct saved){ mean, mean + line, mean + 2 * line, mean + 3 * line };
}

static struct space space_at(const struct rn_call *c)
{
    size_t C = (size_t)c->node->y.C * sizeof(float), line = rn_align(C) / sizeof(float);
    float *b = c->scratch, *sum = b + 2 * line;
    size_t part = rn_align(chunks_of(c->node, c->N) * C) / sizeof(float);
    return (struct space){ b, b + line, sum, sum + part };
}

static size_t chunk_rows(size_t rows, size_t chunk)
{
    return rows - chunk * CHUNK < CHUNK ? rows - chunk * CHUNK : CHUNK;
}

/* The sum of v[chunk][c] over the chunks, in their order. */
static double join(const float *v, size_t chunks, size_t C, size_t c)
{
    double sum = 0;
    for (size_t i = 0; i < chunks; i++)
        sum += v[i * C + c];
    return sum;
}

/* A pass over the pixels, some chunks at a time. */
static struct rn_work begin_chunks(const struct rn_call *c, int thread, int threads)
{
    enum { CHUNKS = 8 };
    return rn_work_begin(c->todo, chunks_of(c->node, c->N), 1, CHUNKS, thread, threads);
}

/* The pixels of some chunks. */
static struct rn_range rows_in(const struct rn_call *c, struct rn_range chunks)
{
    size_t rows = rows_of(c->node, c->N), last = chunks.last * CHUNK;
    return (struct rn_range){ chunks.first * CHUNK, last < rows ? last : rows };
}

/* ---- forward ---- */

static void batch_sums(const struct rn_call *c, const struct space *s, int thread, int threads)
{
    size_t C = (size_t)c->node->y.C, rows = rows_of(c->node, c->N);
    struct rn_work w = begin_chunks(c, thread, threads);
    struct rn_range r;

    while (rn_work_next(&w, &r))
        for (size_t i = r.first; i < r.last; i++)
            c->k->bn_sums(s->sum + i * C, s->square + i * C, c->x + i * CHUNK * C, c->x,
                          chunk_rows(rows, i), C);
}

/* Sums (about the first row of x) -> statistics, scale and shift, running statistics. */
static void batch_statistics(const struct rn_call *c, const struct space *s, int thread,
                             int threads)
{
    size_t C = (size_t)c->node->y.C, chunks = chunks_of(c->node, c->N);
    double rows = (double)rows_of(c->node, c->N), m = c->node->as.bn.momentum;
    struct rn_range r = rn_share(C, thread, threads);
    struct saved save = saved_at(c);
    float *running_mean = c->param[MEAN], *running_var = c->param[VAR];
    const float *gamma = c->param[GAMMA], *beta = c->param[BETA];

    for (size_t i = r.first; i < r.last; i++) {
        double sum = join(s->sum, chunks, C, i), square = join(s->square, chunks, C, i);
        double mean = c->x[i] + sum / rows, var = (square - sum * sum / rows) / rows;
        if (var < 0)
            var = 0;
        double invstd = 1 / sqrt(var + c->node->as.bn.eps);
        bool biased = c->node->as.bn.biased || rows <= 1;
        save.mean[i] = (float)mean;
        save.invstd[i] = (float)invstd;
        save.scale[i] = (float)(gamma[i] * invstd);
        save.shift[i] = (float)(beta[i] - mean * gamma[i] * invstd);
        running_mean[i] = (float)((1 - m) * running_mean[i] + m * mean);
        running_var[i] =
            (float)((1 - m) * running_var[i] + m * (biased ? var : var * rows / (rows - 1)));
    }
    if (thread == 0)
        ++*(int64_t *)c->param[TRACKED];
}

/* y = scale * x + shift, and what is fused behind it, for some pixels. */
static void normalise(const struct rn_call *c, const float *scale, const float *shift,
                      struct rn_range rows)
{
    size_t C = (size_t)c->node->y.C, at = rows.first * C;
    bool stream =
        c->y != c->x && c->y != c->residual && rn_streams(c->y, rows_of(c->node, c->N), C);

    c->k->affine(c->y + at, c->x + at, c->residual && !c->keep ? c->residual + at : NULL, scale,
                 shift, rows.last - rows.first, C,
                 (c->relu && !c->keep ? RN_RELU : 0) | (stream ? RN_STREAM : 0));
    if (c->keep)
        rn_epilogue_forward(c, c->y, (struct rn_range){ at, rows.last * C });
}

static void forward(const struct rn_call *c, int thread, int threads)
{
    const float *scale = c->packed, *shift = NULL;

    if (!c->training) {
        shift = scale + c->node->y.C;
    } else {
        struct space s = space_at(c);
        batch_sums(c, &s, thread, threads);
        rn_barrier();
        batch_statistics(c, &s, thread, threads);
        rn_barrier();
        scale = saved_at(c).scale;
        shift = saved_at(c).shift;
    }
    struct rn_work w = begin_chunks(c, thread, threads);
    for (struct rn_range r; rn_work_next(&w, &r);)
        normalise(c, scale, shift, rows_in(c, r));
    rn_fence();
}

/* ---- backward ---- */

/* What the gradient is made of from float `at` on: the ReLU's mask is made of x anew where the output
 * is made of x alone. */
static struct rn_bn_back back_at(const struct rn_call *c, size_t at)
{
    struct saved s = saved_at(c);
    return (struct rn_bn_back){ .dy = c->dy + at,
                                .x = c->x + at,
                                .y = c->relu && c->residual ? c->y + at : NULL,
                                .mean = s.mean,
                                .scale = s.scale,
                                .shift = c->relu ? s.shift : NULL };
}

static void gradient_sums(const struct rn_call *c, const struct space *s, int thread, int threads)
{
    size_t C = (size_t)c->node->y.C, rows = rows_of(c->node, c->N);
    struct rn_work w = begin_chunks(c, thread, threads);
    struct rn_range r;

    while (rn_work_next(&w, &r))
        for (size_t i = r.first; i < r.last; i++) {
            const struct rn_bn_back in = back_at(c, i * CHUNK * C);
            c->k->bn_grad_sums(s->sum + i * C, s->square + i * C, &in, chunk_rows(rows, i), C);
        }
}

/*
 * With g the masked gradient, xhat = (x - mean) * invstd and means over the batch:
 *   dgamma = sum(g xhat), dbeta = sum(g), dx = gamma invstd (g - mean(g) - xhat mean(g xhat)).
 */
static void gradient_coefficients(const struct rn_call *c, const struct space *s, int thread,
                                  int threads)
{
    size_t C = (size_t)c->node->y.C, chunks = chunks_of(c->node, c->N);
    double rows = (double)rows_of(c->node, c->N);
    struct rn_range r = rn_share(C, thread, threads);
    struct saved save = saved_at(c);

    for (size_t i = r.first; i < r.last; i++) {
        double sum = join(s->sum, chunks, C, i), dot = join(s->square, chunks, C, i);
        double invstd = save.invstd[i], scale = save.scale[i];
        c->dparam[GAMMA][i] = (float)(dot * invstd);
        c->dparam[BETA][i] = (float)sum;
        s->b[i] = (float)(-scale * invstd * invstd * dot / rows);
        s->k[i] = (float)(-scale * sum / rows);
    }
}

/* The gradients of some pixels. */
static void gradients(const struct rn_call *c, const struct space *s, struct rn_range rows)
{
    size_t C = (size_t)c->node->y.C, at = rows.first * C, n = rows.last - rows.first;
    bool in_place = !c->dx || c->dx_add; /* dy is read for the last time */
    float *dx = (in_place ? c->dy : c->dx) + at;
    const struct rn_bn_back in = back_at(c, at);
    bool stream = c->dres && !c->dres_add && rn_streams(c->dres, rows_of(c->node, c->N), C);

    c->k->bn_grad(dx, c->dres ? c->dres + at : NULL, &in, s->b, s->k, n, C, c->dres_add, stream);
    if (c->dx && c->dx_add)
        c->k->add(c->dx + at, c->dx + at, dx, n * C, false);
}

static void masked_backward(const struct rn_call *c, int thread, int threads)
{
    struct space s = space_at(c);

    gradient_sums(c, &s, thread, threads);
    rn_barrier();
    gradient_coefficients(c, &s, thread, threads);
    rn_barrier();
    struct rn_work w = begin_chunks(c, thread, threads);
    for (struct rn_range r; rn_work_next(&w, &r);)
        gradients(c, &s, rows_in(c, r));
    rn_fence();
}

/* Stochastic depth makes the epilogue a pass of its own; what is left is batch norm alone. */
static void backward(const struct rn_call *c, int thread, int threads)
{
    struct rn_call alone = *c;

    if (c->keep) {
        rn_epilogue_backward(c, thread, threads);
        alone.relu = false;
        alone.dres = NULL;
    }
    masked_backward(&alone, thread, threads);
}

/* ---- the op ---- */

static int shape(struct rn_node *n, const struct rn_shape *in)
{
    n->y = in[0];
    return 0;
}

static void params(struct rn_graph *g, const struct rn_node *n)
{
    int C = n->y.C;

    rn_graph_param(g, n->name, "weight", RN_F32, true, 1, &C);
    rn_graph_param(g, n->name, "bias", RN_F32, true, 1, &C);
    rn_graph_param(g, n->name, "running_mean", RN_F32, false, 1, &C);
    rn_graph_param(g, n->name, "running_var", RN_F32, false, 1, &C);
    rn_graph_param(g, n->name, "num_batches_tracked", RN_I64, false, 0, NULL);
}

/* y for the mask of a ReLU whose argument is not made of x alone. */
static int reads(bool residual, bool relu)
{
    return RN_READS_X | (residual && relu ? RN_READS_Y : 0);
}

const struct rn_op rn_op_bn = {
    .name = "batch norm",
    .epilogue = true,
    .shape = shape,
    .params = params,
    .saved = saved_bytes,
    .scratch = scratch_bytes,
    .reads = reads,
    .forward = forward,
    .backward = backward,
};
