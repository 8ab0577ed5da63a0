/*
 * Random specs by a seed: valid ones are trained and run (finite, the same bits on 1 and 3 threads,
 * the canonical text builds the same network), impossible ones are answered with one sentence. 40 of
 * each; RN_SPECS in the environment says how many (tests/acceptance: 500).
 */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "model/model.h"
#include "tap.h"
#include "train/step.h"

enum { N = 3, TEXT = 400, CLASSES_MAX = 12 };

static struct rn_rng rng;

static int below(int n)
{
    return (int)rn_rng_below(&rng, (uint64_t)n);
}

static const char *any(const char *const *words, int n)
{
    return words[below(n)];
}

static void __attribute__((format(printf, 2, 3))) append(char *text, const char *fmt, ...)
{
    size_t n = strlen(text);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text + n, TEXT - n, fmt, ap);
    va_end(ap);
}

/* Stages whose channels are multiples of `unit`, growing, so that most keys fit. */
static void put_stages(char *text, int unit)
{
    int stages = 1 + below(3), channels = unit;
    for (int i = 0; i < stages; i++) {
        channels += unit * below(3);
        append(text, "%s%dx%d", i ? "+" : "stages=", 1 + below(2), channels);
    }
}

/* A network that has a good chance to be possible. */
static void random_spec(char *text)
{
    static const char *const row[] = { "resnet18",        "resnet50",        "d2l-resnet18",
                                       "preact-resnet18", "preact-resnet50", "cifar-resnet20",
                                       "regnet_y_400mf",  "cifar-resnet9",   "resnet9" };
    static const char *const key[] = {
        "plain",
        "bias",
        "padding=same",
        "norm=none",
        "shortcut=conv",
        "shortcut=pad",
        "shortcut=pad-end",
        "shortcut=avg-conv-bn",
        "se=0.25",
        "pool=max",
        "stem=3x3",
        "stem=deep",
        "stem=3x3-s2",
        "stride-at=1x1",
        "first-stride=2",
        "bn-biased",
        "bn-eps=0.001",
        "bot-mul=0.5",
        "block=bottleneck",
        "block=preact",
        "block=inception",
        "block=inception-bn",
        "block=shift",
        "groups=2",
    };
    int unit = 4 * (1 + below(3)) + (below(4) ? 0 : below(4));
    snprintf(text, TEXT, "%s:in=%d,classes=%d,", any(row, 8), 1 + below(5),
             2 + below(CLASSES_MAX - 1));
    if (!strncmp(text, "regnet", 6))
        append(text, "group-width=%d,", unit);
    put_stages(text, unit);
    append(text, ",stem-width=%d", unit);
    for (int i = below(4); i > 0; i--)
        append(text, ",%s", any(key, sizeof key / sizeof *key));
}

/* Is rn_error() one sentence that starts with its place? */
static bool one_sentence(void)
{
    const char *e = rn_error();
    return *e && strlen(e) < 500 && !strchr(e, '\n') && strstr(e, ": ");
}

static float *random_batch(const struct rn_model *m, int *label)
{
    size_t n = (size_t)N * (size_t)(m->prep.C * m->prep.H * m->prep.W);
    float *x = rn_alloc(n, sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)rn_rng_normal(&rng);
    for (int i = 0; i < N; i++)
        label[i] = below(m->spec.classes);
    return x;
}

/* Two steps from the same start; the model, or NULL. */
static struct rn_model *train(const char *text, int side, const float *x, const int *label,
                              int threads, double *loss)
{
    struct rn_model *m;
    struct rn_trainer *t;
    if (rn_model_new(&m, text, 0, side, side + 1, 0))
        return NULL;
    rn_model_init(m, RN_INIT_DEFAULT, 5);
    if (!rn_trainer_new(&t, m, N, threads)) {
        rn_trainer_step(t, x, label, N, 0.001, 0.9, false, 1e-4);
        *loss = rn_trainer_step(t, x, label, N, 0.001, 0.9, false, 1e-4);
        rn_trainer_free(t);
    }
    return m;
}

static bool logits_finite(const struct rn_model *m, const float *x)
{
    struct rn_session *s;
    float logits[N * (CLASSES_MAX + 1)];
    bool finite = true;
    if (rn_session_new(&s, m, N, 2))
        return false;
    rn_session_run(s, x, N, logits);
    for (int i = 0; i < N * m->spec.classes; i++)
        finite &= !!isfinite(logits[i]);
    rn_session_free(s);
    return finite;
}

static bool works(const struct rn_model *shape, const char *text, int side)
{
    int label[N];
    double loss[2] = { NAN, NAN };
    float *x = random_batch(shape, label);
    struct rn_model *one = train(text, side, x, label, 1, &loss[0]);
    struct rn_model *many = train(shape->text, side, x, label, 3, &loss[1]); /* canonical */
    bool right = one && many && isfinite(loss[0]) && loss[0] == loss[1] &&
                 one->arena.size == many->arena.size &&
                 !memcmp(one->arena.base, many->arena.base, one->arena.size) &&
                 logits_finite(one, x);
    rn_model_free(one);
    rn_model_free(many);
    rn_free(x);
    return right;
}

/* A spec that can't be, whatever stands before. */
static void spoil(char *text)
{
    static const char *const key[] = {
        "groups=65535",
        "classes=0",
        "clases=3",
        "stages=0x8",
        "stages=2x8+",
        "bot-mul=17",
        "bn-eps=0",
        "bn-eps=inf",
        "padding=no",
        "stride=2",
        "out=3",
        "in=",
        "stem",
        "se=-1",
        "=",
        "block=bas",
        "in=1e3",
        "classes=1000001",
        "pool=",
        "stages=1x8x8",
        "proj",
        "",
        "first-stride=3",
        "bias=maybe",
        "bn-momentum=0x1",
        "group-width=-1",
    };
    append(text, ",%s", any(key, sizeof key / sizeof *key));
}

static void test_valid(int count)
{
    int valid = 0, refused = 0;
    while (valid < count && refused < 20 * count) {
        char text[TEXT];
        struct rn_model *m;
        int side = 8 + below(20);
        random_spec(text);
        if (rn_model_shape(&m, text, 0, side, side + 1)) {
            refused++;
            if (!one_sentence())
                ok(false, "%s at %d: refused with \"%s\"", text, side, rn_error());
            continue;
        }
        valid++;
        if (!works(m, text, side))
            ok(false, "%s at %dx%d: %s", text, side, side + 1, rn_error());
        rn_model_free(m);
    }
    ok(valid == count, "%d random networks train and run; %d others were refused", valid, refused);
}

static void test_invalid(int count)
{
    for (int i = 0; i < count; i++) {
        char text[TEXT];
        struct rn_model *m;
        random_spec(text);
        spoil(text);
        int status = rn_model_shape(&m, text, 0, 16, 16);
        if (status != RN_EUSAGE || !one_sentence())
            ok(false, "%s: %d, \"%s\"", text, status, rn_error());
        rn_model_free(m);
    }
    ok(true, "%d impossible specs have their sentence", count);
}

int main(void)
{
    const char *many = getenv("RN_SPECS");
    int count = many ? atoi(many) : 40;

    rn_rng_init(&rng, 11, RN_RNG_TEST, 0, 0);
    test_valid(count);
    test_invalid(count);
    return done();
}
