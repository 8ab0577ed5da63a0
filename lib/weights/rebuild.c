/* Weights for another network than theirs: without batch norms, or with another classifier. */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "weights/edit.h"
#include "weights/modelfile.h"
#include "weights/surgery.h"

/* A model of another spec with m's preprocessing, its parameters without values. */
static int replan(struct rn_model **out, const struct rn_model *m, const struct rn_spec *spec)
{
    char text[sizeof m->text];
    int status = rn_spec_print(spec, text, sizeof text);
    if (!status)
        status = rn_model_plan(out, text, m->prep.C, m->prep.H, m->prep.W, 0);
    if (!status)
        (*out)->prep = m->prep;
    return status;
}

/* ---- folding ---- */

static int find_node(const struct rn_graph *g, const char *name)
{
    for (int i = 0; i < g->nodes; i++)
        if (!strcmp(g->node[i].name, name))
            return i;
    return -1;
}

/* The batch norm that reads node i, or NULL. */
static const struct rn_node *norm_behind(const struct rn_graph *g, int i)
{
    for (int j = i + 1; j < g->nodes; j++)
        if (g->node[j].op == &rn_op_bn && g->node[j].in[0] == i)
            return &g->node[j];
    return NULL;
}

static int readers(const struct rn_graph *g, int i)
{
    int n = 0;
    for (int j = i + 1; j < g->nodes; j++)
        for (int k = 0; k < g->node[j].inputs; k++)
            n += g->node[j].in[k] == i;
    return n;
}

/* Every batch norm has to stand behind a convolution that nothing else reads. */
static int check_norms(const struct rn_model *m, const char *path)
{
    const struct rn_graph *g = &m->graph;
    for (int i = 0; i < g->nodes; i++) {
        const struct rn_node *n = &g->node[i];
        if (n->op == &rn_op_bn && (g->node[n->in[0]].op != &rn_op_conv || readers(g, n->in[0]) > 1))
            return rn_fail(RN_EUSAGE,
                           "%s: %s stands behind no convolution that it could be folded into "
                           "(pre-activation)",
                           path, n->name);
    }
    return 0;
}

/* The parameters of a convolution or linear layer of `to` from those of m. */
static int fold_node(struct rn_weights *next, const struct rn_model *to, const struct rn_node *n,
                     const struct rn_model *m)
{
    int i = find_node(&m->graph, n->name);
    float *w = rn_edit_block(next, rn_param_bytes(&to->graph.param[n->param]));
    float *bias = rn_edit_block(next, rn_param_bytes(&to->graph.param[n->param + 1]));
    if (!w || !bias)
        return RN_EMEM;
    rn_fold(m, &m->graph.node[i], norm_behind(&m->graph, i), w, bias);
    int status = rn_edit_param(next, to, n->param, w);
    return status ? status : rn_edit_param(next, to, n->param + 1, bias);
}

static int fold(struct rn_weights *next, const struct rn_weights *w, const char *path,
                struct rn_model *m, struct rn_model *to)
{
    int status = rn_edit_values(m, next, w, path);
    if (!status)
        status = rn_model_set_labels(to, m->label);
    if (!status)
        status = rn_edit_meta(next, w, false);
    if (!status)
        status = rn_gather_description(next, to);
    for (int i = 0; i < to->graph.nodes && !status; i++)
        if (to->graph.node[i].params)
            status = fold_node(next, to, &to->graph.node[i], m);
    return status;
}

int rn_weights_fold(struct rn_weights *w, const char *path)
{
    struct rn_weights next;
    struct rn_model *m, *to = NULL;
    int status = rn_edit_model(&m, w, path);
    if (!status)
        status = check_norms(m, path);
    if (!status) {
        struct rn_spec spec = m->spec;
        spec.norm = RN_NORM_NONE;
        spec.bias = true;
        status = replan(&to, m, &spec);
    }
    if (!status) {
        rn_edit_begin(&next, w);
        status = rn_edit_end(w, &next, fold(&next, w, path, m, to));
    }
    rn_model_free(m);
    rn_model_free(to);
    return status;
}

/* ---- another classifier ---- */

static int gather_head(struct rn_weights *next, const struct rn_weights *w, const char *path,
                       const struct rn_model *to)
{
    int status = rn_edit_meta(next, w, false);
    if (!status)
        status = rn_gather_description(next, to);
    for (int i = 0; i < to->graph.params && !status; i++) {
        const struct rn_param *p = &to->graph.param[i];
        const struct rn_tensor *t = rn_weights_find(w, p->name);
        void *data;
        if (to->graph.node[p->node].op != &rn_op_linear) {
            if (!(status = rn_param_match(p, t, path)))
                status = rn_gather(next, t);
        } else if (!(data = rn_edit_block(next, rn_param_bytes(p)))) {
            status = RN_EMEM;
        } else {
            memcpy(data, to->value[i], rn_param_bytes(p));
            status = rn_edit_param(next, to, i, data);
        }
    }
    return status;
}

int rn_weights_head(struct rn_weights *w, const char *path, int classes)
{
    struct rn_weights next;
    struct rn_model *m, *to = NULL;
    int status = rn_edit_model(&m, w, path);
    if (!status) {
        struct rn_spec spec = m->spec;
        spec.classes = classes;
        status = replan(&to, m, &spec);
    }
    if (!status && !(status = rn_model_allocate(to))) {
        rn_model_init(to, RN_INIT_DEFAULT, 0);
        rn_edit_begin(&next, w);
        status = rn_edit_end(w, &next, gather_head(&next, w, path, to));
    }
    rn_model_free(m);
    rn_model_free(to);
    return status;
}
