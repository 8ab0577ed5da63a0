/* Models: made from a spec, given parameters, looked at layer by layer. */
#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"

size_t rn_param_bytes(const struct rn_param *p)
{
    return rn_param_count(p) * (p->dtype == RN_I64 ? sizeof(int64_t) : sizeof(float));
}

int rn_model_allocate(struct rn_model *m)
{
    size_t total = 0;
    for (int i = 0; i < m->graph.params; i++)
        if (!rn_add(&total, total, rn_align(rn_param_bytes(&m->graph.param[i]))))
            return rn_fail(RN_EMEM, "%s: its parameters do not fit in memory", m->text);
    if (rn_arena_init(&m->arena, total))
        return RN_EMEM;
    for (int i = 0; i < m->graph.params; i++)
        m->value[i] = rn_arena_take(&m->arena, rn_param_bytes(&m->graph.param[i]));
    return 0;
}

static void set_prep(struct rn_prep *p, int C, int H, int W)
{
    *p = (struct rn_prep){ .C = C, .H = H, .W = W, .resize = "squash" };
    for (int i = 0; i < RN_CHANNELS_MAX; i++)
        p->std[i] = 1;
}

int rn_model_plan(struct rn_model **out, const char *spec, int C, int H, int W, int classes)
{
    struct rn_model *m = rn_alloc(1, sizeof *m);
    int status = m ? rn_spec_parse(&m->spec, spec) : RN_EMEM;

    *out = NULL;
    if (status)
        goto fail;
    if (C)
        m->spec.in = C;
    if (classes && !m->spec.single)
        m->spec.classes = classes;
    set_prep(&m->prep, m->spec.in, H ? H : m->spec.variant->family->H,
             W ? W : m->spec.variant->family->W);
    if ((status = rn_spec_print(&m->spec, m->text, sizeof m->text)) ||
        (status = rn_spec_build(&m->spec, m->prep.H, m->prep.W, &m->graph)))
        goto fail;
    if (!(m->value = rn_alloc((size_t)m->graph.params, sizeof *m->value))) {
        status = RN_EMEM;
        goto fail;
    }
    *out = m;
    return 0;
fail:
    rn_model_free(m);
    return status;
}

int rn_model_new(struct rn_model **out, const char *spec, int C, int H, int W, int classes)
{
    int status = rn_model_plan(out, spec, C, H, W, classes);
    if (!status && (status = rn_model_allocate(*out))) {
        rn_model_free(*out);
        *out = NULL;
    }
    return status;
}

int rn_model_shape(struct rn_model **out, const char *spec, int C, int H, int W)
{
    return rn_model_plan(out, spec, C, H, W, 0);
}

void rn_model_free(struct rn_model *m)
{
    if (!m)
        return;
    rn_model_set_labels(m, NULL);
    rn_free(m->provenance);
    rn_free(m->value);
    rn_arena_release(&m->arena);
    rn_map_close(&m->map);
    rn_graph_release(&m->graph);
    rn_free(m);
}

/* ---- initialisation ---- */

static void fill_uniform(struct rn_rng *r, float *w, size_t n, double bound)
{
    for (size_t i = 0; i < n; i++)
        w[i] = (float)((2 * rn_rng_uniform(r) - 1) * bound);
}

static void fill_normal(struct rn_rng *r, float *w, size_t n, double std)
{
    for (size_t i = 0; i < n; i++)
        w[i] = (float)(rn_rng_normal(r) * std);
}

const char *const rn_init_names[] = { "default", "xavier", "kaiming", NULL };

/*
 * Weights by Xavier (Glorot and Bengio 2010: uniform, bound sqrt(6 / (fan in + fan out))) or by
 * Kaiming (He et al. 2015b: normal, std sqrt(2 / fan out), convolutions only); all else is
 * PyTorch's default, uniform in +- 1 / sqrt(fan in).
 */
static void init_weighted(const struct rn_model *m, const struct rn_node *n, enum rn_init kind,
                          uint64_t seed)
{
    const struct rn_param *w = &m->graph.param[n->param];
    double field = w->rank == 4 ? (double)w->dim[2] * w->dim[3] : 1;
    double fan_in = w->dim[1] * field, fan_out = w->dim[0] * field;
    struct rn_rng r;

    rn_rng_init(&r, seed, RN_RNG_INIT, 0, (uint64_t)n->param);
    if (kind == RN_INIT_XAVIER)
        fill_uniform(&r, m->value[n->param], rn_param_count(w), sqrt(6 / (fan_in + fan_out)));
    else if (w->rank == 4)
        fill_normal(&r, m->value[n->param], rn_param_count(w), sqrt(2 / fan_out));
    else
        fill_uniform(&r, m->value[n->param], rn_param_count(w), 1 / sqrt(fan_in));
    for (int i = 1; i < n->params; i++) {
        rn_rng_init(&r, seed, RN_RNG_INIT, 0, (uint64_t)(n->param + i));
        fill_uniform(&r, m->value[n->param + i], rn_param_count(&m->graph.param[n->param + i]),
                     1 / sqrt(fan_in));
    }
}

/* Scale 1, shift 0; running mean 0, variance 1, nothing counted. */
static void init_bn(const struct rn_model *m, const struct rn_node *n)
{
    static const float start[] = { 1, 0, 0, 1 };

    for (int i = 0; i < 4; i++) {
        float *v = rn_model_value(m, n, i);
        for (int c = 0; c < n->y.C; c++)
            v[c] = start[i];
    }
    *(int64_t *)rn_model_value(m, n, 4) = 0;
}

void rn_model_init(struct rn_model *m, enum rn_init kind, uint64_t seed)
{
    if (kind == RN_INIT_DEFAULT)
        kind = m->spec.variant->family->init;
    for (int i = 0; i < m->graph.nodes; i++) {
        const struct rn_node *n = &m->graph.node[i];
        if (n->op == &rn_op_bn)
            init_bn(m, n);
        else if (n->params)
            init_weighted(m, n, kind, seed);
    }
}

/* ---- what a model carries ---- */

int rn_model_set_labels(struct rn_model *m, char *const *label)
{
    char **copy = NULL;

    if (label && !(copy = rn_alloc((size_t)m->spec.classes, sizeof *copy)))
        return RN_EMEM;
    for (int i = 0; copy && i < m->spec.classes; i++)
        if (!(copy[i] = rn_strdup(label[i]))) {
            while (i--)
                rn_free(copy[i]);
            rn_free(copy);
            return RN_EMEM;
        }
    for (int i = 0; m->label && i < m->spec.classes; i++)
        rn_free(m->label[i]);
    rn_free(m->label);
    m->label = copy;
    return 0;
}

int rn_model_set_provenance(struct rn_model *m, const char *json)
{
    char *copy = rn_strdup(json);
    if (!copy)
        return RN_EMEM;
    rn_free(m->provenance);
    m->provenance = copy;
    return 0;
}

void *rn_model_value(const struct rn_model *m, const struct rn_node *n, int i)
{
    return m->value[n->param + i];
}

const char *rn_model_spec(const struct rn_model *m)
{
    return m->text;
}

const struct rn_prep *rn_model_prep(const struct rn_model *m)
{
    return &m->prep;
}

int rn_model_classes(const struct rn_model *m)
{
    return m->spec.classes;
}

const char *rn_model_label(const struct rn_model *m, int i)
{
    return m->label ? m->label[i] : NULL;
}

const char *rn_model_provenance(const struct rn_model *m)
{
    return m->provenance;
}

/* ---- layer by layer ---- */

int rn_model_layers(const struct rn_model *m)
{
    return m->graph.nodes - 1; /* without the input */
}

void rn_model_layer(const struct rn_model *m, int i, struct rn_layer *out)
{
    const struct rn_node *n = &m->graph.node[i + 1];

    *out = (struct rn_layer){ .name = n->name,
                              .op = n->op->name,
                              .stage = m->graph.stage[n->stage],
                              .block = n->block,
                              .H = n->y.H,
                              .W = n->y.W,
                              .C = n->y.C,
                              .inputs = n->inputs,
                              .in = { n->in[0] - 1, n->in[1] - 1 },
                              .field = n->field,
                              .macs = n->macs };
    if (n->op->what)
        n->op->what(n, out->what, sizeof out->what);
    for (int j = n->param; j < n->param + n->params; j++) {
        const struct rn_param *p = &m->graph.param[j];
        if (p->trained)
            out->params += rn_param_count(p);
        else if (p->dtype == RN_F32)
            out->buffers += rn_param_count(p);
    }
}
