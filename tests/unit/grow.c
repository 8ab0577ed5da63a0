/*
 * Growth and ungrouping on trained weights: grown networks give the same bits, wherever the blocks
 * stand, and learn on; dense convolutions give what grouped ones do, but for rounding.
 */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "model/model.h"
#include "tap.h"
#include "train/step.h"

enum { N = 16, SIDE = 12, CLASSES = 4, STEPS = 8 };

/* Steps on pictures of which each class has its own mean; the last loss. */
static double train(struct rn_model *m, int steps)
{
    struct rn_trainer *t;
    struct rn_sgd sgd = { .lr = 0.02, .momentum = 0.9, .weight_decay = 0, .nesterov = false };
    struct rn_rng r;
    float x[N * SIDE * SIDE];
    int label[N];
    double loss = NAN;

    if (rn_trainer_new(&t, m, N, 2))
        return NAN;
    for (int step = 0; step < steps; step++) {
        rn_rng_init(&r, 2, RN_RNG_TEST, 0, (uint64_t)step);
        for (int i = 0; i < N * SIDE * SIDE; i++)
            x[i] = (float)(rn_rng_normal(&r) + (i / (SIDE * SIDE)) % CLASSES);
        for (int i = 0; i < N; i++)
            label[i] = i % CLASSES;
        loss = rn_trainer_run(t, x, label, N, &sgd);
    }
    rn_trainer_free(t);
    return loss;
}

static struct rn_model *trained(const char *spec)
{
    static char *const label[] = { "a", "b", "c", "d" };
    struct rn_model *m;

    if (!ok(!rn_model_new(&m, spec, 1, SIDE, SIDE, CLASSES), "%s", spec))
        return NULL;
    rn_model_init(m, RN_INIT_DEFAULT, 1);
    ok(isfinite(train(m, STEPS)) && !rn_model_set_labels(m, label), "trained");
    return m;
}

/* The parameter of another name or model is the same. */
static bool moved(const struct rn_model *a, const char *from, const struct rn_model *b,
                  const char *to)
{
    int i = rn_graph_find(&a->graph, from), j = rn_graph_find(&b->graph, to);
    return i >= 0 && j >= 0 &&
           !memcmp(a->value[i], b->value[j], rn_param_bytes(&a->graph.param[i]));
}

static void test_grow(const char *spec, const char *more, int at)
{
    struct rn_model *m = trained(spec), *g = NULL;
    double d = 1;

    if (!m)
        return;
    if (ok(!rn_model_grow(&g, m, more, at, 5), "to %s, behind %d", more, at)) {
        int status = rn_model_difference(g, m, N, 3, &d);
        ok(!status && d == 0, "outputs differ by %g", d);
        ok(!strcmp(rn_model_label(g, 2), "c") && strstr(g->provenance, m->text), "%s",
           g->provenance);
        double loss = train(g, STEPS);
        status = rn_model_difference(g, m, N, 3, &d);
        ok(isfinite(loss) && !status && d > 0, "and it learns on: %g", loss);
    }
    rn_model_free(g);
    rn_model_free(m);
}

static void test_places(void)
{
    struct rn_model *m = trained("resnet18:stages=3x8,stem=3x3,stem-width=8"), *g;
    const char *more = "resnet18:stages=5x8,stem=3x3,stem-width=8";

    if (m && ok(!rn_model_grow(&g, m, more, 0, 5), "two blocks behind block 0")) {
        ok(moved(m, "layer1.0.conv1.weight", g, "layer1.0.conv1.weight") &&
               moved(m, "layer1.1.bn2.running_var", g, "layer1.3.bn2.running_var") &&
               moved(m, "layer1.2.conv2.weight", g, "layer1.4.conv2.weight"),
           "the others have moved");
        rn_model_free(g);
    }
    rn_model_free(m);
}

static void refuses(const struct rn_model *m, const char *spec, const char *why)
{
    struct rn_model *g;
    ok(rn_model_grow(&g, m, spec, -1, 1) == RN_EUSAGE && !g && strstr(rn_error(), why), "%s",
       rn_error());
}

static void test_refusals(void)
{
    struct rn_model *m = trained("resnet18:stages=2x8+2x12,stem=3x3,stem-width=8");
    if (m) {
        refuses(m, "resnet18:stages=1x8+2x12,stem=3x3,stem-width=8", "more blocks");
        refuses(m, "resnet18:stages=2x8+2x16,stem=3x3,stem-width=8", "more blocks");
        refuses(m, "resnet18:stages=2x8,stem=3x3,stem-width=8", "more blocks");
        refuses(m, "resnet18:stages=3x8+2x12,stem=3x3,stem-width=9", "stem-width");
        refuses(m, "resnet18:stages=3x8+2x12,stem=3x3,stem-width=8,bias", "bias");
        refuses(m, "nonsense", "nearest");
    }
    rn_model_free(m);
    if ((m = trained("resnet18:stages=2x8,stem=3x3,stem-width=8,plain")))
        refuses(m, "resnet18:stages=3x8,stem=3x3,stem-width=8,plain", "identity");
    rn_model_free(m);
    if ((m = trained("cifar-resnet9:stages=2x8,stem-width=8")))
        refuses(m, "cifar-resnet9:stages=3x8,stem-width=8", "identity");
    rn_model_free(m);
}

static void test_ungroup(const char *spec, const char *want)
{
    struct rn_model *m = trained(spec), *g = NULL;
    double d = 1;

    if (!m)
        return;
    if (ok(!rn_model_ungroup(&g, m), "without groups")) {
        ok(!strcmp(g->text, want), "is %s", g->text);
        int status = rn_model_difference(g, m, N, 3, &d);
        ok(!status && d < 1e-6, "outputs differ by %.1e", d);
    }
    rn_model_free(g);
    rn_model_free(m);
}

int main(void)
{
    struct rn_model *m, *g;

    test_grow("resnet18:stages=2x8+2x12,stem=3x3,stem-width=8",
              "resnet18:stages=3x8+4x12,stem=3x3,stem-width=8", -1);
    test_grow("resnet18:stages=2x8+2x12,stem=3x3,stem-width=8",
              "resnet18:stages=3x8+4x12,stem=3x3,stem-width=8", 0);
    test_grow("cifar-resnet20:stages=1x8+1x12,stem-width=8,se=0.25",
              "cifar-resnet20:stages=2x8+1x12,stem-width=8,se=0.25", -1);
    test_grow("resnet50:stages=1x16+2x24,stem=3x3,stem-width=8",
              "resnet50:stages=4x16+3x24,stem=3x3,stem-width=8", 0);
    test_grow("preact-resnet18:stages=2x8+2x12,stem=3x3,stem-width=8",
              "preact-resnet18:stages=3x8+3x12,stem=3x3,stem-width=8", 0);
    test_grow("preact-resnet50:stages=1x16+1x24,stem=3x3,stem-width=8",
              "preact-resnet50:stages=2x16+2x24,stem=3x3,stem-width=8", -1);
    test_grow("d2l-resnet:stages=1x8+1x12,stem=3x3,stem-width=8",
              "d2l-resnet:stages=2x8+2x12,stem=3x3,stem-width=8", -1);
    test_grow("regnet_y_400mf:stages=1x16+1x24,stem-width=8",
              "regnet_y_400mf:stages=2x16+2x24,stem-width=8", -1);
    test_places();
    test_refusals();
    test_ungroup("resnext50_32x4d:stages=1x64+1x128,stem=3x3,stem-width=8,groups=4,base-width=16",
                 "resnext50_32x4d:in=1,classes=4,stages=1x64+1x128,stem=3x3,stem-width=8,groups=1,"
                 "base-width=64");
    test_ungroup("d2l-resnext:stages=1x8+1x16,stem=3x3,stem-width=8,group-width=4",
                 "d2l-resnext:classes=4,stages=1x8+1x16,stem=3x3,stem-width=8,group-width=0");
    test_ungroup("resnet50:stages=1x32,stem=3x3,stem-width=8,groups=4,group-width=4",
                 "resnet50:in=1,classes=4,stages=1x32,stem=3x3,stem-width=8,group-width=16");
    test_ungroup("resnet18:stages=1x8+1x16,stem=3x3,stem-width=8,groups=4",
                 "resnet18:in=1,classes=4,stages=1x8+1x16,stem=3x3,stem-width=8");
    test_ungroup("regnet_x_400mf:stages=1x16+1x24,stem-width=8,group-width=8",
                 "regnet_x_400mf:in=1,classes=4,stages=1x16+1x24,stem-width=8,group-width=0");
    if ((m = trained("resnet18:stages=1x8,stem=3x3,stem-width=8")))
        ok(rn_model_ungroup(&g, m) == RN_EUSAGE && !g, "%s", rn_error());
    rn_model_free(m);
    return done();
}
