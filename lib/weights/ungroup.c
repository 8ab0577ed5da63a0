/* Grouped convolutions as what they are, dense ones with a block-diagonal matrix: the same outputs,
 * G times the cost. */
#include <string.h>

#include "base/err.h"
#include "weights/surgery.h"

/* The spec of the network whose convolutions are as wide and not grouped. */
static struct rn_spec dense(const struct rn_spec *s)
{
    struct rn_spec d = *s;

    d.groups = 1;
    if (d.block == RN_BLOCK_BASIC || d.block == RN_BLOCK_PREACT || d.block == RN_BLOCK_FAST)
        return d;
    if (d.bot_mul > 0)
        d.group_width = 0;
    else if (d.group_width)
        d.group_width *= s->groups;
    else
        d.base_width *= s->groups;
    return d;
}

static bool has_groups(const struct rn_graph *g)
{
    for (int i = 0; i < g->nodes; i++)
        if (g->node[i].op == &rn_op_conv && g->node[i].as.conv.G > 1)
            return true;
    return false;
}

/* w [K][C/G][R][S] -> [K][C][R][S], already zero. */
static void spread(float *to, const float *w, const struct rn_node *n)
{
    size_t G = (size_t)n->as.conv.G, K = (size_t)n->y.C, C = (size_t)n->x.C, each = C / G;
    size_t taps = (size_t)(n->as.conv.win.R * n->as.conv.win.S);

    for (size_t k = 0; k < K; k++)
        memcpy(to + (k * C + k / (K / G) * each) * taps, w + k * each * taps,
               each * taps * sizeof *to);
}

/* Parameters are in the same order; those of grouped convolutions have other shapes. */
static int copy_params(const struct rn_model *to, const struct rn_model *from)
{
    if (to->graph.params != from->graph.params)
        return rn_fail(RN_EUSAGE, "%s: is not %s without groups", to->text, from->text);
    for (int i = 0; i < to->graph.params; i++) {
        const struct rn_param *p = &to->graph.param[i], *q = &from->graph.param[i];
        const struct rn_node *n = &from->graph.node[q->node];
        size_t G = n->op == &rn_op_conv && q->rank == 4 ? (size_t)n->as.conv.G : 1;
        if (strcmp(p->name, q->name) || rn_param_bytes(p) != G * rn_param_bytes(q))
            return rn_fail(RN_EUSAGE, "%s: its %s has another shape than that of %s", to->text,
                           p->name, from->text);
        if (G > 1)
            spread(to->value[i], from->value[i], n);
        else
            memcpy(to->value[i], from->value[i], rn_param_bytes(p));
    }
    return 0;
}

int rn_model_ungroup(struct rn_model **out, const struct rn_model *m)
{
    struct rn_spec s = dense(&m->spec);
    char text[sizeof m->text];
    const struct rn_prep *p = &m->prep;
    int status = has_groups(&m->graph)
                     ? rn_spec_print(&s, text, sizeof text)
                     : rn_fail(RN_EUSAGE, "%s: has no grouped convolution", m->text);

    *out = NULL;
    status = status ? status : rn_model_new(out, text, p->C, p->H, p->W, 0);
    status = status ? status : copy_params(*out, m);
    status = status ? status : rn_model_inherit(*out, m);
    if (status) {
        rn_model_free(*out);
        *out = NULL;
    }
    return status;
}
