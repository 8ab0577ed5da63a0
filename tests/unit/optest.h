/*
 * What the op tests share: a case is a graph of one node behind the input, with operands in double
 * and a naive forward in double. Here are its operands, the reference with its central differences,
 * and how the op is run as the drivers run it; opcheck.h holds the one against the other.
 */
#ifndef RN_TESTS_OPTEST_H
#define RN_TESTS_OPTEST_H

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"
#include "kernels/kernels.h"
#include "ops/conv.h"
#include "ops/team.h"
#include "rn.h"
#include "tap.h"

/* ---- random numbers ---- */

static uint64_t random_state;

static inline uint64_t random_bits(void)
{
    uint64_t x = random_state += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static inline size_t random_below(size_t n)
{
    return (size_t)(random_bits() % n);
}

/* In [-1, 1), exact in float. */
static inline double random_uniform(void)
{
    return (double)(random_bits() >> 40) * 0x1p-23 - 1;
}

/* ---- memory: given back at the end of a case, canaries around every block ---- */

enum { GUARD = 64, BLOCKS = 512 };
static const unsigned char canary = 0xa5;

struct block {
    unsigned char *base;
    size_t bytes;
};
static struct block blocks[BLOCKS];
static int block_count;

/* Bytes filled with 0xff: a NaN in float and in double. */
static inline void *take(size_t count, size_t size)
{
    size_t bytes = count * size;
    unsigned char *p = aligned_alloc(64, (bytes + 2 * GUARD + 63) / 64 * 64);
    if (!p || block_count == BLOCKS)
        abort();
    memset(p, canary, bytes + 2 * GUARD);
    memset(p + GUARD, 0xff, bytes);
    blocks[block_count++] = (struct block){ p, bytes };
    return p + GUARD;
}

static inline double *take_random(size_t count)
{
    double *p = take(count, sizeof *p);
    for (size_t i = 0; i < count; i++)
        p[i] = random_uniform();
    return p;
}

static inline float *to_float(const double *from, size_t count)
{
    float *p = take(count, sizeof *p);
    for (size_t i = 0; i < count; i++)
        p[i] = (float)from[i];
    return p;
}

/* Frees the blocks taken since there were `keep` of them. Returns false when one of their guards
 * was overwritten. */
static inline bool give_back(int keep)
{
    bool whole = true;
    while (block_count > keep) {
        const struct block *b = &blocks[--block_count];
        for (size_t i = 0; i < GUARD; i++)
            whole &= b->base[i] == canary && b->base[GUARD + b->bytes + i] == canary;
        free(b->base);
    }
    return whole;
}

/* ---- a case ---- */

/* What an op reads. param[] in the order of rn_op.params(). */
struct operands {
    double *x, *res, *param[RN_OP_PARAMS];
};

struct optest {
    const char *text;
    struct rn_graph graph;
    const struct rn_node *node;
    int N;
    bool training, relu, residual;
    bool picks;     /* the gradient goes to one of those a NaN would come from: max pooling */
    bool inference; /* convolutions are planned for it */
    bool spreads; /* outputs are computed by tiles: Winograd's, a tile's error and NaN are shared */
    bool forward; /* has no backward: batch norm with running statistics */
    /*
     * y in [N][P][Q][K] from the operands, in double, without residual and ReLU; scale[i] the sum
     * of the absolute values that y[i] is summed from. scale may be NULL.
     */
    void (*ref)(const struct optest *t, const struct operands *o, double *y, double *scale);
    struct operands in;
    double *dy;
    size_t xs, ys, ps[RN_OP_PARAMS]; /* elements of x, y (all N pictures) and of the parameters */
};

static inline const struct rn_param *param_of(const struct optest *t, int i)
{
    return &t->graph.param[t->node->param + i];
}

static inline bool trained(const struct optest *t, int i)
{
    return i < t->node->params && param_of(t, i)->trained;
}

/* Builds the graph input -> node and random operands; node needs op and attributes. Returns false
 * when the graph refuses. */
static inline bool optest_init(struct optest *t, struct rn_shape x, struct rn_node node)
{
    random_state = (uint64_t)(x.H * 1000003 + x.W * 10007 + x.C * 101 + t->N);
    snprintf(node.name, sizeof node.name, "op");
    node.inputs = node.op == &rn_op_add ? 2 : 1;
    if (rn_graph_init(&t->graph, x) || rn_graph_add(&t->graph, &node) != 1)
        return ok(false, "%s: %s", t->text, rn_error());
    t->node = &t->graph.node[1];
    t->xs = (size_t)t->N * rn_shape_count(x);
    t->ys = (size_t)t->N * rn_shape_count(t->node->y);
    t->in.x = take_random(t->xs);
    t->in.res = t->residual ? take_random(t->ys) : NULL;
    t->dy = take_random(t->ys);
    for (int i = 0; i < t->node->params; i++) {
        t->ps[i] = rn_param_count(param_of(t, i));
        t->in.param[i] = take_random(t->ps[i]);
    }
    return true;
}

/* ---- the reference ---- */

static inline void reference(const struct optest *t, const struct operands *o, double *y,
                             double *scale)
{
    t->ref(t, o, y, scale);
    for (size_t i = 0; i < t->ys; i++) {
        y[i] += t->residual ? o->res[i] : 0;
        if (scale)
            scale[i] += t->residual ? fabs(o->res[i]) : 0;
        if (t->relu && y[i] < 0)
            y[i] = 0;
    }
}

/* The functional whose gradient at y is dy. */
static inline double functional(const struct optest *t)
{
    int keep = block_count;
    double sum = 0, *y = take(t->ys, sizeof *y);
    reference(t, &t->in, y, NULL);
    for (size_t i = 0; i < t->ys; i++)
        sum += t->dy[i] * y[i];
    give_back(keep);
    return sum;
}

/* Derivatives of the functional along directions: +-1 everywhere, by a seed, or one element alone.
 */
enum { WHOLE = 4, SINGLE = 6, PROBES = WHOLE + SINGLE };

struct probe {
    uint64_t seed;
    size_t only; /* SIZE_MAX: all elements */
    double value;
};

static inline double direction(struct probe p, size_t i)
{
    uint64_t x = (p.seed ^ i) * 0x9e3779b97f4a7c15;
    x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9;
    return p.only == SIZE_MAX ? (x >> 63 ? 1 : -1) : p.only == i;
}

static inline double shifted(const struct optest *t, double *operand, size_t n, struct probe p,
                             double h)
{
    int keep = block_count;
    double *was = memcpy(take(n, sizeof *was), operand, n * sizeof *was);
    for (size_t i = 0; i < n; i++)
        operand[i] += h * direction(p, i);
    double f = functional(t);
    memcpy(operand, was, n * sizeof *was);
    give_back(keep);
    return f;
}

static inline struct probe *probe_all(const struct optest *t, double *operand, size_t n)
{
    struct probe *probe = take(PROBES, sizeof *probe);
    const double h = 1e-6;
    for (int i = 0; i < PROBES; i++) {
        size_t only = i < WHOLE        ? SIZE_MAX
                      : i == WHOLE     ? 0
                      : i == WHOLE + 1 ? n - 1
                                       : random_below(n);
        probe[i] = (struct probe){ random_bits() << 32, only, 0 };
        probe[i].value =
            (shifted(t, operand, n, probe[i], h) - shifted(t, operand, n, probe[i], -h)) / (2 * h);
    }
    return probe;
}

/* ---- running the op ---- */

/* What one run gives. */
struct result {
    float *y, *dx, *dres, *dparam[RN_OP_PARAMS];
    void *param[RN_OP_PARAMS]; /* after forward: batch norm moves its running statistics */
};

struct how {
    const struct rn_kernels *k;
    int threads;
    bool backward;
    const float *dx, *dres; /* added to, when not NULL */
    bool no_dx;
};

static inline void *copy_param(const struct optest *t, const struct operands *o, int i)
{
    if (param_of(t, i)->dtype == RN_F32)
        return to_float(o->param[i], t->ps[i]);
    int64_t *p = take(t->ps[i], sizeof *p);
    for (size_t j = 0; j < t->ps[i]; j++)
        p[j] = 0;
    return p;
}

static inline float *gradient_buffer(size_t n, const float *base)
{
    float *p = take(n, sizeof *p);
    return base ? memcpy(p, base, n * sizeof *p) : p;
}

static inline void *take_scratch(const struct optest *t, const struct rn_conv *conv, int threads)
{
    size_t bytes = t->node->op->scratch ? t->node->op->scratch(t->node, t->N) : 0;
    for (int pass = 0; conv && pass < RN_PASSES; pass++) {
        size_t need = rn_conv_scratch(conv, (enum rn_pass)pass, t->N, threads);
        bytes = need > bytes ? need : bytes;
    }
    return take(bytes, 1);
}

static inline struct rn_todo *take_todo(int threads)
{
    size_t bytes = (size_t)threads * sizeof(struct rn_todo);
    return memset(take(bytes, 1), 0, bytes);
}

/* Batch norm with running statistics is a scale and a shift, [2][C]. */
static inline void *fold(const struct optest *t, const struct operands *o)
{
    size_t C = (size_t)t->node->y.C;
    float *p = take(2 * C, sizeof *p);
    for (size_t c = 0; c < C; c++) {
        double scale = o->param[0][c] / sqrt(o->param[3][c] + t->node->as.bn.eps);
        p[c] = (float)scale;
        p[C + c] = (float)(o->param[1][c] - o->param[2][c] * scale);
    }
    return p;
}

/* Between forward and backward: what backward said it does not read is another's, here NaN. */
static inline void give_away(struct rn_call *c, const struct optest *t)
{
    const struct rn_op *op = c->node->op;
    int reads = op->reads ? op->reads(c->residual, c->relu) : 0;

    if (!(reads & RN_READS_X))
        c->x = take(t->xs, sizeof(float));
    if (c->residual && !(reads & RN_READS_RESIDUAL))
        c->residual = take(t->ys, sizeof(float));
    if (!(reads & RN_READS_Y))
        c->y = take(t->ys, sizeof(float));
}

/* The whole team packs, runs forward and backward, with barriers between, as the drivers do. */
static inline void run_team(struct rn_call *c, const struct optest *t, const struct how *how,
                            void *const packed[2])
{
    const struct rn_op *op = c->node->op;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(how->threads)
    {
        int i = omp_get_thread_num(), threads = omp_get_num_threads();
        rn_team_join(c->todo, i);
        for (int pass = 0; c->conv && pass < 2; pass++)
            rn_conv_pack(c->conv, (enum rn_pass)pass, c->param[0], pass ? NULL : c->param[1],
                         packed[pass], i, threads);
#pragma omp barrier
        op->forward(c, i, threads);
#pragma omp barrier
#pragma omp single
        {
            c->packed = packed[1];
            give_away(c, t);
        }
        if (how->backward)
            op->backward(c, i, threads);
    }
}

/* With the plan of a convolution or linear layer; NULL for another op. */
static inline struct result run_planned(const struct optest *t, const struct operands *o,
                                        const double *dy, struct how how, struct rn_conv *conv)
{
    const struct rn_op *op = t->node->op;
    void *packed[2] = { NULL, NULL };
    struct result r = { .y = take(t->ys, sizeof(float)) };

    for (int pass = 0; conv && pass < 2; pass++)
        packed[pass] = take(rn_conv_packed(conv, (enum rn_pass)pass), 1);
    if (op == &rn_op_bn && !t->training)
        packed[0] = fold(t, o);
    for (int i = 0; i < t->node->params; i++) {
        r.param[i] = copy_param(t, o, i);
        r.dparam[i] = trained(t, i) ? take(t->ps[i], sizeof(float)) : NULL;
    }
    r.dx = how.no_dx ? NULL : gradient_buffer(t->xs, how.dx);
    r.dres = t->residual ? gradient_buffer(t->ys, how.dres) : NULL;
    struct rn_call c = { .node = t->node,
                         .k = how.k,
                         .conv = conv,
                         .N = t->N,
                         .training = t->training,
                         .x = to_float(o->x, t->xs),
                         .residual = t->residual ? to_float(o->res, t->ys) : NULL,
                         .relu = t->relu,
                         .y = r.y,
                         .saved = op->saved ? take(op->saved(t->node, t->N), 1) : NULL,
                         .scratch = take_scratch(t, conv, how.threads),
                         .todo = take_todo(how.threads),
                         .packed = packed[0],
                         .dy = to_float(dy, t->ys),
                         .dx = r.dx,
                         .dx_add = how.dx != NULL,
                         .dres = r.dres,
                         .dres_add = how.dres != NULL };
    memcpy(c.param, r.param, sizeof c.param);
    memcpy(c.dparam, r.dparam, sizeof c.dparam);
    run_team(&c, t, &how, packed);
    return r;
}

static inline struct result run_op(const struct optest *t, const struct operands *o,
                                   const double *dy, struct how how)
{
    struct rn_conv conv;
    bool weighted = t->node->op == &rn_op_conv || t->node->op == &rn_op_linear;

    if (weighted)
        rn_conv_plan(&conv, t->node, how.k, !t->inference);
    return run_planned(t, o, dy, how, weighted ? &conv : NULL);
}

#endif
