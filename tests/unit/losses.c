/*
 * 200 steps from the same start as PyTorch's (tests/golden/losses-200.safetensors, in float64):
 * Nesterov's momentum, smoothed labels, decay of weights only, a rate that rises and falls along
 * lines. Rounding grows with the steps: PyTorch's own float32 run stands in the file as well.
 */
#include "golden.h"

#include "train/schedule.h"

enum { NEAR = 50, LAST = 20, THREADS = 1 };

/* The rate of a step: W steps up, then down to 0. An epoch is a step here. */
static double rate(const struct golden *g, int step)
{
    struct rn_train_config c;
    rn_train_defaults(&c);
    c.lr = g->sgd.lr;
    c.sched = RN_SCHED_LINEAR;
    c.warmup_epochs = meta(g, "warm");
    return rn_schedule_lr(&c, step, (long)meta(g, "steps"), 1);
}

static void train(const struct golden *g, struct rn_trainer *t, double *loss)
{
    int steps = (int)meta(g, "steps"), batches = (int)meta(g, "batches");
    struct rn_sgd sgd = g->sgd;
    t->smoothing = meta(g, "label_smoothing");
    for (int step = 0; step < steps; step++) {
        struct batch b = make_batch(g, step % batches);
        sgd.lr = rate(g, step);
        loss[step] = rn_trainer_run(t, b.x, b.label, g->n, &sgd);
        free_batch(b);
    }
}

/* The largest distance, as a share, in the first n steps; infinity when one is not finite. */
static double apart(const struct rn_tensor *theirs, const double *loss, int n)
{
    double worst = 0;
    for (int i = 0; i < n; i++) {
        double d = fabs(loss[i] / element(theirs, (size_t)i) - 1);
        if (!(d <= worst))
            worst = isfinite(d) ? d : INFINITY;
    }
    return worst;
}

static double mean(const double *v, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += v[i];
    return sum / n;
}

static void check(const struct golden *g, const char *isa)
{
    const struct rn_tensor *theirs = find(g, "", "losses"), *single = find(g, "losses", ".float32");
    int steps = (int)meta(g, "steps");
    double *loss = calloc((size_t)steps, sizeof *loss), *want = calloc(LAST, sizeof *want);
    struct rn_model *m;
    struct rn_trainer *t;

    if (ok(!rn_isa_select(isa) && !rn_model_new(&m, g->spec, g->C, g->H, g->W, CLASSES),
           "%s: the network", isa)) {
        fill_model(g, m);
        if (ok(!rn_trainer_new(&t, m, g->n, THREADS), "%s: a trainer", isa)) {
            train(g, t, loss);
            ok(apart(theirs, loss, NEAR) < 1e-3 && apart(single, loss, NEAR) < 2e-3,
               "%s: %d losses, %.1e apart at most", isa, NEAR, apart(theirs, loss, NEAR));
            for (int i = 0; i < LAST; i++)
                want[i] = element(theirs, (size_t)(steps - LAST + i));
            double ours = mean(loss + steps - LAST, LAST), end = mean(want, LAST);
            ok(fabs(ours / end - 1) < 0.02 && end < loss[0] / 2,
               "%s: %d steps: %.4f at the end, PyTorch %.4f", isa, steps, ours, end);
            rn_trainer_free(t);
        }
        rn_model_free(m);
    }
    free(loss);
    free(want);
}

int main(void)
{
    const char *isa[8];
    int isas = rn_isa_names(isa, 8);
    struct golden g;
    if (open_golden(&g, "losses-200")) {
        for (int i = 0; i < isas; i++)
            check(&g, isa[i]);
        rn_weights_close(g.file);
    }
    return done();
}
