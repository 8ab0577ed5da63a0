/* Batch norm folded: equal to convolution and batch norm one after the other, for every channel. */
#include "weights/surgery.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "tap.h"

enum { K = 5, TAPS = 2 * 3 * 3 }; /* channels out; weights of each */

static const struct rn_node *find(const struct rn_model *m, const char *name)
{
    for (int i = 0; i < m->graph.nodes; i++)
        if (!strcmp(m->graph.node[i].name, name))
            return &m->graph.node[i];
    printf("Bail out! no node %s\n", name);
    exit(1);
}

static void randomise(const struct rn_model *m)
{
    struct rn_rng r;
    rn_rng_init(&r, 1, RN_RNG_TEST, 0, 0);
    for (int i = 0; i < m->graph.params; i++) {
        const struct rn_param *p = &m->graph.param[i];
        float *v = m->value[i];
        for (size_t e = 0; p->dtype == RN_F32 && e < rn_param_count(p); e++)
            v[e] = (float)(rn_rng_uniform(&r) + 0.25); /* positive: variances are among them */
    }
}

/* Largest difference, over channels, of the folded convolution of x and the two in turn. */
static double difference(const struct rn_model *m, const struct rn_node *conv,
                         const struct rn_node *bn, const float *w, const float *bias)
{
    const float *w0 = rn_model_value(m, conv, 0);
    const float *b0 = conv->as.conv.bias ? rn_model_value(m, conv, 1) : NULL;
    const float *gamma = rn_model_value(m, bn, 0), *beta = rn_model_value(m, bn, 1);
    const float *mean = rn_model_value(m, bn, 2), *var = rn_model_value(m, bn, 3);
    double worst = 0;
    for (int k = 0; k < K; k++) {
        double y = b0 ? b0[k] : 0, folded = bias[k];
        for (int t = 0; t < TAPS; t++) {
            double x = sin(t + 1);
            y += x * w0[k * TAPS + t];
            folded += x * w[k * TAPS + t];
        }
        y = (y - mean[k]) / sqrt(var[k] + (double)bn->as.bn.eps) * gamma[k] + beta[k];
        worst = fmax(worst, fabs(y - folded));
    }
    return worst;
}

static void test_fold(const char *spec, bool biased)
{
    struct rn_model *m;
    if (!ok(!rn_model_new(&m, spec, 2, 16, 16, 3), "%s", spec))
        return;
    const struct rn_node *conv = find(m, "conv1"), *bn = find(m, "bn1");
    float w[K * TAPS], bias[K], scale[K], shift[K];
    randomise(m);
    ok(conv->as.conv.bias == biased, "its first convolution has %s bias", biased ? "a" : "no");
    rn_fold(m, conv, bn, w, bias);
    double d = difference(m, conv, bn, w, bias);
    ok(d < 2e-6, "folded, it differs by %.2g", d);

    rn_fold_affine(m, bn, scale, shift);
    const float *w0 = rn_model_value(m, conv, 0);
    bool same = true;
    for (int k = 0; k < K; k++)
        same = same && fabsf(w0[k * TAPS] * scale[k] - w[k * TAPS]) < 1e-6f &&
               (biased || shift[k] == bias[k]);
    ok(same, "scale and shift alone are the same");

    static const float zeros[K];
    rn_fold(m, conv, NULL, w, bias);
    ok(!memcmp(w, w0, sizeof(w)) &&
           !memcmp(bias, biased ? rn_model_value(m, conv, 1) : zeros, sizeof(bias)),
       "without batch norm they are copied");
    rn_model_free(m);
}

int main(void)
{
    test_fold("cifar-resnet20:stages=1x5,stem-width=5", false);
    test_fold("cifar-resnet20:stages=1x5,stem-width=5,bias=yes", true);
    return done();
}
