/*
 * Other programs' tensors become a model of ours: each dialect's names are tried on the file, each
 * time with the spec that the caller names or that the names and shapes tell, until one accounts for
 * every tensor.
 */
#include "weights/recognise.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "weights/cast.h"
#include "weights/modelfile.h"

enum { CLASSES_MAX = 1000000, CHANNELS_MAX = 65536 }; /* as specs have them */

/* ---- one attempt ---- */

struct attempt {
    const struct rn_weights *w;
    const char *path;
    const struct rn_recognition *r;
    struct rn_view view;
    struct rn_model *m;
    const struct rn_tensor **tensor; /* [m->graph.params]; NULL: made */
    bool made_head;
};

static void attempt_release(struct attempt *a)
{
    rn_view_release(&a->view);
    rn_model_free(a->m);
    rn_free(a->tensor);
    a->m = NULL;
    a->tensor = NULL;
}

/* 0, as where it is not known, for what no network has. */
static int dim_of(const struct rn_tensor *t, int d, size_t most)
{
    return t && d < t->rank && t->dim[d] <= most ? (int)t->dim[d] : 0;
}

static int input_channels(const struct rn_view *v)
{
    static const char *const stems[] = { "conv1.weight", "conv1.0.weight", "stem.0.weight" };
    for (int i = 0; i < 3; i++)
        if (rn_view_find(v, stems[i]))
            return dim_of(rn_view_find(v, stems[i]), 1, CHANNELS_MAX);
    return 0;
}

/* The model of a spec, whose classes and channels are the file's unless the text sets them. */
static int plan(struct attempt *a, const char *spec)
{
    const struct rn_tensor *fc = rn_view_find(&a->view, "fc.weight");
    int classes = fc ? dim_of(fc, 0, CLASSES_MAX) : a->r->head;
    bool sets_in = rn_spec_sets(spec, "in"), sets_classes = rn_spec_sets(spec, "classes");
    rn_model_free(a->m);
    rn_free(a->tensor);
    a->tensor = NULL;
    a->made_head = false;
    int status = rn_model_plan(&a->m, spec, sets_in ? 0 : input_channels(&a->view), 0, 0,
                               sets_classes ? 0 : classes);
    if (!status && !(a->tensor = rn_alloc((size_t)a->m->graph.params, sizeof *a->tensor)))
        status = RN_EMEM;
    return status;
}

static int fail_shape(const struct attempt *a, const struct rn_param *p, const struct rn_tensor *t)
{
    char have[RN_SHAPE_SIZE], need[RN_SHAPE_SIZE];
    rn_tensor_shape(have, t);
    rn_param_shape(need, p);
    return rn_fail(RN_EFORMAT, "%s: tensor %s is %s %s, but %s of %s is %s", a->path, t->name, have,
                   rn_dtype_name(t->dtype), p->name, a->m->text, need);
}

static int fail_missing(const struct attempt *a, const struct rn_param *p)
{
    const struct rn_node *n = &a->m->graph.node[p->node];
    if (n->op == &rn_op_linear)
        return rn_fail(RN_EFORMAT,
                       "%s: it has no classifier (%s of %s), so it extracts features; --head N "
                       "gives it a fresh one of N classes",
                       a->path, p->name, a->m->text);
    return rn_fail(RN_EFORMAT, "%s: no tensor is %s%s of %s", a->path, p->name,
                   n->op == &rn_op_bn ? ", a batch norm" : "", a->m->text);
}

/* Gives parameter i its tensor; a count of batches may lack, and the head where one is made. */
static int take(struct attempt *a, int i)
{
    const struct rn_param *p = &a->m->graph.param[i];
    struct rn_seen *s = rn_view_seen(&a->view, p->name);
    bool counter = p->dtype == RN_I64;
    bool linear = a->m->graph.node[p->node].op == &rn_op_linear;
    if (!s && linear && a->r->head && !rn_view_find(&a->view, "fc.weight")) {
        a->made_head = true;
        return 0;
    }
    if (!s)
        return counter ? 0 : fail_missing(a, p);
    bool good = counter ? rn_is_counter(s->t) : rn_dtype_is_float(s->t->dtype);
    if (!counter && s->t->rank != p->rank)
        good = false;
    for (int d = 0; d < p->rank && good && !counter; d++)
        good = s->t->dim[d] == (size_t)p->dim[d];
    if (!good)
        return fail_shape(a, p, s->t);
    a->tensor[i] = s->t;
    s->used = true;
    return 0;
}

/* Tensors without part in what a network computes. */
static bool idle(const struct rn_seen *s)
{
    static const char *const parts[] = { "optim.", "optimizer.",      "ema.",   "model_ema.",
                                         "aux.",   "aux_classifier.", "fc_aux." };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strncmp(s->name, parts[i], strlen(parts[i])))
            return true;
    return rn_dtype_is_whole(s->t->dtype) || s->t->bytes == 0;
}

static int fail_left_over(const struct attempt *a, const struct rn_seen *s)
{
    bool slope = s->t->rank <= 1 && (strstr(s->name, "relu") || strstr(s->name, "act"));
    return rn_fail(RN_EFORMAT, "%s: tensor %s has no place in %s%s", a->path, s->t->name,
                   a->m->text,
                   slope ? ": a learned slope would change what it computes"
                         : ", and may change what the network computes");
}

static int fit(struct attempt *a)
{
    for (int i = 0; i < a->view.n; i++)
        a->view.item[i].used = false;
    for (int i = 0; i < a->m->graph.params; i++) {
        int status = take(a, i);
        if (status)
            return status;
    }
    for (int i = 0; i < a->view.n; i++)
        if (!a->view.item[i].used && !idle(&a->view.item[i]))
            return fail_left_over(a, &a->view.item[i]);
    return 0;
}

/* Rows of blocks that rn_guess_spec() does not read. */
static bool is_other(const struct rn_variant *v)
{
    struct rn_spec s;
    return !rn_spec_parse(&s, v->name) && !s.single && s.block > RN_BLOCK_PREACT_BOTTLENECK;
}

static int try_rows(struct attempt *a, int status)
{
    char sentence[RN_ERROR_SIZE];
    snprintf(sentence, sizeof sentence, "%s", rn_error());
    for (const struct rn_variant *v = rn_variants; v->name; v++)
        if (is_other(v) && !plan(a, v->name) && !fit(a))
            return 0;
    return rn_fail(status, "%s", sentence);
}

/* The spec that was asked for, else that of the structure, else a row. */
static int try_names(struct attempt *a, const struct rn_dialect *d)
{
    struct rn_spec s;
    char text[512];
    int status = rn_view_init(&a->view, a->w, d, a->path);
    if (status)
        return status;
    if (a->r->spec) {
        status = plan(a, a->r->spec);
        return status ? status : fit(a);
    }
    if ((status = rn_guess_spec(&s, &a->view, a->path)))
        return try_rows(a, status);
    if ((status = rn_spec_print(&s, text, sizeof text)) || (status = plan(a, text)))
        return status;
    return fit(a);
}

/* ---- by order ---- */

/* Of the first convolution in the file. */
static int channels_in_order(const struct rn_weights *w)
{
    for (int i = 0; i < w->tensors; i++)
        if (w->tensor[i].rank == 4)
            return dim_of(&w->tensor[i], 1, CHANNELS_MAX);
    return 0;
}

static int classes_in_order(const struct rn_weights *w)
{
    int classes = 0;
    for (int i = 0; i < w->tensors; i++)
        if (w->tensor[i].rank == 2)
            classes = dim_of(&w->tensor[i], 0, CLASSES_MAX);
    return classes;
}

static bool try_order(struct attempt *a, const char *spec)
{
    attempt_release(a);
    if (rn_model_plan(&a->m, spec, rn_spec_sets(spec, "in") ? 0 : channels_in_order(a->w), 0, 0,
                      rn_spec_sets(spec, "classes") ? 0 : classes_in_order(a->w)))
        return false;
    int n = a->m->graph.params, *index = rn_alloc((size_t)n, sizeof *index);
    a->tensor = rn_alloc((size_t)n, sizeof *a->tensor);
    bool found = index && a->tensor && rn_order_fits(index, &a->m->graph, a->w);
    for (int i = 0; i < n && found; i++)
        a->tensor[i] = index[i] >= 0 ? &a->w->tensor[index[i]] : NULL;
    rn_free(index);
    return found;
}

static bool try_orders(struct attempt *a)
{
    if (a->r->spec)
        return try_order(a, a->r->spec);
    for (const struct rn_variant *v = rn_variants; v->name; v++)
        if (try_order(a, v->name) && !a->m->spec.single)
            return true;
    return false;
}

/* ---- all of them ---- */

static void warn_idle(const struct attempt *a)
{
    char sentence[256];
    for (int i = 0; i < a->view.n && a->r->warn; i++) {
        const struct rn_seen *s = &a->view.item[i];
        if (s->used)
            continue;
        snprintf(sentence, sizeof sentence, "tensor %s is left out: %s does not use it", s->t->name,
                 a->m->spec.variant->name);
        a->r->warn(sentence);
    }
}

static int known_names(const struct rn_view *v)
{
    int known = 0;
    for (int i = 0; i < v->n; i++)
        known += rn_name_known(v->item[i].name);
    return known;
}

/* The dialect that accounts for the file; on failure the sentence is that of the nearest. */
static int try_dialects(struct attempt *a, const char **names)
{
    char sentence[RN_ERROR_SIZE] = "";
    int best = -1, status = 0;
    for (const struct rn_dialect *d = rn_dialects; d->name; d++) {
        attempt_release(a);
        int now = try_names(a, d);
        if (!now || now == RN_EMEM) {
            *names = d->name;
            return now;
        }
        int known = known_names(&a->view);
        if (known > best) {
            best = known;
            status = now;
            snprintf(sentence, sizeof sentence, "%s", rn_error());
        }
    }
    return rn_fail(status, "%s", sentence);
}

int rn_weights_recognise(struct rn_weights *w, const char *path, struct rn_recognition *r)
{
    struct attempt a = { .w = w, .path = path, .r = r };
    struct rn_spec s;
    char sentence[RN_ERROR_SIZE];
    int status = r->spec ? rn_spec_parse(&s, r->spec) : 0;
    if (status)
        return status;
    if ((status = try_dialects(&a, &r->names)) && status != RN_EMEM) {
        snprintf(sentence, sizeof sentence, "%s", rn_error());
        if (try_orders(&a)) {
            status = 0;
            r->names = "order and shape";
        } else {
            rn_fail(status, "%s", sentence);
        }
    }
    if (!status) {
        warn_idle(&a);
        snprintf(r->found, sizeof r->found, "%s", a.m->text);
        status = rn_adopt(w, a.m, a.tensor, a.made_head);
    }
    attempt_release(&a);
    return status;
}
