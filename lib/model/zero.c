/* Residual blocks as the identity: what ends their branch gives zero (Goyal et al. 2017, section
 * 5.1). */
#include <string.h>

#include "model/model.h"

static void clear(const struct rn_model *m, int param)
{
    memset(m->value[param], 0, rn_param_bytes(&m->graph.param[param]));
}

/* The node behind which the branch that an add reads ends, a gate looked through. */
static const struct rn_node *end_of_branch(const struct rn_graph *g, const struct rn_node *add)
{
    const struct rn_node *n = &g->node[add->in[0]];
    return n->op == &rn_op_gate ? &g->node[n->in[0]] : n;
}

bool rn_model_zero_branch(const struct rn_model *m, const struct rn_node *add)
{
    const struct rn_node *end = end_of_branch(&m->graph, add);

    if (end->op != &rn_op_bn && end->op != &rn_op_conv)
        return false;
    for (int i = end->param; i < end->param + end->params; i++)
        if (m->graph.param[i].trained)
            clear(m, i);
    return true;
}

int rn_model_zero_residual(struct rn_model *m)
{
    int zero = 0;
    for (int i = 0; i < m->graph.nodes; i++)
        if (m->graph.node[i].op == &rn_op_add)
            zero += rn_model_zero_branch(m, &m->graph.node[i]);
    return zero;
}
