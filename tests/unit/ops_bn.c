/* Batch norm: with and without fused residual and ReLU, statistics of the batch and running ones.
 */
#include "opcheck.h"
#include "ops/stream.h"

enum { GAMMA, BETA, MEAN, VAR, TRACKED };
static const float eps = 1e-5f, momentum = 0.1f;

static void batch_statistics(const double *x, size_t rows, size_t C, size_t c, double *mean,
                             double *var)
{
    *mean = *var = 0;
    for (size_t r = 0; r < rows; r++)
        *mean += x[r * C + c] / (double)rows;
    for (size_t r = 0; r < rows; r++)
        *var += (x[r * C + c] - *mean) * (x[r * C + c] - *mean) / (double)rows;
}

static void bn_ref(const struct optest *t, const struct operands *o, double *y, double *scale)
{
    size_t C = (size_t)t->node->y.C, rows = t->ys / C;

    for (size_t c = 0; c < C; c++) {
        double mean = o->param[MEAN][c], var = o->param[VAR][c];
        if (t->training)
            batch_statistics(o->x, rows, C, c, &mean, &var);
        double a = o->param[GAMMA][c] / sqrt(var + (double)eps), b = o->param[BETA][c];
        for (size_t i = c; i < t->ys; i += C) {
            y[i] = (o->x[i] - mean) * a + b;
            if (scale)
                scale[i] = (fabs(o->x[i]) + fabs(mean)) * fabs(a) + fabs(b);
        }
    }
}

static bool bn_init(struct optest *t, int H, int W, int C)
{
    struct rn_node node = { .op = &rn_op_bn, .as.bn = { eps, momentum, false } };
    if (!optest_init(t, (struct rn_shape){ H, W, C }, node))
        return false;
    for (size_t c = 0; c < t->ps[VAR]; c++)
        t->in.param[VAR][c] = 1 + 0.5 * t->in.param[VAR][c];
    for (size_t i = 0; i < t->xs; i++) /* means and deviations that differ by channel */
        t->in.x[i] =
            (float)(t->in.x[i] * (1 + (double)(i % (size_t)C) / C) + 0.3 * (double)(i % 3));
    return true;
}

static void test_bn(const char *text, int N, int H, int W, int C, bool residual, bool relu)
{
    struct optest t = {
        .text = text, .N = N, .training = true, .residual = residual, .relu = relu, .ref = bn_ref
    };
    if (bn_init(&t, H, W, C))
        optest_run(&t);
    char running[96];
    snprintf(running, sizeof running, "%s, running statistics", text);
    t = (struct optest){
        .text = running, .N = N, .forward = true, .residual = residual, .relu = relu, .ref = bn_ref
    };
    if (bn_init(&t, H, W, C))
        optest_run(&t);
}

/* running = (1 - momentum) running + momentum * statistic, the variance unbiased, as PyTorch; the
 * batch is counted. */
static bool moved_right(const struct optest *t, const struct result *r)
{
    size_t C = (size_t)t->node->y.C, rows = t->ys / C;
    const float *mean = r->param[MEAN], *var = r->param[VAR];
    const int64_t *tracked = r->param[TRACKED];
    bool right = *tracked == 1;

    for (size_t c = 0; c < C; c++) {
        double m, v;
        batch_statistics(t->in.x, rows, C, c, &m, &v);
        v *= (double)rows / (double)(rows - 1);
        right &= fabs(mean[c] - (0.9 * t->in.param[MEAN][c] + 0.1 * m)) < 1e-6;
        right &= fabs(var[c] - (0.9 * t->in.param[VAR][c] + 0.1 * v)) < 1e-6;
    }
    return right;
}

static void test_running(const char *isa)
{
    struct rn_kernels k;
    struct optest t = { .text = "running statistics", .N = 2, .training = true, .ref = bn_ref };
    bool right = !rn_kernels_init(&k, isa) && bn_init(&t, 2, 3, 33);
    struct result r = run_op(&t, &t.in, t.dy, (struct how){ .k = &k, .threads = 1 });

    ok(right && moved_right(&t, &r), "running statistics move as PyTorch's, %s", isa);
    t.in.x[4] = NAN;
    r = run_op(&t, &t.in, t.dy, (struct how){ .k = &k, .threads = 1, .backward = true });
    const float *mean = r.param[MEAN], *var = r.param[VAR];
    for (size_t c = 0; c < 33; c++)
        right &= !!isnan(mean[c]) == (c == 4) && !!isnan(var[c]) == (c == 4) &&
                 !!isnan(r.dparam[GAMMA][c]) == (c == 4);
    for (size_t i = 0; i < t.xs; i++)
        right &= !!isnan(r.dx[i]) == (i % 33 == 4);
    ok(right, "NaN in x reaches its channel's statistics and gradients alone, %s", isa);
    rn_graph_release(&t.graph);
    give_back(0);
}

/* A large mean beside a small deviation must not cancel: variance from E[x^2] - E[x]^2 in float
 * would be gone. */
static void test_offset(const char *isa)
{
    struct rn_kernels k;
    struct optest t = { .text = "offset", .N = 4, .training = true, .ref = bn_ref };
    bool right = !rn_kernels_init(&k, isa) && bn_init(&t, 8, 8, 5);

    for (size_t i = 0; i < t.xs; i++)
        t.in.x[i] = (float)(1000 + t.in.x[i]);
    struct result r = run_op(&t, &t.in, t.dy, (struct how){ .k = &k, .threads = 1 });
    double *y = take(t.ys, sizeof *y), error = 0, norm = 0;
    bn_ref(&t, &t.in, y, NULL);
    for (size_t i = 0; i < t.ys; i++) {
        error += (r.y[i] - y[i]) * (r.y[i] - y[i]);
        norm += y[i] * y[i];
    }
    ok(right && sqrt(error / norm) < 3e-4, "a mean a thousand times the deviation, %s: error %.2g",
       isa, sqrt(error / norm));
    rn_graph_release(&t.graph);
    give_back(0);
}

/* Outputs so large that they go past the caches. */
static void test_large(void)
{
    struct optest t = {
        .text = "large", .N = 2, .training = true, .residual = true, .relu = true, .ref = bn_ref
    };
    bool right = bn_init(&t, 128, 130, 64);
    double *y = take(t.ys, sizeof *y), *scale = take(t.ys, sizeof *scale);
    struct how how = { .k = rn_kernels_get(), .threads = 3, .backward = true };
    struct result r = run_op(&t, &t.in, t.dy, how), one;

    ok(right && rn_streams(r.y, t.ys / 64, 64), "large batch norm: is streamed");
    reference(&t, &t.in, y, scale);
    ok(forward_right(&t, r.y, y, scale), "large batch norm: forward");
    for (size_t i = 0; i < t.ys; i++)
        right &= r.dres[i] == (r.y[i] <= 0 ? 0 : (float)t.dy[i]);
    ok(right, "large batch norm: the residual's gradient");
    how.threads = 1;
    one = run_op(&t, &t.in, t.dy, how);
    ok(same_result(&t, &one, &r), "large batch norm: the same bits on 1 and 3 threads");
    rn_graph_release(&t.graph);
    ok(give_back(0), "large batch norm: nothing else written");
}

int main(void)
{
    const char *isa[ISAS];
    test_large();
    test_bn("batch norm of 1 channel", 3, 5, 4, 1, false, false);
    test_bn("batch norm of 17", 3, 5, 5, 17, false, false);
    test_bn("batch norm of 33 with ReLU", 2, 7, 6, 33, false, true);
    test_bn("batch norm of 40 with residual", 2, 9, 9, 40, true, false);
    test_bn("batch norm of 5 with residual and ReLU", 5, 6, 7, 5, true, true);
    test_bn("batch norm of 64 on 1x1 maps", 5, 1, 1, 64, true, true);
    for (int i = 0, n = all_isas(isa); i < n; i++) {
        test_running(isa[i]);
        test_offset(isa[i]);
    }
    return done();
}
