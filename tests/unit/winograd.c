/* How exact Winograd's F(4x4, 3x3) and F(2x2, 3x3) are: against a direct convolution in double, on normal data and
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

static double direct(const float *x, const float *w, int side, int C, int p, int q, int k)
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

static void test_error(const struct rn_conv_algo *algo, int side, int C, double relative,
                       double absolute)
{
    struct rn_node n = { .op = &rn_op_conv,
                         .x = { side, side, C },
                         .y = { side, side, OUT },
                         .as.conv = { OUT, 1, false, rn_window_square(3, 1, 1) } };
    struct rn_conv plan;
    rn_conv_plan(&plan, &n, rn_kernels_get());
    float *x = normal((size_t)(side * side * C), 1, 0);
    float *w = normal((size_t)OUT * (size_t)C * 9, sqrt(2.0 / (9 * C)), 1);
    float *y = rn_alloc((size_t)(side * side * OUT), sizeof *y);
    void *packed = rn_alloc(rn_conv_packed(&plan, RN_FORWARD), 1);
    void *scratch = rn_alloc(rn_conv_scratch(&plan, RN_FORWARD, 1, 1), 1);
    struct rn_conv_run run = { .N = 1, .x = x, .packed = packed, .y = y, .scratch = scratch };
    double error = 0, norm = 0, most = 0;

    rn_conv_pack(&plan, RN_FORWARD, w, NULL, packed, 0, 1);
    rn_conv_run(&plan, RN_FORWARD, &run, 0, 1);
    for (int i = 0; i < side * side * OUT; i++) {
        double want = direct(x, w, side, C, i / OUT / side, i / OUT % side, i % OUT);
        error += (y[i] - want) * (y[i] - want);
        norm += want * want;
        most = fmax(most, fabs(y[i] - want));
    }
    error = sqrt(error / norm);
    ok(plan.algo[RN_FORWARD] == algo, "%d channels, %dx%d: %s", C, side, side, algo->name);
    ok(error < relative, "relative error %.2g, at most %.2g", error, relative);
    ok(most < absolute, "largest error %.2g, at most %.2g", most, absolute);
    rn_free(x);
    rn_free(w);
    rn_free(y);
    rn_free(packed);
    rn_free(scratch);
}

int main(void)
{
    test_error(&rn_conv_winograd, 12, 64, 1.2e-6, 1.2e-5);
    test_error(&rn_conv_winograd, 12, 512, 2.6e-6, 3e-5);
    test_error(&rn_conv_winograd2, 7, 64, 4e-7, 3e-6);
    test_error(&rn_conv_winograd2, 7, 512, 9e-7, 5e-6);
    return done();
}
