/* How exact Winograd's algorithms are: against a direct convolution in double, on normal data and
 * He's weights. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "ops/conv.h"
#include "tap.h"

enum { OUT = 48 };

static float *normal(size_t n, double std, uint64_t sample)
{
    float *v = rn_alloc(n, sizeof *v);
    struct rn_rng r;
    rn_rng_init(&r, 5, RN_RNG_TEST, 0, sample);
    for (size_t i = 0; v && i < n; i++)
        v[i] = (float)(rn_rng_normal(&r) * std);
    return v;
}

/* An output of the convolution with padding 1. */
static double output(const float *x, const float *w, int side, int C, int p, int q, int k)
{
    double sum = 0;
    for (int t = 0; t < 9; t++) {
        int h = p + t / 3 - 1, v = q + t % 3 - 1;
        if (h < 0 || h >= side || v < 0 || v >= side)
            continue;
        for (int c = 0; c < C; c++)
            sum += (double)x[(h * side + v) * C + c] * w[(k * C + c) * 9 + t];
    }
    return sum;
}

/* The gradient of weight [k][c][t], dy having OUT channels. */
static double weight_grad(const float *x, const float *dy, int N, int side, int C, int k, int c,
                          int t)
{
    double sum = 0;
    for (int n = 0; n < N; n++)
        for (int p = 0; p < side; p++)
            for (int q = 0; q < side; q++) {
                int h = p + t / 3 - 1, v = q + t % 3 - 1;
                if (h < 0 || h >= side || v < 0 || v >= side)
                    continue;
                sum += (double)x[((n * side + h) * side + v) * C + c] *
                       dy[((n * side + p) * side + q) * OUT + k];
            }
    return sum;
}

/* Distance from the truth, as it adds up. */
struct error {
    double square, norm, most;
};

static void add_error(struct error *e, double is, double want)
{
    e->square += (is - want) * (is - want);
    e->norm += want * want;
    e->most = fmax(e->most, fabs(is - want));
}

static void judge(const struct error *e, const char *what, double relative, double absolute)
{
    double error = sqrt(e->square / e->norm);
    ok(error < relative, "%s: relative error %.2g, at most %.2g", what, error, relative);
    ok(e->most < absolute, "%s: largest error %.2g, at most %.2g", what, e->most, absolute);
}

static void plan_layer(struct rn_conv *plan, int side, int C, bool training)
{
    struct rn_node n = { .op = &rn_op_conv,
                         .x = { side, side, C },
                         .y = { side, side, OUT },
                         .as.conv = { OUT, 1, false, rn_window_square(3, 1, 1) } };
    rn_conv_plan(plan, &n, rn_kernels_get(), training);
}

static void test_outputs(const struct rn_conv_algo *algo, int side, int C, double relative,
                         double absolute)
{
    struct rn_conv plan;
    plan_layer(&plan, side, C, false);
    float *x = normal((size_t)(side * side * C), 1, 0);
    float *w = normal((size_t)OUT * (size_t)C * 9, sqrt(2.0 / (9 * C)), 1);
    float *y = rn_alloc((size_t)(side * side * OUT), sizeof *y);
    void *packed = rn_alloc(rn_conv_packed(&plan, RN_FORWARD), 1);
    void *scratch = rn_alloc(rn_conv_scratch(&plan, RN_FORWARD, 1, 1), 1);
    struct rn_conv_run run = { .N = 1, .x = x, .packed = packed, .y = y, .scratch = scratch };
    struct error e = { 0 };

    rn_conv_pack(&plan, RN_FORWARD, w, NULL, packed, 0, 1);
    rn_conv_run(&plan, RN_FORWARD, &run, 0, 1);
    for (int i = 0; i < side * side * OUT; i++)
        add_error(&e, y[i], output(x, w, side, C, i / OUT / side, i / OUT % side, i % OUT));
    ok(plan.algo[RN_FORWARD] == algo, "%d channels, %dx%d: %s", C, side, side, algo->name);
    judge(&e, "outputs", relative, absolute);
    rn_free(x);
    rn_free(w);
    rn_free(y);
    rn_free(packed);
    rn_free(scratch);
}

static void test_weights(const struct rn_conv_algo *algo, int N, int side, int C, double relative,
                         double absolute)
{
    struct rn_conv plan;
    plan_layer(&plan, side, C, true);
    float *x = normal((size_t)(N * side * side * C), 1, 0);
    float *dy = normal((size_t)(N * side * side * OUT), 1, 1);
    float *dw = rn_alloc((size_t)OUT * (size_t)C * 9, sizeof *dw);
    void *scratch = rn_alloc(rn_conv_scratch(&plan, RN_BACKWARD_WEIGHTS, N, 1), 1);
    struct rn_conv_run run = { .N = N, .x = x, .dy = dy, .dw = dw, .scratch = scratch };
    struct error e = { 0 };

    rn_conv_run(&plan, RN_BACKWARD_WEIGHTS, &run, 0, 1);
    for (int i = 0; i < OUT * C * 9; i++)
        add_error(&e, dw[i], weight_grad(x, dy, N, side, C, i / 9 / C, i / 9 % C, i % 9));
    ok(plan.algo[RN_BACKWARD_WEIGHTS] == algo, "%d channels, %d of %dx%d: %s", C, N, side, side,
       algo->name);
    judge(&e, "weight gradient", relative, absolute);
    rn_free(x);
    rn_free(dy);
    rn_free(dw);
    rn_free(scratch);
}

int main(void)
{
    test_outputs(&rn_conv_winograd4, 12, 64, 1.2e-6, 1.2e-5);
    test_outputs(&rn_conv_winograd4, 12, 512, 2.6e-6, 3e-5);
    test_outputs(&rn_conv_winograd3, 9, 64, 1.2e-6, 1e-5);
    test_outputs(&rn_conv_winograd3, 9, 512, 2.6e-6, 2e-5);
    test_outputs(&rn_conv_winograd2, 7, 64, 4e-7, 3e-6);
    test_outputs(&rn_conv_winograd2, 7, 512, 9e-7, 5e-6);
    test_weights(&rn_conv_winograd4, 40, 12, 64, 2.2e-6, 1e-3);
    test_weights(&rn_conv_winograd3, 40, 6, 64, 1.8e-6, 8e-4);
    test_weights(&rn_conv_winograd3, 7, 3, 96, 7e-7, 4e-5);
    return done();
}
