/* Convolution and linear layer: odd channel counts, groups, strides, asymmetric padding, filters
 * that miss pixels. */
#include "opcheck.h"
#include "ops/stream.h"

enum { BIAS = 1, RESIDUAL = 2, RELU = 4 };

struct conv_case {
    int N, H, W, C, K, G;
    struct rn_window win; /* R S, strides, top left bottom right */
    int with;
};

static const struct conv_case cases[] = {
    { 3, 5, 7, 17, 33, 1, { 1, 1, 1, 1, 0, 0, 0, 0 }, BIAS },
    { 2, 7, 6, 40, 5, 1, { 1, 1, 2, 2, 0, 0, 0, 0 }, 0 },
    { 2, 4, 5, 3, 3, 1, { 1, 1, 2, 2, 1, 1, 1, 1 }, BIAS },  /* outputs that see padding alone */
    { 2, 13, 21, 64, 30, 1, { 1, 1, 1, 1, 0, 0, 0, 0 }, 0 }, /* chunks across the pictures */
    { 5, 25, 14, 33, 40, 1, { 1, 1, 2, 1, 0, 0, 0, 0 }, RELU },
    { 3, 54, 53, 5, 7, 1, { 1, 1, 1, 1, 0, 0, 0, 0 }, BIAS }, /* strips, whole panels or not */
    { 2, 130, 66, 32, 3, 1, { 1, 1, 2, 1, 0, 0, 0, 0 }, 0 },
    /* 1x1 with dy cut into blocks: in two chunks, under a stride */
    { 2, 15, 11, 7, 521, 1, { 1, 1, 1, 1, 0, 0, 0, 0 }, BIAS },
    { 3, 15, 12, 33, 516, 1, { 1, 1, 2, 2, 0, 0, 0, 0 }, RELU },
    { 3, 6, 5, 1, 1, 1, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS },
    { 3, 9, 8, 3, 40, 1, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS | RELU },
    { 2, 7, 9, 33, 17, 1, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS | RESIDUAL | RELU },
    { 2, 5, 5, 40, 40, 1, { 3, 3, 1, 1, 1, 1, 1, 1 }, RESIDUAL },
    { 2, 4, 5, 130, 70, 1, { 3, 3, 1, 1, 1, 1, 1, 1 }, 0 },
    { 5, 6, 11, 17, 40, 1, { 3, 3, 1, 1, 1, 1, 1, 1 }, 0 },   /* more pixels than a chunk */
    { 1, 20, 20, 5, 7, 1, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS }, /* a picture in pieces */
    { 2, 1, 300, 3, 5, 1, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS }, /* a row longer than a chunk */
    { 2, 9, 8, 33, 40, 1, { 3, 3, 2, 2, 1, 1, 1, 1 }, BIAS },
    { 2, 8, 10, 5, 33, 1, { 3, 3, 2, 2, 0, 0, 1, 1 }, BIAS },
    { 2, 7, 6, 17, 5, 1, { 3, 3, 2, 2, 2, 1, 0, 3 }, BIAS | RELU },
    { 4, 1, 1, 5, 17, 1, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS },
    { 2, 15, 13, 1, 33, 1, { 7, 7, 2, 2, 3, 3, 3, 3 }, BIAS | RELU },
    { 2, 14, 12, 3, 17, 1, { 7, 7, 2, 2, 2, 2, 3, 3 }, 0 },
    { 3, 7, 7, 5, 3, 1, { 7, 7, 1, 1, 0, 0, 0, 0 }, BIAS },
    { 2, 8, 9, 5, 7, 1, { 2, 2, 3, 3, 0, 1, 0, 0 }, BIAS }, /* pixels that no filter sees */
    { 2, 4, 11, 3, 17, 1, { 1, 5, 1, 2, 0, 2, 0, 1 }, BIAS },
    { 2, 13, 3, 17, 3, 1, { 5, 1, 3, 1, 1, 0, 3, 0 }, BIAS },
    { 2, 3, 4, 11, 200, 1, { 11, 11, 1, 1, 5, 5, 5, 5 }, 0 }, /* a large stem */
    /* stems: channels, strides, borders on one side, wider than the picture or past what is read */
    { 5, 9, 11, 2, 33, 1, { 3, 3, 1, 1, 0, 1, 2, 0 }, RESIDUAL | RELU },
    { 2, 11, 9, 4, 16, 1, { 7, 7, 2, 2, 3, 2, 1, 4 }, BIAS },
    { 2, 5, 4, 1, 17, 1, { 3, 3, 2, 1, 4, 7, 3, 5 }, BIAS | RELU },
    { 2, 9, 4, 3, 5, 1, { 2, 3, 3, 5, 0, 0, 0, 0 }, 0 },
    { 2, 70, 64, 1, 3, 1, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS }, /* more rows than a band */
    /* Winograd's: tiles over the edge, channels past a panel, shared by pixels and by channels */
    { 2, 14, 13, 34, 40, 1, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS | RESIDUAL | RELU },
    { 1, 16, 12, 40, 70, 1, { 3, 3, 1, 1, 0, 2, 2, 0 }, BIAS },
    { 7, 12, 14, 32, 33, 1, { 3, 3, 1, 1, 0, 0, 1, 2 }, 0 },
    { 3, 8, 9, 36, 97, 1, { 3, 3, 1, 1, 1, 1, 1, 1 }, RELU },
    { 2, 7, 7, 34, 40, 1, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS | RESIDUAL | RELU },
    { 1, 6, 7, 40, 130, 1, { 3, 3, 1, 1, 0, 2, 2, 0 }, BIAS },
    { 9, 9, 8, 32, 33, 1, { 3, 3, 1, 1, 0, 0, 1, 0 }, RESIDUAL },
    { 4, 3, 3, 32, 40, 1, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS },
    { 30, 9, 9, 32, 33, 1, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS }, /* tiles in two chunks */
    { 17, 25, 25, 17, 16, 1, { 3, 3, 1, 1, 1, 1, 1, 1 }, 0 },  /* tiles in groups */
    { 2, 6, 7, 5, 40, 5, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS },
    { 2, 7, 7, 33, 33, 3, { 3, 3, 2, 2, 1, 1, 1, 1 }, BIAS | RESIDUAL | RELU },
    { 2, 5, 6, 40, 66, 2, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS | RELU },
    { 2, 6, 6, 17, 17, 17, { 3, 3, 1, 1, 1, 1, 1, 1 }, 0 },
    { 3, 5, 4, 20, 12, 4, { 1, 1, 2, 2, 0, 0, 0, 0 }, BIAS },
    { 1, 30, 30, 18, 12, 3, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS }, /* pointers in several blocks */
    /* so many groups that one or two threads share them */
    { 2, 9, 8, 51, 34, 17, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS | RESIDUAL },
    { 2, 7, 9, 36, 54, 18, { 3, 3, 2, 2, 1, 1, 1, 1 }, BIAS | RELU },
    /* narrow groups: tiles and vectors that are not full, more pixels than a tile, every width */
    { 5, 7, 9, 37, 37, 37, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS | RESIDUAL | RELU },
    { 2, 9, 8, 24, 24, 24, { 3, 3, 2, 2, 1, 1, 1, 1 }, BIAS },
    { 2, 8, 9, 19, 19, 19, { 5, 3, 1, 1, 2, 1, 0, 2 }, BIAS },
    { 2, 9, 7, 22, 22, 11, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS | RELU },
    { 3, 11, 9, 36, 36, 9, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS | RESIDUAL | RELU },
    { 2, 15, 13, 20, 20, 5, { 3, 3, 2, 2, 1, 1, 1, 1 }, BIAS },
    { 5, 5, 7, 40, 40, 5, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS | RELU },
    { 2, 9, 8, 24, 24, 3, { 3, 3, 2, 2, 1, 1, 1, 1 }, RESIDUAL },
    { 2, 6, 7, 8, 8, 2, { 3, 3, 1, 1, 0, 2, 2, 0 }, 0 },
    { 2, 7, 5, 48, 48, 3, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS | RELU },
    { 2, 7, 9, 32, 32, 2, { 3, 3, 2, 2, 1, 1, 1, 1 }, BIAS },
    { 2, 5, 7, 64, 64, 2, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS | RESIDUAL },
    { 3, 7, 15, 48, 48, 3, { 3, 3, 2, 2, 1, 1, 1, 1 }, BIAS | RELU },
    { 2, 6, 9, 32, 32, 2, { 2, 5, 3, 2, 1, 3, 0, 2 }, BIAS | RESIDUAL },
    { 2, 5, 6, 16, 16, 4, { 3, 3, 1, 1, 4, 4, 3, 3 }, BIAS },
    /* under a stride: more bands than one, pixels that no filter sees, phases of three */
    { 2, 21, 34, 40, 40, 10, { 3, 3, 2, 2, 1, 1, 1, 1 }, BIAS },
    { 2, 7, 6, 24, 24, 6, { 1, 1, 2, 2, 0, 0, 0, 0 }, BIAS },
    { 2, 11, 10, 16, 16, 2, { 2, 5, 3, 3, 1, 0, 3, 2 }, BIAS },
    /* vectors in several blocks */
    { 1, 3, 330, 116, 116, 29, { 3, 3, 1, 1, 1, 1, 1, 1 }, BIAS },
    { 1, 2, 560, 232, 232, 58, { 3, 3, 2, 2, 1, 1, 1, 1 }, BIAS },
};

/* The sum over a filter's taps for output (p, q, k) of one picture; *scale that of the absolute
 * values. */
static double conv_at(const struct rn_node *n, const double *x, const double *w, int p, int q,
                      int k, double *scale)
{
    const struct rn_window *win = &n->as.conv.win;
    int Cg = n->x.C / n->as.conv.G, first = k / (n->as.conv.K / n->as.conv.G) * Cg;
    double sum = 0;

    for (int r = 0; r < win->R; r++)
        for (int s = 0; s < win->S; s++) {
            int h = p * win->stride_h + r - win->top, v = q * win->stride_w + s - win->left;
            if (h < 0 || h >= n->x.H || v < 0 || v >= n->x.W)
                continue;
            for (int c = 0; c < Cg; c++) {
                double a = x[(h * n->x.W + v) * n->x.C + first + c] *
                           w[((k * Cg + c) * win->R + r) * win->S + s];
                sum += a;
                *scale += fabs(a);
            }
        }
    return sum;
}

static void conv_ref(const struct optest *t, const struct operands *o, double *y, double *scale)
{
    const struct rn_node *n = t->node;
    size_t picture = rn_shape_count(n->x), i = 0;

    for (int b = 0; b < t->N; b++)
        for (int p = 0; p < n->y.H; p++)
            for (int q = 0; q < n->y.W; q++)
                for (int k = 0; k < n->y.C; k++, i++) {
                    double bias = o->param[1] ? o->param[1][k] : 0, sum = fabs(bias);
                    y[i] =
                        bias + conv_at(n, o->x + (size_t)b * picture, o->param[0], p, q, k, &sum);
                    if (scale)
                        scale[i] = sum;
                }
}

static void linear_ref(const struct optest *t, const struct operands *o, double *y, double *scale)
{
    size_t C = (size_t)t->node->x.C, K = (size_t)t->node->y.C;

    for (size_t i = 0; i < t->ys; i++) {
        const double *x = o->x + i / K * C, *w = o->param[0] + i % K * C;
        double sum = o->param[1][i % K], size = fabs(sum);
        for (size_t c = 0; c < C; c++) {
            sum += x[c] * w[c];
            size += fabs(x[c] * w[c]);
        }
        y[i] = sum;
        if (scale)
            scale[i] = size;
    }
}

static bool is_winograd(const struct rn_conv *c)
{
    const struct rn_conv_algo *a = c->algo[RN_FORWARD];
    return a == &rn_conv_winograd2 || a == &rn_conv_winograd3 || a == &rn_conv_winograd4;
}

static void test_conv(const struct conv_case *c)
{
    const struct rn_window *w = &c->win;
    char text[96];
    struct optest t = { .text = text,
                        .N = c->N,
                        .relu = c->with & RELU,
                        .residual = c->with & RESIDUAL,
                        .ref = conv_ref };
    struct rn_node node = { .op = &rn_op_conv, .as.conv = { c->K, c->G, c->with & BIAS, *w } };

    snprintf(text, sizeof text, "%dx%d, stride %dx%d, padding %d %d %d %d, %d to %d in %d groups",
             w->R, w->S, w->stride_h, w->stride_w, w->top, w->left, w->bottom, w->right, c->C, c->K,
             c->G);
    for (int inference = 0; inference < 2; inference++) {
        struct rn_conv plan[2];
        t.inference = inference;
        if (!optest_init(&t, (struct rn_shape){ c->H, c->W, c->C }, node))
            return;
        rn_conv_plan(&plan[0], t.node, rn_kernels_get(), true);
        rn_conv_plan(&plan[1], t.node, rn_kernels_get(), false);
        if (inference && plan[0].algo[RN_FORWARD] == plan[1].algo[RN_FORWARD])
            rn_graph_release(&t.graph); /* has been seen */
        else
            t.spreads = is_winograd(&plan[inference]), optest_run(&t);
    }
}

/* Which algorithm a layer gets: a matter of its shape and use alone. */
static void test_policy(void)
{
    static const struct {
        int side, C, K, stride;
        const struct rn_conv_algo *inference, *forward, *data, *weights;
    } layer[] = {
        { 24, 32, 32, 2, &rn_conv_igemm, &rn_conv_igemm, &rn_conv_igemm, &rn_conv_outer },
        { 8, 15, 16, 1, &rn_conv_stem, &rn_conv_stem, &rn_conv_igemm, &rn_conv_outer },
        { 8, 16, 15, 1, &rn_conv_stem, &rn_conv_stem, &rn_conv_igemm, &rn_conv_outer },
        { 2, 32, 32, 1, &rn_conv_igemm, &rn_conv_igemm, &rn_conv_igemm, &rn_conv_outer },
#define ALL(algo) &algo, &algo, &algo
        { 8, 31, 32, 1, &rn_conv_igemm, ALL(rn_conv_winograd4) },
        { 8, 32, 31, 1, &rn_conv_igemm, ALL(rn_conv_winograd4) },
        { 8, 16, 16, 1, &rn_conv_stem, ALL(rn_conv_winograd4) },
        { 3, 32, 32, 1, &rn_conv_igemm, ALL(rn_conv_winograd3) },
        { 4, 32, 32, 1, &rn_conv_igemm, ALL(rn_conv_winograd4) },
        { 5, 32, 32, 1, &rn_conv_igemm, ALL(rn_conv_winograd3) },
        { 6, 32, 32, 1, &rn_conv_winograd2, ALL(rn_conv_winograd3) },
        { 7, 32, 32, 1, &rn_conv_winograd2, ALL(rn_conv_winograd4) },
        { 8, 32, 32, 1, &rn_conv_winograd4, ALL(rn_conv_winograd4) },
        { 9, 32, 32, 1, &rn_conv_winograd3, ALL(rn_conv_winograd3) },
        { 14, 32, 32, 1, &rn_conv_winograd4, ALL(rn_conv_winograd4) },
    };
    for (size_t i = 0; i < sizeof layer / sizeof *layer; i++) {
        int side = layer[i].side, stride = layer[i].stride;
        struct rn_node n = { .op = &rn_op_conv,
                             .x = { side, side, layer[i].C },
                             .y = { side / stride, side / stride, layer[i].K },
                             .as.conv = { layer[i].K, 1, false, rn_window_square(3, stride, 1) } };
        struct rn_conv one, many;
        rn_conv_plan(&one, &n, rn_kernels_get(), false);
        rn_conv_plan(&many, &n, rn_kernels_get(), true);
        ok(one.algo[RN_FORWARD] == layer[i].inference &&
               many.algo[RN_FORWARD] == layer[i].forward &&
               many.algo[RN_BACKWARD_DATA] == layer[i].data &&
               many.algo[RN_BACKWARD_WEIGHTS] == layer[i].weights,
           "3x3, stride %d, %d to %d channels, %dx%d: %s, in training %s", stride, layer[i].C,
           layer[i].K, side, side, layer[i].inference->name, layer[i].forward->name);
    }
}

static bool is_stem(const struct conv_case *c)
{
    return c->G == 1 && c->win.S > 1 && c->C <= 5;
}

/* A stem adds the terms in the indirect GEMM's order: the same bits on any number of threads. */
static void test_stem_bits(const struct conv_case *c, const char *isa)
{
    struct rn_kernels k;
    struct optest t = { .text = "stem", .N = c->N, .relu = c->with & RELU, .ref = conv_ref };
    struct rn_node node = { .op = &rn_op_conv, .as.conv = { c->K, c->G, true, c->win } };
    struct rn_conv plan;
    bool right =
        !rn_kernels_init(&k, isa) && optest_init(&t, (struct rn_shape){ c->H, c->W, c->C }, node);
    struct result y[2];
    static const int threads[] = { 1, 2, 3, 7 };

    rn_conv_plan(&plan, t.node, &k, true);
    right &= plan.algo[RN_FORWARD] == &rn_conv_stem;
    plan.algo[RN_FORWARD] = &rn_conv_igemm;
    y[0] = run_planned(&t, &t.in, t.dy, (struct how){ .k = &k, .threads = 1 }, &plan);
    for (int i = 0; i < 4; i++) {
        y[1] = run_op(&t, &t.in, t.dy, (struct how){ .k = &k, .threads = threads[i] });
        right &= same_bits(y[0].y, y[1].y, t.ys * sizeof(float));
    }
    ok(right, "%dx%d, %d to %d, %s: a stem has igemm's bits", c->win.R, c->win.S, c->C, c->K, isa);
    rn_graph_release(&t.graph);
    give_back(0);
}

/* A depthwise output is one chain in both algorithms: the same bits. */
static void test_depthwise(const char *isa)
{
    struct rn_kernels k;
    struct optest t = { .text = "depthwise", .N = 2, .relu = true, .residual = true };
    struct rn_node node = { .op = &rn_op_conv,
                            .as.conv = { 37, 37, true, rn_window_square(3, 2, 1) } };
    struct rn_conv plan;
    struct result r[2];
    bool right = !rn_kernels_init(&k, isa) && optest_init(&t, (struct rn_shape){ 9, 8, 37 }, node);

    rn_conv_plan(&plan, t.node, &k, true);
    right &= plan.algo[RN_FORWARD] == &rn_conv_grouped &&
             plan.algo[RN_BACKWARD_DATA] == &rn_conv_grouped;
    r[0] = run_op(&t, &t.in, t.dy, (struct how){ .k = &k, .threads = 3 });
    plan.algo[RN_FORWARD] = &rn_conv_igemm;
    r[1] = run_planned(&t, &t.in, t.dy, (struct how){ .k = &k, .threads = 1 }, &plan);
    ok(right && same_bits(r[0].y, r[1].y, t.ys * sizeof(float)), "depthwise, %s: igemm's bits",
       isa);
    rn_graph_release(&t.graph);
    give_back(0);
}

/* The weights of a 1x1 convolution in strips, dy cut into blocks: too many pixels for optest_run(). */
static void test_strips(void)
{
    enum { C = 2, K = 513 };
    struct optest t = { .text = "strips", .N = 2, .ref = conv_ref };
    struct rn_node node = { .op = &rn_op_conv,
                            .as.conv = { K, 1, false, rn_window_square(1, 1, 0) } };
    bool right = optest_init(&t, (struct rn_shape){ 67, 63, C }, node);
    struct how how = { .k = rn_kernels_get(), .threads = 1, .backward = true, .no_dx = true };
    struct result one = run_op(&t, &t.in, t.dy, how);
    how.threads = 3;
    struct result three = run_op(&t, &t.in, t.dy, how);

    ok(same_bits(one.dparam[0], three.dparam[0], C * K * sizeof(float)),
       "1x1, %d to %d, in strips: the same bits", C, K);
    for (size_t i = 0; i < C * K; i++) {
        double sum = 0, size = 0;
        for (size_t m = 0; m < t.ys / K; m++) {
            double part = t.in.x[m * C + i % C] * t.dy[m * K + i / C];
            sum += part;
            size += fabs(part);
        }
        right &= fabs(one.dparam[0][i] - sum) < 1e-5 * size;
    }
    ok(right, "1x1, %d to %d, in strips: the weights' gradient", C, K);
    rn_graph_release(&t.graph);
    give_back(0);
}

/* Outputs so large that they go past the caches: too many pixels for optest_run(). */
static void test_large(const char *text, struct rn_shape x, int K, int G, int R)
{
    struct optest t = { .text = text, .N = 2, .relu = true, .residual = true, .ref = conv_ref };
    struct rn_node node = { .op = &rn_op_conv,
                            .as.conv = { K, G, true, rn_window_square(R, 1, R / 2) } };
    bool right = optest_init(&t, x, node);
    double *y = take(t.ys, sizeof *y), *scale = take(t.ys, sizeof *scale);
    struct how how = { .k = rn_kernels_get(), .threads = 3, .backward = true };
    struct result r = run_op(&t, &t.in, t.dy, how), one;

    ok(right && rn_streams(r.y, t.ys / (size_t)K, (size_t)K), "%s: is streamed", text);
    reference(&t, &t.in, y, scale);
    ok(forward_right(&t, r.y, y, scale), "%s: forward", text);
    how.threads = 1;
    one = run_op(&t, &t.in, t.dy, how);
    ok(same_result(&t, &one, &r), "%s: the same bits on 1 and 3 threads", text);
    rn_graph_release(&t.graph);
    ok(give_back(0), "%s: nothing else written", text);
}

static void test_linear(const char *text, int N, int C, int K, bool relu)
{
    struct optest t = { .text = text, .N = N, .relu = relu, .ref = linear_ref };
    struct rn_node node = { .op = &rn_op_linear, .as.linear = { K } };
    if (optest_init(&t, (struct rn_shape){ 1, 1, C }, node))
        optest_run(&t);
}

/* A NaN in one input pixel reaches the gradient of every weight that has multiplied it, and no
 * other input channel's. */
static void test_nan_weight(const char *isa)
{
    struct rn_kernels k;
    struct optest t = { .text = "3x3", .N = 2, .ref = conv_ref };
    struct rn_node node = { .op = &rn_op_conv,
                            .as.conv = { 7, 1, true, rn_window_square(3, 1, 1) } };
    bool right = !rn_kernels_init(&k, isa) && optest_init(&t, (struct rn_shape){ 6, 6, 5 }, node);

    t.in.x[((1 * 6 + 3) * 6 + 3) * 5 + 2] = NAN; /* second picture, an inner pixel, channel 2 */
    struct result r =
        run_op(&t, &t.in, t.dy, (struct how){ .k = &k, .threads = 1, .backward = true });
    for (size_t i = 0; i < t.ps[0]; i++)
        right &= !!isnan(r.dparam[0][i]) == (i / 9 % 5 == 2);
    for (size_t i = 0; i < t.ps[1]; i++)
        right &= !isnan(r.dparam[1][i]);
    for (size_t i = 0; i < t.xs; i++)
        right &= !isnan(r.dx[i]);
    ok(right, "3x3, %s: NaN in x reaches its weights' gradients alone", isa);
    rn_graph_release(&t.graph);
    give_back(0);
}

/* What can't be is refused, and the sentence names the node. */
static void test_refused(const char *text, struct rn_shape x, struct rn_node node)
{
    struct rn_graph g;
    node.inputs = 1;
    snprintf(node.name, sizeof node.name, "layer9.conv");
    bool refused = !rn_graph_init(&g, x) && rn_graph_add(&g, &node) == -1 && g.status == RN_EUSAGE;
    ok(refused && strstr(rn_error(), "layer9.conv"), "%s is refused: %s", text, rn_error());
    rn_graph_release(&g);
}

int main(void)
{
    test_policy();
    const char *isa[ISAS];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        test_conv(&cases[i]);
    test_strips();
    test_large("1x1, large", (struct rn_shape){ 128, 130, 16 }, 64, 1, 1);
    test_large("3x3 in groups, large", (struct rn_shape){ 128, 130, 64 }, 64, 16, 3);
    test_large("a large stem", (struct rn_shape){ 128, 130, 3 }, 64, 1, 3);
    test_linear("linear, 512 to 10", 3, 512, 10, false);
    test_linear("linear, 17 to 33", 5, 17, 33, false);
    test_linear("linear, 1 to 1 with ReLU", 4, 1, 1, true);
    for (int i = 0, n = all_isas(isa); i < n; i++)
        test_nan_weight(isa[i]), test_depthwise(isa[i]);
    for (int i = 0, n = all_isas(isa); i < n; i++)
        for (size_t j = 0; j < sizeof cases / sizeof *cases; j++)
            if (is_stem(&cases[j]))
                test_stem_bits(&cases[j], isa[i]);
    test_refused("a filter larger than its input", (struct rn_shape){ 3, 9, 4 },
                 (struct rn_node){ .op = &rn_op_conv,
                                   .as.conv = { 4, 1, false, rn_window_square(7, 1, 1) } });
    test_refused("groups that do not divide the input", (struct rn_shape){ 9, 9, 5 },
                 (struct rn_node){ .op = &rn_op_conv,
                                   .as.conv = { 6, 3, false, rn_window_square(3, 1, 1) } });
    test_refused("groups that do not divide the output", (struct rn_shape){ 9, 9, 6 },
                 (struct rn_node){ .op = &rn_op_conv,
                                   .as.conv = { 7, 3, false, rn_window_square(3, 1, 1) } });
    test_refused("a linear layer on a map", (struct rn_shape){ 2, 2, 5 },
                 (struct rn_node){ .op = &rn_op_linear, .as.linear = { 3 } });
    return done();
}
