/*
 * Parity with PyTorch: tests/golden/NAME.safetensors, written by scripts/golden.py in float64,
 * against our training and inference. Pictures, labels and parameters are computed here as there:
 * from name, seed and element number. The rule for gradients is that of a layer: a bias before
 * batch norm has gradient 0, so its error is measured by its layer's weight.
 */
#include "golden.h"

#include "ops/conv.h"
#include "train/drop.h"

enum { STEPS = 10, THREADS = 2 };

/* Stochastic depth of a batch, by numbers both sides compute instead of drop.c's. */
static void drop(const struct golden *g, struct rn_trainer *t, int step)
{
    char name[32];
    for (int d = 0; d < t->drops; d++) {
        double p = g->drop * (d + 1) / t->drops;
        snprintf(name, sizeof name, "drop.%d.%d", step, d + 1);
        for (int i = 0; i < g->n; i++)
            t->keep[d * g->n + i] =
                (uniform(name, g->seed, (size_t)i) + 1) / 2 < p ? 0 : (float)(1 / (1 - p));
    }
}

/* A trainer that drops where the golden file does; NULL when there can be none. */
static struct rn_trainer *make_trainer(const struct golden *g, struct rn_model *m, int threads)
{
    struct rn_trainer *t;
    if (rn_trainer_new(&t, m, g->n, threads))
        return NULL;
    if (g->drop > 0 && rn_drop_init(t, g->drop)) {
        rn_trainer_free(t);
        return NULL;
    }
    drop(g, t, 0);
    return t;
}

/* |ours - theirs| / |theirs|, or infinity when one is not finite. */
static double distance(const struct rn_tensor *t, const float *ours)
{
    double error = 0, norm = 0;
    for (size_t i = 0; i < elements(t); i++) {
        double d = ours[i] - element(t, i);
        error += d * d;
        norm += element(t, i) * element(t, i);
    }
    return isfinite(error) ? sqrt(error / norm) : INFINITY;
}

/* ---- outputs ---- */

static void check_inference(const struct golden *g, const struct rn_model *m, const char *isa)
{
    struct rn_session *s;
    struct batch b = make_batch(g, 0);
    float *logits = malloc((size_t)(g->n * CLASSES) * sizeof *logits);

    if (ok(!rn_session_new(&s, m, g->n, THREADS), "%s, %s: a session", g->name, isa)) {
        rn_session_run(s, b.x, g->n, logits);
        double d = distance(find(g, "logits.", "eval"), logits);
        ok(d < 1e-5, "%s, %s: logits in evaluation mode, off by %.1e", g->name, isa, d);
        rn_session_free(s);
    }
    free(logits);
    free_batch(b);
}

/* Runs one op forward as the only thread. */
static void forward_op(const struct rn_train_op *o, char *work, const float *x, int n)
{
    if (!o->op)
        return;
    struct rn_call c = rn_train_call(o, RN_FORWARD, work);
    c.N = n;
    if (c.node->in[0] == 0)
        c.x = x;
    if (c.conv)
        rn_conv_pack(c.conv, RN_FORWARD, c.param[0], c.param[1], work, 0, 1);
    o->op->forward(&c, 0, 1);
}

/* The logits in training mode lie in memory that backward reuses, so forward runs alone here. */
static void check_training_forward(const struct golden *g, struct rn_model *m, const char *isa)
{
    struct rn_trainer *t = make_trainer(g, m, 1);
    struct batch b = make_batch(g, 0);

    if (ok(t != NULL, "%s, %s: a trainer", g->name, isa)) {
        for (int i = 0; i < t->units.units; i++) {
            struct rn_train_unit *u = &t->unit[i];
            forward_op(&u->main, u->work[0], b.x, g->n);
            forward_op(&u->tail, u->work[0], b.x, g->n);
        }
        double d = distance(find(g, "logits.", "train"), t->unit[t->units.units - 1].main.call.y);
        ok(d < 1e-5, "%s, %s: logits in training mode, off by %.1e", g->name, isa, d);
        rn_trainer_free(t);
    }
    free_batch(b);
}

/* ---- gradients ---- */

/* Norm of the error of parameter p's gradient, estimated from the elements stored, and of the
 * gradient itself. */
static double gradient_error(const struct golden *g, const struct rn_param *p, const float *grad)
{
    const struct rn_tensor *t = find(g, "grad.", p->name);
    size_t count = rn_param_count(p), stored = elements(t);
    char sample[RN_NAME_MAX + 16];
    double error = 0;

    snprintf(sample, sizeof sample, "sample.%s", p->name);
    for (size_t i = 0; i < stored; i++) {
        double d = grad[stored == count ? i : bits(sample, g->seed, i) % count] - element(t, i);
        error += d * d;
    }
    return isfinite(error) ? sqrt(error * (double)count / (double)stored) : INFINITY;
}

static double norm_of(const float *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)v[i] * v[i];
    return sqrt(sum);
}

/* The larger of its gradient's norm and that of its layer's weight. */
static double gradient_size(const struct golden *g, const struct rn_param *p)
{
    char weight[RN_NAME_MAX];
    snprintf(weight, sizeof weight, "%.*s.weight", (int)(strrchr(p->name, '.') - p->name), p->name);
    return fmax(element(find(g, "norm.", p->name), 0), element(find(g, "norm.", weight), 0));
}

static void check_gradients(const struct golden *g, const struct rn_trainer *t, const char *isa)
{
    const struct rn_graph *graph = &t->model->graph;
    double worst = 0;
    int checked = 0, at = 0;

    for (int i = 0; i < graph->params; i++) {
        const struct rn_param *p = &graph->param[i];
        if (!p->trained)
            continue;
        double norm = norm_of(t->grad[i], rn_param_count(p)),
               theirs = element(find(g, "norm.", p->name), 0);
        double error =
            fmax(gradient_error(g, p, t->grad[i]), fabs(norm - theirs)) / gradient_size(g, p);
        if (!(error <= worst)) {
            worst = error;
            at = i;
        }
        checked++;
    }
    ok(worst < 1e-4, "%s, %s: %d gradients, %s off by %.1e", g->name, isa, checked,
       graph->param[at].name, worst);
    int theirs = 0;
    for (int i = 0; i < rn_weights_count(g->file); i++)
        theirs += !strncmp(rn_weights_tensor(g->file, i)->name, "grad.", 5);
    ok(checked == theirs, "%s, %s: PyTorch has %d gradients", g->name, isa, theirs);
}

static void check_statistics(const struct golden *g, const struct rn_model *m, const char *isa)
{
    double worst = 0;
    bool counted = true;
    int checked = 0;

    for (int i = 0; i < m->graph.params; i++) {
        const struct rn_param *p = &m->graph.param[i];
        if (p->trained)
            continue;
        if (p->dtype == RN_I64) {
            counted &= *(const int64_t *)m->value[i] == 1;
            continue;
        }
        worst = fmax(worst, distance(find(g, "", p->name), m->value[i]));
        checked++;
    }
    ok(worst < 1e-5, "%s, %s: %d running statistics, off by %.1e", g->name, isa, checked, worst);
    ok(counted, "%s, %s: one batch tracked", g->name, isa);
}

/* ---- losses ---- */

/* A rounding error doubles with a step, generously: a ReLU on the edge that falls the other way is
 * worth 1e-5 of the loss. */
static void check_losses(const struct golden *g, struct rn_trainer *t, const char *isa)
{
    const struct rn_tensor *losses = find(g, "", "losses");
    double worst = 0, tolerance = 1e-5;

    for (int step = 0; step < STEPS; step++, tolerance *= 2) {
        struct batch b = make_batch(g, step);
        drop(g, t, step);
        double loss = rn_trainer_run(t, b.x, b.label, g->n, &g->sgd);
        double error = fabs(loss / element(losses, (size_t)step) - 1) / tolerance;
        worst = error <= worst ? worst : error; /* a NaN stays */
        free_batch(b);
    }
    ok(worst < 1, "%s, %s: %d losses of SGD, at %.1g of the tolerance", g->name, isa, STEPS, worst);
}

static void check_training(const struct golden *g, struct rn_model *m, const char *isa)
{
    struct rn_trainer *t = make_trainer(g, m, THREADS);
    struct batch b = make_batch(g, 0);

    if (t) {
        rn_trainer_run(t, b.x, b.label, g->n, NULL);
        check_gradients(g, t, isa);
        check_statistics(g, m, isa);
        fill_model(g, m);
        check_losses(g, t, isa);
        rn_trainer_free(t);
    }
    free_batch(b);
}

static void check_isa(const struct golden *g, const char *isa)
{
    struct rn_model *m;
    if (!ok(!rn_isa_select(isa) && !rn_model_new(&m, g->spec, g->C, g->H, g->W, CLASSES),
            "%s, %s: the network", g->name, isa))
        return;
    fill_model(g, m);
    check_inference(g, m, isa);
    check_training_forward(g, m, isa);
    fill_model(g, m);
    check_training(g, m, isa);
    rn_model_free(m);
}

int main(void)
{
    static const char *const name[] = {
        "d2l-narrow",
        "cifar-narrow",
        "resnext-narrow",
        "d2l-resnet18",
        "cifar-resnet20",
        "resnetd-narrow",
        "v1-narrow",
        "preact-narrow",
        "preact-pad-narrow",
        "d2l-resnext-narrow",
        "same-narrow",
        "keras-narrow",
        "plain-narrow",
        "se-narrow",
        "regnet-narrow",
        "fast-narrow",
        "inception-narrow",
        "inception-bn-narrow",
        "shift-narrow",
        "drop-narrow",
        "drop-se-narrow",
        "drop-preact-narrow",
        "preact-bottleneck-narrow",
        "pooled-narrow",
        "resnet18-narrow",
        "resnet50-narrow",
        "wide-narrow",
        "cifar-resnext-narrow",
        "wrn-narrow",
        "regnet-x-narrow",
    };
    const char *isa[8] = { "ref" };
    int isas = 1 + rn_isa_names(isa + 1, 7);

    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        struct golden g;
        bool narrow = strstr(name[i], "narrow");
        if (!open_golden(&g, name[i]))
            continue;
        for (int j = narrow ? 0 : isas - 1; j < isas; j++) /* the full widths on the best only */
            check_isa(&g, isa[j]);
        rn_weights_close(g.file);
    }
    return done();
}
