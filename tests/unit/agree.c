/*
 * Training and inference compute the same network, for a narrow twin of every row of the variant
 * table: with the running statistics set to those of the batch, a session gives the logits of the
 * training forward. And the bits depend on neither threads nor batch.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "infer/session.h"
#include "ops/loss.h"
#include "tap.h"
#include "train/step.h"

enum { N = 6, CLASSES = 7 };

static const char *const twins[] = {
    "d2l-resnet18:stages=2x8+2x12+2x16+2x24,stem-width=8",
    "resnet18:stages=2x8+2x16+2x24+2x32,stem-width=8",
    "resnet34:stages=3x8+4x12+6x16+3x20,stem-width=8",
    "resnet50:stages=3x16+4x24+6x32+3x40,stem-width=8,base-width=128",
    "resnet101:stages=3x16+4x24+23x32+3x40,stem-width=8",
    "resnet152:stages=3x16+8x24+36x32+3x40,stem-width=8",
    "resnet50:stages=1x32+1x48+1x64+1x96,stem-width=8,groups=4,group-width=4",
    "resnet18:stages=1x8+1x16,stem-width=8,groups=4,bias=yes,stem=3x3",
    "cifar-resnet20:stages=3x4+3x8+3x16,stem-width=4",
    "cifar-resnet32:stages=5x4+5x8+5x16,stem-width=4",
    "cifar-resnet44:stages=7x4+7x9+7x16,stem-width=4",
    "cifar-resnet56:stages=9x4+9x8+9x17,stem-width=4",
    "cifar-resnet110:stages=18x4+18x8+18x16,stem-width=4",
    "resnet50d:stages=1x16+1x24+1x32,stem-width=9",
    "resnet50:stages=1x16+2x24,stem-width=8,stride-at=1x1,plain",
    "d2l-resnext:stages=1x8+1x16+1x32,stem-width=8,group-width=4",
    "cifar-resnext29_8x64d:stages=1x16+1x32,stem-width=8,base-width=32",
    "preact-resnet18:stages=2x8+2x12+1x16,stem-width=8",
    "preact-resnet50:stages=2x16+2x24,stem-width=8",
    "cifar-preact-resnet110:stages=2x4+2x8+2x16,stem-width=4",
    "cifar-wrn-28-10:stages=2x20+2x24,stem-width=4,padding=same",
    "regnet_x_400mf:stages=1x16+2x24,stem-width=8,group-width=8",
    "regnet_y_400mf:stages=1x16+2x24+1x40,stem-width=8",
    "resnet18:stages=1x8+1x16,stem-width=8,se=0.25,shortcut=pad-end,padding=same",
    "cifar-resnet9:stages=2x8+1x12+2x16,stem-width=8",
    "resnet9:stages=2x8+1x12+2x16,stem-width=8",
    "d2l-resnet:block=inception,stages=2x16+1x24,stem-width=8",
    "resnet18:block=inception-bn,stages=1x9+2x24,stem=3x3,stem-width=8",
    "resnet18:block=shift,stages=2x20+1x28,stem=3x3,stem-width=8,bot-mul=1.5",
};

/* Batch norm takes the batch's statistics over, whole. */
static void track_batch(struct rn_model *m)
{
    for (int i = 0; i < m->graph.nodes; i++)
        if (m->graph.node[i].op == &rn_op_bn)
            m->graph.node[i].as.bn.momentum = 1;
}

/* The running variance is the unbiased one, training normalises by the biased. */
static void make_biased(struct rn_model *m)
{
    for (int i = 0; i < m->graph.nodes; i++) {
        const struct rn_node *n = &m->graph.node[i];
        float rows = (float)(N * n->y.H * n->y.W);
        if (n->op == &rn_op_bn)
            for (int c = 0; c < n->y.C; c++)
                ((float *)rn_model_value(m, n, 3))[c] *= (rows - 1) / rows;
    }
}

static struct rn_model *make_model(const char *spec)
{
    struct rn_model *m = NULL;
    if (!ok(!rn_model_new(&m, spec, 2, 40, 36, CLASSES), "%s", spec))
        return NULL;
    rn_model_init(m, RN_INIT_DEFAULT, 3);
    track_batch(m);
    return m;
}

static float *make_pictures(const struct rn_model *m, int pictures)
{
    size_t n = (size_t)pictures * (size_t)(m->prep.C * m->prep.H * m->prep.W);
    float *x = rn_alloc(n, sizeof *x);
    struct rn_rng r;
    rn_rng_init(&r, 9, RN_RNG_TEST, 0, 0);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)rn_rng_normal(&r);
    return x;
}

static float *make_batch(const struct rn_model *m, int *label)
{
    float *x = make_pictures(m, N);
    for (int i = 0; i < N; i++)
        label[i] = i % CLASSES;
    return x;
}

static void test_agree(const char *spec)
{
    struct rn_model *m = make_model(spec);
    struct rn_trainer *t;
    struct rn_session *s;
    int label[N];
    float logits[N * CLASSES];

    if (!m)
        return;
    float *x = make_batch(m, label);
    if (ok(!rn_trainer_new(&t, m, N, 2), "a trainer")) {
        size_t bytes;
        ok(!rn_trainer_bytes(m, N, 2, &bytes) && bytes == t->arena.size,
           "the memory of training was foretold: %zu", bytes);
        rn_trainer_run(t, x, label, N, NULL);
        make_biased(m);
        if (ok(!rn_session_new(&s, m, N, 2), "a session")) {
            double error = 0;
            ok(!rn_session_bytes(m, N, 2, &bytes) && bytes == s->arena.size,
               "the memory of inference was foretold: %zu", bytes);
            rn_session_run(s, x, N, logits);
            for (int i = 0; i < N; i++) {
                double loss = rn_cross_entropy(logits + i * CLASSES, CLASSES, label[i]);
                error = fmax(error, fabs(loss - t->loss[i]) / t->loss[i]);
            }
            ok(error < 1e-6 * m->graph.nodes, "training and inference agree to %.1e", error);
            rn_session_free(s);
        }
        rn_trainer_free(t);
    }
    rn_free(x);
    rn_model_free(m);
}

/* Parameters after three steps on so many threads, hashed by comparing with those of one thread. */
static void train(const char *spec, int threads, struct rn_model **out)
{
    struct rn_trainer *t;
    int label[N];

    if (!(*out = make_model(spec)))
        return;
    float *x = make_batch(*out, label);
    if (!rn_trainer_new(&t, *out, N, threads)) {
        for (int i = 0; i < 3; i++)
            rn_trainer_step(t, x, label, N - i, 0.1, 0.9, true, 1e-4);
        rn_trainer_free(t);
    }
    rn_free(x);
}

static void test_threads(const char *spec)
{
    struct rn_model *one, *many;

    train(spec, 1, &one);
    for (int threads = 2; threads <= 5 && one; threads++) {
        train(spec, threads, &many);
        ok(many && !memcmp(one->arena.base, many->arena.base, one->arena.size),
           "three steps: the same bits on %d threads", threads);
        rn_model_free(many);
    }
    rn_model_free(one);
}

/* Batches that the team runs together, that each thread runs alone, in slices of one and of
 * several sizes, against one picture after the other. An op that waits for the team where it should
 * not makes it hang. */
static void test_slices(const char *spec)
{
    enum { PICTURES = 70 };
    static const struct {
        int n, batch, threads;
    } cases[] = { { PICTURES, PICTURES, 1 },
                  { PICTURES, PICTURES, 2 },
                  { PICTURES, PICTURES, 3 },
                  { 40, PICTURES, 2 },
                  { 33, PICTURES, 2 }, /* alone, one slice and two */
                  { 6, 6, 3 },
                  { 3, 6, 7 },
                  { PICTURES, PICTURES, 7 } };
    static float single[PICTURES * CLASSES], whole[PICTURES * CLASSES];
    struct rn_model *m = make_model(spec);
    struct rn_session *s;

    if (!m)
        return;
    float *x = make_pictures(m, PICTURES);
    size_t picture = (size_t)(m->prep.C * m->prep.H * m->prep.W);
    if (ok(!rn_session_new(&s, m, 1, 1), "a session"))
        for (size_t i = 0; i < PICTURES; i++)
            rn_session_run(s, x + i * picture, 1, single + i * CLASSES);
    rn_session_free(s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int n = cases[i].n, threads = cases[i].threads;
        if (!ok(!rn_session_new(&s, m, cases[i].batch, threads), "a session"))
            continue;
        rn_session_run(s, x, n, whole);
        ok(!memcmp(whole, single, (size_t)n * CLASSES * sizeof *whole),
           "%d pictures on %d threads: the bits of single pictures", n, threads);
        rn_session_free(s);
    }
    rn_free(x);
    rn_model_free(m);
}

int main(void)
{
    for (size_t i = 0; i < sizeof twins / sizeof *twins; i++)
        test_agree(twins[i]);
    test_threads(twins[0]);
    test_threads(twins[6]);
    test_threads(twins[8]);
    test_slices(twins[0]);
    test_slices(twins[6]);
    test_slices(twins[8]);
    test_threads(twins[13]); /* average pool on the shortcut */
    test_threads(twins[22]); /* squeeze-and-excitation */
    test_slices(twins[22]);
    test_threads(twins[25]); /* concatenation */
    test_slices(twins[25]);
    test_threads(twins[27]); /* shift */
    return done();
}
