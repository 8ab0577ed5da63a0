/*
 * Stochastic depth and residual blocks that begin as the identity: what is drawn depends on seed,
 * epoch and picture alone, at the rates of a line; the step's bits not on the threads; parity with
 * PyTorch is golden.c's.
 */
#include "train/drop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tap.h"

enum { N = 8, SIDE = 8, CLASSES = 3, EPOCHS = 500 };

static const char *const spec = "cifar-resnet20:stages=2x4+3x8,stem-width=4"; /* 5 blocks */

static struct rn_trainer *trainer(struct rn_model **m, int threads)
{
    struct rn_trainer *t;
    if (rn_model_new(m, spec, 1, SIDE, SIDE, CLASSES))
        return NULL;
    rn_model_init(*m, RN_INIT_DEFAULT, 3);
    return rn_trainer_new(&t, *m, N, threads) || rn_drop_init(t, 0.8) ? NULL : t;
}

static void test_rates(struct rn_trainer *t)
{
    long index[N];
    int skipped[4] = { 0 };
    bool two_values = true;

    for (int i = 0; i < N; i++)
        index[i] = 100 + i;
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        rn_drop_draw(t, 7, epoch, index, N);
        for (int d = 0; d < 4; d++)
            for (int i = 0; i < N; i++) {
                float keep = t->keep[d * N + i];
                skipped[d] += keep == 0;
                two_values &= keep == 0 || keep == (float)(1 / (1 - 0.8 * (d + 1) / 4));
            }
    }
    ok(t->drops == 4, "the first of 5 blocks is never skipped");
    ok(two_values, "a factor is 0 or one over the share that stays");
    for (int d = 0; d < 4; d++) {
        double p = 0.2 * (d + 1), share = skipped[d] / (double)(N * EPOCHS);
        ok(fabs(share - p) < 4 * sqrt(p * (1 - p) / (N * EPOCHS)), "block %d is skipped by %.3f",
           d + 1, share);
    }
}

/* Pictures of a batch in another order, batch and place have the same factors. */
static void test_names(struct rn_trainer *t)
{
    const long index[N] = { 5, 0, 9, 1000000, 3, 4, 8, 2 }, two[2] = { 8, 9 };
    float keep[4 * N];
    bool same = true, other = false;

    rn_drop_draw(t, 7, 3, index, N);
    memcpy(keep, t->keep, sizeof keep);
    rn_drop_draw(t, 7, 3, two, 2);
    for (int d = 0; d < 4; d++)
        same &= t->keep[d * N] == keep[d * N + 6] && t->keep[d * N + 1] == keep[d * N + 2];
    ok(same, "a picture's factors are its own, whatever batch it is in");
    rn_drop_draw(t, 7, 4, index, N);
    other = memcmp(keep, t->keep, sizeof keep);
    rn_drop_draw(t, 8, 3, index, N);
    ok(other && memcmp(keep, t->keep, sizeof keep), "another epoch or seed, other factors");
}

/* Three steps; the parameters. */
static float *train(int threads)
{
    struct rn_model *m;
    struct rn_trainer *t = trainer(&m, threads);
    float x[N * SIDE * SIDE], *all;
    int label[N];
    long index[N];

    for (int i = 0; i < N * SIDE * SIDE; i++)
        x[i] = (float)sin(i);
    for (int i = 0; i < N; i++)
        label[i] = i % CLASSES, index[i] = i;
    struct rn_sgd sgd = { .lr = 0.05, .momentum = 0.9 };
    for (int step = 0; step < 3; step++) {
        rn_drop_draw(t, 1, step, index, N);
        rn_trainer_run(t, x, label, N, &sgd);
    }
    all = malloc(m->arena.size);
    memcpy(all, m->arena.base, m->arena.size);
    rn_trainer_free(t);
    rn_model_free(m);
    return all;
}

static void test_threads(size_t bytes)
{
    float *one = train(1), *two = train(2), *five = train(5);
    ok(!memcmp(one, two, bytes) && !memcmp(one, five, bytes), "same bits on 1, 2 and 5 threads");
    free(one), free(two), free(five);
}

static void refuses(const char *text)
{
    struct rn_model *m;
    struct rn_trainer *t;
    if (ok(!rn_model_new(&m, text, 1, SIDE, SIDE, CLASSES) && !rn_trainer_new(&t, m, N, 1), "%s",
           text)) {
        ok(rn_drop_init(t, 0.5) == RN_EUSAGE, "%s", rn_error());
        rn_trainer_free(t);
        rn_model_free(m);
    }
}

/* Does a network with zero branches give what it gives without its residual blocks' branches? The
 * stages keep their shape, so a network with more blocks gives the same. */
static void test_zero(const char *text, const char *more, int blocks)
{
    struct rn_model *m[2];
    struct rn_session *s;
    float x[2 * SIDE * SIDE], y[2][2 * CLASSES] = { { 0 }, { 1 } };
    int zero[2] = { 0, 0 };

    for (int i = 0; i < 2 * SIDE * SIDE; i++)
        x[i] = (float)sin(i);
    for (int i = 0; i < 2; i++) {
        if (rn_model_new(&m[i], i ? more : text, 1, SIDE, SIDE, CLASSES))
            continue;
        rn_model_init(m[i], RN_INIT_DEFAULT, 3);
        zero[i] = rn_model_zero_residual(m[i]);
        for (int p = 0; i && p < m[1]->graph.params; p++) { /* the same stem and head */
            int at = rn_graph_find(&m[0]->graph, m[1]->graph.param[p].name);
            if (at >= 0)
                memcpy(m[1]->value[p], m[0]->value[at], rn_param_bytes(&m[1]->graph.param[p]));
        }
        if (!rn_session_new(&s, m[i], 2, 1)) {
            rn_session_run(s, x, 2, y[i]);
            rn_session_free(s);
        }
    }
    ok(zero[0] == blocks && zero[1] == blocks + 2, "%s: %d branches are zero", text, zero[0]);
    ok(!memcmp(y[0], y[1], sizeof y[0]), "%s: two blocks more give the same bits", text);
    rn_model_free(m[0]);
    rn_model_free(m[1]);
}

int main(void)
{
    struct rn_model *m;
    struct rn_trainer *t = trainer(&m, 2);

    if (ok(t != NULL, "a trainer that drops")) {
        test_rates(t);
        test_names(t);
        test_threads(m->arena.size);
        rn_trainer_free(t);
        rn_model_free(m);
    }
    refuses("cifar-resnet20:stages=2x4,stem-width=4,plain");
    refuses("cifar-resnet20:stages=1x4,stem-width=4");
    test_zero("resnet18:stages=1x8,stem=3x3,stem-width=8",
              "resnet18:stages=3x8,stem=3x3,stem-width=8", 1);
    test_zero("resnet18:stages=1x8,stem=3x3,stem-width=8,se=0.5",
              "resnet18:stages=3x8,stem=3x3,stem-width=8,se=0.5", 1);
    test_zero("resnet50:stages=1x16,stem=3x3,stem-width=8",
              "resnet50:stages=3x16,stem=3x3,stem-width=8", 1);
    test_zero("preact-resnet18:stages=1x8,stem=3x3,stem-width=8,bias",
              "preact-resnet18:stages=3x8,stem=3x3,stem-width=8,bias", 1);
    return done();
}
