/*
 * Surgery on weights: casts to the last bit, means, averages of a checkpoint, fresh classifiers,
 * folding, descriptions; figures and distances of tensors.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "weights/cast.h"
#include "weights/edit.h"
#include "weights/modelfile.h"
#include "weights/recognise.h"

static const char narrow[] = "resnet18:classes=3,stages=1x8+1x12,stem-width=8";

/* ---- casts ---- */

static double value_of(uint16_t bits, enum rn_dtype type)
{
    struct rn_tensor t = { .dtype = type, .data = &bits, .bytes = sizeof bits };
    return rn_element(&t, 0);
}

static uint16_t bits_of(double v, enum rn_dtype type)
{
    struct rn_tensor t = { .dtype = RN_F64, .data = &v, .bytes = sizeof v };
    uint16_t bits;
    rn_cast(&bits, type, &t);
    return bits;
}

/* All numbers come back as they are; between neighbours the nearer is taken, halfway the even. */
static bool rounds(enum rn_dtype type, uint16_t infinite)
{
    for (uint16_t b = 0; b < infinite - 1; b++) {
        double low = value_of(b, type), high = value_of(b + 1, type), half = (low + high) / 2;
        if (bits_of(low, type) != b || bits_of(-low, type) != (b | 0x8000) ||
            bits_of(half, type) != b + (b & 1) || bits_of(nextafter(half, 0), type) != b ||
            bits_of(nextafter(half, INFINITY), type) != b + 1)
            return false;
    }
    return true;
}

static void check_casts(void)
{
    ok(rounds(RN_F16, 0x7c00), "every F16, and what lies between two");
    ok(rounds(RN_BF16, 0x7f80), "every BF16, and what lies between two");
    ok(value_of(0x3c00, RN_F16) == 1 && value_of(0xc000, RN_F16) == -2 &&
           value_of(1, RN_F16) == 0x1p-24 && value_of(0x7bff, RN_F16) == 65504,
       "F16: 1, -2, the smallest, the largest");
    ok(value_of(0x3f80, RN_BF16) == 1 && value_of(0x4049, RN_BF16) == 3.140625 &&
           value_of(1, RN_BF16) == 0x1p-133,
       "BF16: 1, pi, the smallest");
    ok(bits_of(65519.99, RN_F16) == 0x7bff && bits_of(65520, RN_F16) == 0x7c00 &&
           bits_of(-1e300, RN_F16) == 0xfc00 && bits_of(INFINITY, RN_BF16) == 0x7f80 &&
           bits_of(1e-300, RN_F16) == 0,
       "what is too large is infinite, too small 0");
    ok(isnan(value_of(bits_of(NAN, RN_F16), RN_F16)) && isnan(value_of(0x7f81, RN_BF16)),
       "NaN stays NaN");
}

/* ---- weights ---- */

/* A model of random parameters as weights, which point into the model. */
static struct rn_model *make(struct rn_weights *w, const char *spec, uint64_t seed)
{
    struct rn_model *m;
    if (rn_model_new(&m, spec, 0, 32, 32, 0)) {
        ok(false, "%s: %s", spec, rn_error());
        exit(done());
    }
    rn_model_init(m, RN_INIT_KAIMING, seed);
    for (int i = 0; i < m->graph.params; i++)
        if (m->graph.param[i].rank == 1 && m->graph.param[i].dtype == RN_F32)
            for (size_t j = 0; j < rn_param_count(&m->graph.param[i]); j++)
                ((float *)m->value[i])[j] += 0.25f + (float)(seed * 31 + j % 7) / 64;
    if (rn_gather_model(w, m))
        ok(false, "%s", rn_error());
    return m;
}

static const float *floats(const struct rn_weights *w, const char *name)
{
    const struct rn_tensor *t = rn_weights_find(w, name);
    return t ? t->data : NULL;
}

static void check_average(void)
{
    struct rn_weights a, b, c;
    struct rn_model *m[] = { make(&a, narrow, 1), make(&b, narrow, 2), make(&c, narrow, 3) };
    struct rn_weights *others[] = { &b, &c };
    const char *paths[] = { "A", "B", "C" };
    float x = floats(&a, "fc.weight")[5], y = floats(&b, "fc.weight")[5],
          z = floats(&c, "fc.weight")[5];
    ok(!rn_weights_average(&a, others, 2, paths), "three models have a mean");
    ok(floats(&a, "fc.weight")[5] == (float)(((double)x + y + z) / 3), "rounded once from double");
    ok(a.tensors == m[0]->graph.params, "and all their tensors");
    rn_gather_release(&c);
    rn_model_free(m[2]);
    m[2] = make(&c, "resnet18:classes=4,stages=1x8+1x12,stem-width=8", 3);
    ok(rn_weights_average(&b, others + 1, 1, paths + 1) && strstr(rn_error(), "C"),
       "other networks have none: %s", rn_error());
    rn_gather_release(&a);
    rn_gather_release(&b);
    rn_gather_release(&c);
    for (int i = 0; i < 3; i++)
        rn_model_free(m[i]);
}

static void check_ema(void)
{
    struct rn_weights w;
    struct rn_model *m = make(&w, narrow, 1);
    float average[24], momentum[24] = { 0 };
    for (int i = 0; i < 24; i++)
        average[i] = (float)i;
    ok(rn_weights_ema(&w, "FILE") && strstr(rn_error(), "FILE"), "none in it: %s", rn_error());
    rn_gather_tensor(&w, "ema.fc.weight", RN_F32, 2, (int[]){ 3, 8 }, average);
    rn_gather_tensor(&w, "optim.momentum.fc.weight", RN_F32, 2, (int[]){ 3, 8 }, momentum);
    rn_gather_meta(&w, "rn.train.step", "7");
    ok(!rn_weights_ema(&w, "FILE") && !rn_weights_find(&w, "ema.fc.weight") &&
           floats(&w, "fc.weight")[5] == 5 && rn_weights_find(&w, "conv1.weight"),
       "the average stands in the place of what was trained");
    ok(rn_weights_find(&w, "optim.momentum.fc.weight") && !rn_weights_strip(&w, "FILE") &&
           !rn_weights_find(&w, "optim.momentum.fc.weight") && w.tensors == m->graph.params &&
           !rn_weights_meta(&w, "rn.train.step") && rn_weights_meta(&w, "rn.spec"),
       "stripped, the model is left");
    rn_gather_release(&w);
    rn_model_free(m);
}

static void check_head(void)
{
    struct rn_weights a, b;
    struct rn_model *m = make(&a, narrow, 1), *n = make(&b, narrow, 2), *read;
    const void *kept = floats(&a, "conv1.weight");
    ok(!rn_weights_head(&a, "A", 5) && !rn_weights_head(&b, "B", 5), "a head of 5 classes");
    ok(floats(&a, "conv1.weight") == kept, "the others are not copied");
    ok(!memcmp(floats(&a, "fc.weight"), floats(&b, "fc.weight"), 5 * 12 * sizeof(float)) &&
           floats(&a, "fc.weight")[3] != 0,
       "it is always the same");
    ok(!rn_model_from_weights(&read, &a, "A") && rn_model_classes(read) == 5, "a model of 5");
    rn_model_free(read);
    rn_gather_release(&a);
    rn_gather_release(&b);
    rn_model_free(m);
    rn_model_free(n);
}

/* Are the activations of a model and its folded twin the same bits? */
struct most {
    double absolute;
    int blocks;
};

static void take_most(void *arg, const char *name, double absolute, double relative)
{
    struct most *most = arg;
    (void)name;
    (void)relative;
    most->absolute = fmax(most->absolute, absolute);
    most->blocks++;
}

static void check_fold(const char *spec)
{
    struct rn_weights w;
    struct rn_model *m = make(&w, spec, 4), *folded = NULL;
    struct most most = { 0 };
    bool good = !rn_weights_fold(&w, "FILE") && !rn_model_from_weights(&folded, &w, "FILE") &&
                !rn_model_compare(folded, m, 1, take_most, &most);
    ok(good && most.absolute == 0 && most.blocks > 3 && !rn_weights_find(&w, "bn1.weight"),
       "%s folded gives the same bits (%d blocks)", spec, most.blocks);
    if (!good)
        printf("# %s\n", rn_error());
    if (folded && m->graph.params > 1) {
        ((float *)folded->value[folded->graph.params - 1])[0] += 1;
        most = (struct most){ 0 };
        rn_model_compare(folded, m, 1, take_most, &most);
        ok(most.absolute > 0.5, "and a changed bias shows");
    }
    rn_model_free(folded);
    rn_gather_release(&w);
    rn_model_free(m);
}

static void check_folds(void)
{
    struct rn_weights w;
    check_fold(narrow);
    check_fold("resnet50d:classes=3,stages=1x16+2x32,stem-width=8");
    check_fold("d2l-resnet18:stages=1x8+1x12,stem-width=8");
    check_fold("cifar-resnet20:stages=1x8+1x16,stem-width=8");
    check_fold("regnet_y_400mf:stages=1x16+1x24,stem-width=8,classes=5");
    struct rn_model *m = make(&w, "cifar-wrn-16-8:stages=1x8+1x12,stem-width=8", 4);
    ok(rn_weights_fold(&w, "FILE") && strstr(rn_error(), "layer1.0.bn1"),
       "pre-activation is refused: %s", rn_error());
    rn_gather_release(&w);
    rn_model_free(m);
}

static void check_cast_file(void)
{
    struct rn_weights w;
    struct rn_model *m = make(&w, narrow, 1), *read;
    float first = floats(&w, "conv1.weight")[0];
    ok(!rn_weights_cast(&w, RN_BF16) && rn_weights_find(&w, "conv1.weight")->dtype == RN_BF16 &&
           rn_weights_find(&w, "bn1.num_batches_tracked")->dtype == RN_I64,
       "parameters as BF16, counters as they were");
    ok(!rn_model_from_weights(&read, &w, "FILE") &&
           ((float *)read->value[0])[0] == value_of(bits_of(first, RN_BF16), RN_BF16),
       "and read as F32 again");
    rn_model_free(read);
    rn_gather_release(&w);
    rn_model_free(m);
}

/* ---- descriptions ---- */

static bool describes(struct rn_weights *w, struct rn_description d, const char *refusal)
{
    int status = rn_weights_describe(w, "FILE", &d);
    return refusal ? status && strstr(rn_error(), refusal) : !status;
}

static void check_description(void)
{
    static const char *const label[] = { "a", "b", "c", "d" };
    struct rn_weights w;
    struct rn_model *m = make(&w, narrow, 1);
    ok(describes(&w, (struct rn_description){ .label = label, .labels = 4 }, "has 3 classes"),
       "four names for three classes: %s", rn_error());
    ok(describes(&w, (struct rn_description){ .means = 2 }, "3 channels"), "two means: %s",
       rn_error());
    ok(describes(&w, (struct rn_description){ .resize = "short=8" }, "short=8"), "%s", rn_error());
    ok(describes(&w, (struct rn_description){ .resize = "short=8,crop=8", .H = 9, .W = 9 }, "9x9"),
       "%s", rn_error());
    ok(describes(&w,
                 (struct rn_description){ .label = label,
                                          .labels = 3,
                                          .resize = "short=40,crop=36",
                                          .means = 1,
                                          .mean = { 0.5f },
                                          .stds = 3,
                                          .std = { 1, 2, 4 } },
                 NULL),
       "all of it");
    ok(!strcmp(rn_weights_meta(&w, "rn.labels"), "[\"a\",\"b\",\"c\"]") &&
           !strcmp(rn_weights_meta(&w, "rn.input"), "3x36x36") &&
           !strcmp(rn_weights_meta(&w, "rn.mean"), "0.5,0.5,0.5") &&
           !strcmp(rn_weights_meta(&w, "rn.std"), "1,2,4") &&
           !strcmp(rn_weights_meta(&w, "rn.resize"), "short=40,crop=36"),
       "stands in the metadata");
    rn_gather_release(&w);
    rn_model_free(m);
}

/* ---- figures ---- */

static void check_figures(void)
{
    float a[] = { 1, -2, NAN, 4, 5 }, b[] = { 1, -2.5f, NAN, 4, 5 }, c[] = { 1, -2, 0, 4, 5 };
    struct rn_tensor s = { .name = "s", .dtype = RN_F32, .rank = 1, .dim = { 5 }, .bytes = 20 };
    struct rn_tensor t = s, u = s, empty = { .dtype = RN_F32, .rank = 1 };
    struct rn_stats f;
    double absolute, relative;
    s.data = a;
    t.data = b;
    u.data = c;
    rn_tensor_stats(&s, &f);
    ok(f.min == -2 && f.max == 5 && f.mean == 2 && fabs(f.std - sqrt(7.5)) < 1e-15 && f.nans == 1,
       "figures without the NaN");
    rn_tensor_stats(&empty, &f);
    ok(isnan(f.min) && isnan(f.mean) && f.nans == 0, "of nothing");
    ok(rn_tensor_distance(&s, &t, &absolute, &relative) && absolute == 0.5 && relative == 0.1,
       "a distance, NaN beside NaN");
    ok(rn_tensor_distance(&s, &u, &absolute, &relative) && isinf(absolute) && isinf(relative),
       "NaN beside a number");
    u.dim[0] = 4;
    ok(!rn_tensor_distance(&s, &u, &absolute, &relative), "shapes differ");
}

/* A count of batches is one whole number: less or more would be read from beside it. */
static void check_counters(void)
{
    struct rn_tensor t = { .name = "bn1.num_batches_tracked", .dtype = RN_I64, .bytes = 8 };
    ok(rn_is_counter(&t), "a counter");
    t.rank = 1;
    t.bytes = 0;
    ok(!rn_is_counter(&t), "a counter of no elements is none");
    t.dim[0] = 8;
    t.bytes = 8;
    t.dtype = RN_I8;
    ok(!rn_is_counter(&t), "nor is one of eight");
}

int main(void)
{
    check_casts();
    check_counters();
    check_average();
    check_ema();
    check_head();
    check_folds();
    check_cast_file();
    check_description();
    check_figures();
    return done();
}
