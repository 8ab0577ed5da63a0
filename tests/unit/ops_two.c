/*
 * Ops of two inputs of different shapes: the gate of squeeze-and-excitation and concatenation.
 * Outputs and gradients against formulas in double, those of the gate against differences too;
 * accumulation; equal bits for 1, 2 and 5 threads and for each picture alone.
 */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "graph/graph.h"
#include "kernels/kernels.h"
#include "tap.h"

enum { N = 3 };

/* x [N][H][W][C] and s, y: operands and, once run, what came of them. */
struct two {
    struct rn_graph g;
    const struct rn_node *node;
    size_t x, s, y; /* floats of a picture */
    float *in[2], *dy, *out, *d[2];
};

static float *random_floats(struct rn_rng *r, size_t n)
{
    float *v = malloc(n * sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)rn_rng_normal(r);
    return v;
}

/* input -> ReLU; input -> average pool or ReLU; the op of both. */
static bool init(struct two *t, const struct rn_op *op, struct rn_shape x)
{
    struct rn_node a = { .op = &rn_op_relu, .name = "a", .inputs = 1 };
    struct rn_node b = { .op = op == &rn_op_gate ? &rn_op_avgpool : &rn_op_conv,
                         .name = "b",
                         .inputs = 1 };
    struct rn_node two = { .op = op, .name = "two", .inputs = 2, .in = { 1, 2 } };
    struct rn_rng r;

    b.as.conv.K = b.op == &rn_op_conv ? 5 : 0;
    b.as.conv.G = 1;
    b.as.conv.win = rn_window_square(1, 1, 0);
    if (rn_graph_init(&t->g, x) || rn_graph_add(&t->g, &a) < 0 || rn_graph_add(&t->g, &b) < 0 ||
        rn_graph_add(&t->g, &two) < 0)
        return ok(false, "%s", rn_error());
    t->node = &t->g.node[3];
    t->x = rn_shape_count(x);
    t->s = rn_shape_count(t->g.node[2].y);
    t->y = rn_shape_count(t->node->y);
    rn_rng_init(&r, 4, RN_RNG_TEST, 0, t->y);
    t->in[0] = random_floats(&r, N * t->x);
    t->in[1] = random_floats(&r, N * t->s);
    t->dy = random_floats(&r, N * t->y);
    t->d[0] = random_floats(&r, N * t->x);
    t->d[1] = random_floats(&r, N * t->s);
    t->out = malloc(N * t->y * sizeof(float));
    return true;
}

static void release(struct two *t)
{
    free(t->in[0]), free(t->in[1]), free(t->dy), free(t->out), free(t->d[0]), free(t->d[1]);
    rn_graph_release(&t->g);
}

/* What backward said it does not read is gone. */
static void forget(struct rn_call *c)
{
    const struct rn_op *op = c->node->op;
    int reads = op->reads ? op->reads(false, false) : 0;

    c->x = reads & RN_READS_X ? c->x : NULL;
    c->residual = reads & RN_READS_RESIDUAL ? c->residual : NULL;
    c->y = reads & RN_READS_Y ? c->y : NULL;
}

/* Pictures first .. first + n of t, gradients added or written, NULL where there is no buffer. */
static void run(const struct two *t, int first, int n, int threads, bool add, float *y, float *dx,
                float *ds)
{
    float *dy = malloc((size_t)n * t->y * sizeof *dy);
    size_t bytes = t->node->op->scratch ? t->node->op->scratch(t->node, n) : 0;
    struct rn_call c = { .node = t->node,
                         .k = rn_kernels_get(),
                         .N = n,
                         .training = true,
                         .x = t->in[0] + (size_t)first * t->x,
                         .residual = t->in[1] + (size_t)first * t->s,
                         .y = y,
                         .dy = dy,
                         .dx = dx,
                         .dx_add = add,
                         .dres = ds,
                         .dres_add = add,
                         .scratch = malloc(bytes + 1) };

    memcpy(dy, t->dy + (size_t)first * t->y, (size_t)n * t->y * sizeof *dy);
#pragma omp parallel num_threads(threads)
    {
        int me = omp_get_thread_num();
        t->node->op->forward(&c, me, threads);
#pragma omp barrier
#pragma omp single
        forget(&c);
        t->node->op->backward(&c, me, threads);
    }
    free(c.scratch);
    free(dy);
}

/* y of picture n by the definition, in double. */
static void define(const struct two *t, const double *x, const double *s, double *y)
{
    size_t K = (size_t)t->node->y.C, A = (size_t)t->node->x.C, B = K - A;
    for (size_t i = 0; i < t->y; i++) {
        size_t c = i % K, pixel = i / K;
        if (t->node->op == &rn_op_gate)
            y[i] = x[i] / (1 + exp(-s[c]));
        else
            y[i] = c < A ? x[pixel * A + c] : s[pixel * B + c - A];
    }
}

/* <dy, y> of picture n, with h added to element e of input `which`. */
static double functional(const struct two *t, int n, int which, size_t e, double h)
{
    size_t size[2] = { t->x, t->s };
    double *v[2], *y = malloc(t->y * sizeof *y), sum = 0;

    for (int i = 0; i < 2; i++) {
        v[i] = malloc(size[i] * sizeof **v);
        for (size_t j = 0; j < size[i]; j++)
            v[i][j] = t->in[i][(size_t)n * size[i] + j];
    }
    if (which >= 0)
        v[which][e] += h;
    define(t, v[0], v[1], y);
    for (size_t i = 0; i < t->y; i++)
        sum += y[i] * t->dy[(size_t)n * t->y + i];
    free(v[0]), free(v[1]), free(y);
    return sum;
}

static bool outputs_right(const struct two *t)
{
    double *x = malloc(t->x * sizeof *x), *s = malloc(t->s * sizeof *s),
           *y = malloc(t->y * sizeof *y);
    bool right = true;
    for (int n = 0; n < N; n++) {
        for (size_t i = 0; i < t->x; i++)
            x[i] = t->in[0][(size_t)n * t->x + i];
        for (size_t i = 0; i < t->s; i++)
            s[i] = t->in[1][(size_t)n * t->s + i];
        define(t, x, s, y);
        for (size_t i = 0; i < t->y; i++)
            right &= fabs(t->out[(size_t)n * t->y + i] - y[i]) <= 1e-6 * (1 + fabs(y[i]));
    }
    free(x), free(s), free(y);
    return right;
}

static bool gradients_right(const struct two *t, int which, const float *d, size_t size)
{
    const double h = 1e-4;
    bool right = true;
    for (int n = 0; n < N; n++)
        for (size_t e = 0; e < size; e++) {
            double want =
                (functional(t, n, which, e, h) - functional(t, n, which, e, -h)) / (2 * h);
            right &= fabs(d[(size_t)n * size + e] - want) <= 2e-6 * (1 + 10 * fabs(want));
        }
    return right;
}

static bool same(const float *a, const float *b, size_t n)
{
    return !memcmp(a, b, n * sizeof *a);
}

static float *filled(size_t n)
{
    float *v = malloc(n * sizeof *v);
    memset(v, 0xff, n * sizeof *v);
    return v;
}

/* Other teams, pictures by themselves, and gradients added to what is there. */
static void check_ways(const struct two *t, const char *name, const float *dx, const float *ds)
{
    float *y = filled(N * t->y), *ex = filled(N * t->x), *es = filled(N * t->s);
    bool teams = true, alone = true, added = true;

    for (int threads = 2; threads <= 5; threads += 3) {
        run(t, 0, N, threads, false, y, ex, es);
        teams &= same(y, t->out, N * t->y) && same(ex, dx, N * t->x) && same(es, ds, N * t->s);
    }
    for (int n = 0; n < N; n++) {
        run(t, n, 1, 1, false, y, ex, es);
        alone &= same(y, t->out + (size_t)n * t->y, t->y) &&
                 same(ex, dx + (size_t)n * t->x, t->x) && same(es, ds + (size_t)n * t->s, t->s);
    }
    memcpy(ex, t->d[0], N * t->x * sizeof *ex);
    memcpy(es, t->d[1], N * t->s * sizeof *es);
    run(t, 0, N, 1, true, y, ex, es);
    for (size_t i = 0; i < N * t->x; i++)
        added &= ex[i] == t->d[0][i] + dx[i];
    for (size_t i = 0; i < N * t->s; i++)
        added &= es[i] == t->d[1][i] + ds[i];
    run(t, 0, N, 1, false, y, NULL, NULL);
    ok(teams, "%s: same bits on 1, 2 and 5 threads", name);
    ok(alone, "%s: same bits for each picture alone", name);
    ok(added, "%s: adds to gradients", name);
    free(y), free(ex), free(es);
}

static void test(const char *name, const struct rn_op *op, struct rn_shape x)
{
    struct two t = { 0 };
    if (!init(&t, op, x))
        return;
    float *dx = filled(N * t.x), *ds = filled(N * t.s);
    run(&t, 0, N, 1, false, t.out, dx, ds);
    ok(outputs_right(&t), "%s: forward", name);
    ok(gradients_right(&t, 0, dx, t.x) && gradients_right(&t, 1, ds, t.s), "%s: gradients", name);
    check_ways(&t, name, dx, ds);
    free(dx), free(ds);
    release(&t);
}

/* Shapes that don't go together have their sentence. */
static void test_refusals(void)
{
    struct rn_graph g;
    struct rn_node half = { .op = &rn_op_pad, .name = "half", .inputs = 1, .as.pad = { 1, 0, 2 } };
    struct rn_node gate = { .op = &rn_op_gate, .name = "gate", .inputs = 2, .in = { 0, 1 } };
    struct rn_node cat = { .op = &rn_op_concat, .name = "cat", .inputs = 2, .in = { 0, 1 } };

    rn_graph_init(&g, (struct rn_shape){ 4, 4, 2 });
    rn_graph_add(&g, &half);
    ok(rn_graph_add(&g, &gate) < 0 && g.status == RN_EUSAGE, "%s", rn_error());
    g.status = 0;
    ok(rn_graph_add(&g, &cat) < 0 && g.status == RN_EUSAGE, "%s", rn_error());
    rn_graph_release(&g);
}

int main(void)
{
    omp_set_dynamic(0);
    test("gate, 4x3 pixels, 17 channels", &rn_op_gate, (struct rn_shape){ 4, 3, 17 });
    test("gate, one pixel", &rn_op_gate, (struct rn_shape){ 1, 1, 3 });
    test("concatenation, 17 + 5 channels", &rn_op_concat, (struct rn_shape){ 3, 4, 17 });
    test("concatenation, 1 + 5 channels", &rn_op_concat, (struct rn_shape){ 1, 2, 1 });
    test_refusals();
    return done();
}
