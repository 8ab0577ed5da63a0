/*
 * Checks of an op against its reference: the forward of every instruction set, its gradients
 * against central differences of a random linear functional of the reference's output,
 * accumulation, equal bits for 1, 2 and 5 threads and for every batch, NaN, and canaries around
 * everything written.
 */
#ifndef RN_TESTS_OPCHECK_H
#define RN_TESTS_OPCHECK_H

#include "optest.h"
#include "tap.h"

/* ---- checks; each answers whether all is well, a line is printed for each case and instruction
 * set ---- */

/* |<g, direction> - derivative| <= 2e-5 |g| for every probe. */
static inline bool gradient_right(const float *g, size_t n, const struct probe *probe)
{
    bool right = true;
    double norm = 0;
    for (size_t i = 0; i < n; i++)
        norm += (double)g[i] * g[i];
    for (int p = 0; p < PROBES; p++) {
        double dot = 0;
        for (size_t i = 0; i < n; i++)
            dot += g[i] * direction(probe[p], i);
        right &= fabs(dot - probe[p].value) <= 2e-5 * sqrt(norm) + 1e-8;
    }
    return right;
}

static inline bool forward_right(const struct optest *t, const float *y, const double *ref,
                                 const double *scale)
{
    bool right = true;
    double largest = 0;
    for (size_t i = 0; i < t->ys; i++)
        largest = fmax(largest, scale[i]);
    for (size_t i = 0; i < t->ys; i++)
        right &= fabs(y[i] - ref[i]) <= 1e-6 * (t->spreads ? largest : scale[i]);
    return right;
}

static inline bool same_bits(const void *a, const void *b, size_t bytes)
{
    return !a || !memcmp(a, b, bytes);
}

static inline bool same_result(const struct optest *t, const struct result *a,
                               const struct result *b)
{
    bool same = same_bits(a->y, b->y, t->ys * sizeof(float)) &&
                same_bits(a->dx, b->dx, t->xs * sizeof(float)) &&
                same_bits(a->dres, b->dres, t->ys * sizeof(float));
    for (int i = 0; i < t->node->params; i++)
        same = same && same_bits(a->dparam[i], b->dparam[i], t->ps[i] * sizeof(float)) &&
               same_bits(a->param[i], b->param[i], t->ps[i] * sizeof(float));
    return same;
}

static inline bool threads_agree(const struct optest *t, const struct result *one, struct how how)
{
    bool same = true;
    for (int i = 0; i < 2; i++) {
        how.threads = i ? 5 : 2;
        struct result many = run_op(t, &t->in, t->dy, how);
        same &= same_result(t, one, &many);
    }
    return same;
}

static inline bool was_added(const float *sum, const float *base, const float *g, size_t n)
{
    bool right = true;
    for (size_t i = 0; i < n; i++)
        right &= fabs((double)sum[i] - ((double)base[i] + g[i])) <=
                 2e-6 * (fabs((double)base[i]) + fabs((double)g[i]) + 1);
    return right;
}

static inline bool adds(const struct optest *t, const struct result *plain, struct how how)
{
    how.dx = to_float(take_random(t->xs), t->xs);
    how.dres = t->residual ? to_float(take_random(t->ys), t->ys) : NULL;
    struct result r = run_op(t, &t->in, t->dy, how);
    return was_added(r.dx, how.dx, plain->dx, t->xs) &&
           (!t->residual || was_added(r.dres, how.dres, plain->dres, t->ys));
}

/* Without dx the parameters' gradients are the same. */
static inline bool works_without_dx(const struct optest *t, const struct result *plain,
                                    struct how how)
{
    how.no_dx = true;
    struct result r = run_op(t, &t->in, t->dy, how);
    bool same = same_bits(plain->dres, r.dres, t->ys * sizeof(float));
    for (int i = 0; i < t->node->params; i++)
        same &= same_bits(plain->dparam[i], r.dparam[i], t->ps[i] * sizeof(float));
    return same;
}

/* Each picture alone gives the bits that it gave in the batch. */
static inline bool batch_agrees(const struct optest *t, struct how how)
{
    struct optest one = *t;
    size_t x = t->xs / (size_t)t->N, y = t->ys / (size_t)t->N;
    bool same = true;
    one.N = 1, one.xs = x, one.ys = y, one.training = false, how.backward = false;
    struct optest all = *t;
    all.training = false;
    struct result whole = run_op(&all, &t->in, t->dy, how);
    for (int n = 0; n < t->N; n++) {
        struct operands o = t->in;
        o.x += (size_t)n * x;
        o.res = t->residual ? o.res + (size_t)n * y : NULL;
        struct result r = run_op(&one, &o, t->dy, how);
        same &= same_bits(r.y, whole.y + (size_t)n * y, y * sizeof(float));
    }
    return same;
}

/* An element of y that a NaN reached (or, with `reached` false, did not reach), whose ReLU lets
 * gradients through. */
static inline size_t pick(const struct optest *t, const double *poisoned, const double *clean,
                          bool reached)
{
    size_t from = random_below(t->ys);
    for (size_t i = 0; i < t->ys; i++) {
        size_t e = (from + i) % t->ys;
        if (!!isnan(poisoned[e]) == reached && (!t->relu || clean[e] > 0))
            return e;
    }
    return SIZE_MAX;
}

/* NaN in dy[e] alone: is gradient[i] NaN? which: -1 dx, -2 dres, else the parameter. */
static inline bool poisons(const struct optest *t, size_t e, int which, size_t i, struct how how)
{
    int keep = block_count;
    double *dy = memcpy(take(t->ys, sizeof *dy), t->dy, t->ys * sizeof *dy);
    dy[e] = NAN;
    struct result r = run_op(t, &t->in, dy, how);
    bool nan = isnan(which == -1 ? r.dx[i] : which == -2 ? r.dres[i] : r.dparam[which][i]);
    give_back(keep);
    return nan;
}

/*
 * A NaN in an operand's element i goes to the outputs it goes to in the reference and no other; and
 * as it reaches y[e] going forward, so does a NaN in dy[e] reach the gradient's element i, and no
 * other does. (A weight or its gradient may also be multiplied by the zeros of the padding; an
 * algorithm that works on tiles spreads a NaN over its tile.)
 */
static inline bool nan_goes(const struct optest *t, const double *clean, double *operand, size_t n,
                            int which, struct how how)
{
    int keep = block_count;
    bool right = true;
    size_t i = random_below(n), e;
    double was = operand[i], *bad = take(t->ys, sizeof *bad);

    operand[i] = NAN;
    reference(t, &t->in, bad, NULL);
    struct how forward = how;
    forward.backward = false;
    struct result r = run_op(t, &t->in, t->dy, forward);
    operand[i] = was;
    for (size_t j = 0; j < t->ys && which < 0; j++)
        right &= t->spreads ? isnan(r.y[j]) || !isnan(bad[j]) : !!isnan(r.y[j]) == !!isnan(bad[j]);
    if (!t->picks && (e = pick(t, bad, clean, true)) != SIZE_MAX)
        right &= poisons(t, e, which, i, how);
    if (which < 0 && !t->picks && !t->spreads && (e = pick(t, bad, clean, false)) != SIZE_MAX)
        right &= !poisons(t, e, which, i, how);
    give_back(keep);
    return right;
}

static inline bool nan_passes(const struct optest *t, const double *clean, struct how how)
{
    bool right = true;
    for (int n = 0; n < 4; n++) {
        right &= nan_goes(t, clean, t->in.x, t->xs, -1, how);
        if (t->residual)
            right &= nan_goes(t, clean, t->in.res, t->ys, -2, how);
        for (int i = 0; i < t->node->params; i++)
            if (trained(t, i))
                right &= nan_goes(t, clean, t->in.param[i], t->ps[i], i, how);
    }
    return right;
}

/* ---- a case through everything ---- */

enum { ISAS = 8 };

/* The reference kernels and every instruction set of this machine. */
static inline int all_isas(const char *isa[ISAS])
{
    isa[0] = "ref";
    return 1 + rn_isa_names(isa + 1, ISAS - 1);
}

struct expected {
    double *y, *scale;
    struct probe *x, *res, *param[RN_OP_PARAMS];
};

static inline struct expected expect(struct optest *t)
{
    struct expected e = { take(t->ys, sizeof(double)),
                          take(t->ys, sizeof(double)),
                          probe_all(t, t->in.x, t->xs),
                          NULL,
                          { NULL } };
    reference(t, &t->in, e.y, e.scale);
    if (t->residual)
        e.res = probe_all(t, t->in.res, t->ys);
    for (int i = 0; i < t->node->params; i++)
        if (trained(t, i))
            e.param[i] = probe_all(t, t->in.param[i], t->ps[i]);
    return e;
}

static inline void check_backward(const struct optest *t, const struct expected *e,
                                  const struct result *r, struct how how)
{
    const char *isa = how.k->isa;
    bool right = gradient_right(r->dx, t->xs, e->x) &&
                 (!t->residual || gradient_right(r->dres, t->ys, e->res));
    for (int i = 0; i < t->node->params; i++)
        right &= !trained(t, i) || gradient_right(r->dparam[i], t->ps[i], e->param[i]);
    ok(right, "%s, %s: gradients", t->text, isa);
    ok(adds(t, r, how), "%s, %s: adds to gradients", t->text, isa);
    ok(works_without_dx(t, r, how), "%s, %s: dx not wanted", t->text, isa);
    ok(nan_passes(t, e->y, how), "%s, %s: NaN goes where it must", t->text, isa);
}

static inline void check_isa(const struct optest *t, const struct expected *e, const char *isa)
{
    struct rn_kernels k;
    int keep = block_count;
    if (rn_kernels_init(&k, isa)) {
        ok(false, "%s", rn_error());
        return;
    }
    struct how how = { .k = &k, .threads = 1, .backward = !t->forward };
    struct result r = run_op(t, &t->in, t->dy, how);
    ok(forward_right(t, r.y, e->y, e->scale), "%s, %s: forward", t->text, isa);
    ok(threads_agree(t, &r, how), "%s, %s: same bits on 1, 2, 5 threads", t->text, isa);
    ok(batch_agrees(t, how), "%s, %s: same bits in any batch", t->text, isa);
    if (!t->forward)
        check_backward(t, e, &r, how);
    ok(give_back(keep), "%s, %s: nothing else written", t->text, isa);
}

/* Checks a case that optest_init() has made, on every instruction set of this machine, and releases
 * it. */
static inline void optest_run(struct optest *t)
{
    const char *isa[ISAS];
    struct expected e = expect(t);
    for (int i = 0, n = all_isas(isa); i < n; i++)
        check_isa(t, &e, isa[i]);
    rn_graph_release(&t->graph);
    give_back(0);
}

#endif
