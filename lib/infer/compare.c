/* Two models on the same random pictures, their activations or logits held against each other. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"
#include "infer/session.h"

/* What one end of a block gave. */
struct end {
    char name[RN_NAME_MAX];
    float *y;
    struct rn_shape shape;
};

struct record {
    const struct rn_session *s;
    struct end *end;
    int ends;
    size_t room;
    int status;
};

static const struct rn_node *out_node(const struct rn_session *s, int unit)
{
    return &s->graph.node[s->units.unit[unit].out];
}

/* The block that a unit belongs to; stem and head are one each. */
static const char *block_of(const struct rn_session *s, int unit)
{
    const struct rn_node *n = out_node(s, unit);
    return *n->block ? n->block : s->graph.stage[n->stage];
}

static bool ends_block(const struct rn_session *s, int unit)
{
    return unit + 1 == s->units.units || strcmp(block_of(s, unit), block_of(s, unit + 1));
}

/* Keeps a copy of what unit `unit` gave, where a block ends with it. */
static void keep(void *arg, int unit, const float *y)
{
    struct record *r = arg;
    if (r->status || !ends_block(r->s, unit))
        return;
    if (rn_array_grow(&r->end, (size_t)r->ends, &r->room, sizeof *r->end)) {
        r->status = RN_EMEM;
        return;
    }
    struct end *e = &r->end[r->ends];
    e->shape = out_node(r->s, unit)->y;
    snprintf(e->name, sizeof e->name, "%s", block_of(r->s, unit));
    if (!(e->y = rn_alloc(rn_shape_count(e->shape), sizeof *e->y))) {
        r->status = RN_EMEM;
        return;
    }
    memcpy(e->y, y, rn_shape_count(e->shape) * sizeof *y);
    r->ends++;
}

static void record_release(struct record *r)
{
    for (int i = 0; i < r->ends; i++)
        rn_free(r->end[i].y);
    rn_free(r->end);
}

static int record_run(struct record *r, const struct rn_model *m, const float *x)
{
    struct rn_session *s;
    *r = (struct record){ 0 };
    int status = rn_session_new(&s, m, 1, 1);
    if (status)
        return status;
    float *logits = rn_alloc((size_t)s->classes, sizeof *logits);
    if (logits) {
        r->s = s;
        s->watch = keep;
        s->watcher = r;
        rn_session_run(s, x, 1, logits);
    }
    status = logits ? r->status : RN_EMEM;
    rn_free(logits);
    rn_session_free(s);
    return status;
}

/* The largest |a - b|, and that over the largest |b|. */
static void distance(const float *a, const float *b, size_t n, double *absolute, double *relative)
{
    double most = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - b[i]);
        d = a[i] == b[i] ? 0 : isnan(d) ? INFINITY : d;
        most = d > most ? d : most;
        largest = fabs((double)b[i]) > largest ? fabs((double)b[i]) : largest;
    }
    *absolute = most;
    *relative = most > 0 ? most / largest : 0;
}

static bool same_ends(const struct record *a, const struct record *b)
{
    bool same = a->ends == b->ends;
    for (int i = 0; i < a->ends && same; i++)
        same = !strcmp(a->end[i].name, b->end[i].name) &&
               !memcmp(&a->end[i].shape, &b->end[i].shape, sizeof a->end[i].shape);
    return same;
}

static float *random_pictures(const struct rn_prep *p, int n, uint64_t seed)
{
    size_t count = (size_t)n * (size_t)p->H * (size_t)p->W * (size_t)p->C;
    float *x = rn_alloc(count, sizeof *x);
    struct rn_rng r;
    rn_rng_init(&r, seed, RN_RNG_TEST, 0, 0);
    for (size_t i = 0; i < count && x; i++)
        x[i] = (float)rn_rng_normal(&r);
    return x;
}

static int check_inputs(const struct rn_model *a, const struct rn_model *b)
{
    const struct rn_prep *p = &a->prep, *q = &b->prep;
    if (p->C == q->C && p->H == q->H && p->W == q->W)
        return 0;
    return rn_fail(RN_EUSAGE, "the models' inputs are %dx%dx%d and %dx%dx%d", p->C, p->H, p->W,
                   q->C, q->H, q->W);
}

int rn_model_compare(const struct rn_model *m, const struct rn_model *reference, uint64_t seed,
                     rn_compare_fn *each, void *arg)
{
    struct record a = { 0 }, b = { 0 };
    int status = check_inputs(m, reference);
    if (status)
        return status;
    float *x = random_pictures(&m->prep, 1, seed);
    status = x ? record_run(&a, m, x) : RN_EMEM;
    if (!status)
        status = record_run(&b, reference, x);
    if (!status && !same_ends(&a, &b))
        status = rn_fail(RN_EUSAGE, "%s and %s have other blocks", m->text, reference->text);
    for (int i = 0; i < a.ends && !status; i++) {
        double absolute, relative;
        distance(a.end[i].y, b.end[i].y, rn_shape_count(a.end[i].shape), &absolute, &relative);
        each(arg, a.end[i].name, absolute, relative);
    }
    record_release(&a);
    record_release(&b);
    rn_free(x);
    return status;
}

static int run_logits(const struct rn_model *m, const float *x, int n, float *logits)
{
    struct rn_session *s;
    int status = rn_session_new(&s, m, n, 1);
    if (status)
        return status;
    rn_session_run(s, x, n, logits);
    rn_session_free(s);
    return 0;
}

int rn_model_difference(const struct rn_model *m, const struct rn_model *reference, int n,
                        uint64_t seed, double *relative)
{
    size_t logits = (size_t)n * (size_t)reference->spec.classes;
    double absolute;
    int status = check_inputs(m, reference);
    if (!status && m->spec.classes != reference->spec.classes)
        status = rn_fail(RN_EUSAGE, "the models have %d and %d classes", m->spec.classes,
                         reference->spec.classes);
    if (status)
        return status;
    float *x = random_pictures(&m->prep, n, seed), *y = rn_alloc(2 * logits, sizeof *y);
    status = x && y ? run_logits(m, x, n, y) : RN_EMEM;
    if (!status)
        status = run_logits(reference, x, n, y + logits);
    if (!status)
        distance(y, y + logits, logits, &absolute, relative);
    rn_free(x);
    rn_free(y);
    return status;
}
