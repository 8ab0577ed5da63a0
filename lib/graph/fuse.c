/*
 * Fusing: a node starts a unit; a batch norm, an add and a ReLU behind it join while nobody else
 * reads what lies between. An add joins the branch that is computed last, the other branch is its
 * residual.
 */
#include "graph/fuse.h"

#include <string.h>

#include "base/mem.h"

struct fuse {
    const struct rn_graph *g;
    int *readers; /* [nodes]: how many nodes read it */
    int *unit;    /* [nodes]: the unit that gives its tensor, -1 for the input */
};

/* The node that follows `last` in its unit if its op is `op`, else -1. It may read one more node,
 * computed before. */
static int follower(const struct fuse *f, int last, const struct rn_op *op)
{
    int next = last + 1;
    if (next >= f->g->nodes || f->g->node[next].op != op || f->readers[last] != 1)
        return -1;
    const struct rn_node *n = &f->g->node[next];
    for (int i = 0; i < n->inputs; i++)
        if (n->in[i] == last)
            return next;
    return -1;
}

static struct rn_unit fuse_from(const struct fuse *f, int first)
{
    const struct rn_node *n = &f->g->node[first];
    struct rn_unit u = { -1, -1, -1, -1, first, f->unit[n->in[0]], -1 };
    if (n->op == &rn_op_bn)
        u.bn = first;
    else if (n->op == &rn_op_add)
        u.add = first;
    else if (n->op == &rn_op_relu)
        u.relu = first;
    else
        u.main = first;
    if (n->inputs == 2)
        u.residual = f->unit[n->in[1]];
    if (u.main >= 0 && !n->op->epilogue)
        return u;
    if (u.main >= 0 && (u.bn = follower(f, u.out, &rn_op_bn)) >= 0)
        u.out = u.bn;
    if (u.add < 0 && u.relu < 0 && (u.add = follower(f, u.out, &rn_op_add)) >= 0) {
        const struct rn_node *add = &f->g->node[u.add];
        u.residual = f->unit[add->in[add->in[0] == u.out]];
        u.out = u.add;
    }
    if (u.relu < 0 && (u.relu = follower(f, u.out, &rn_op_relu)) >= 0)
        u.out = u.relu;
    return u;
}

int rn_units_init(struct rn_units *u, const struct rn_graph *g)
{
    size_t nodes = (size_t)g->nodes;
    memset(u, 0, sizeof *u);
    struct fuse f = { g, rn_alloc(nodes, sizeof(int)), rn_alloc(nodes, sizeof(int)) };
    u->unit = rn_alloc(nodes, sizeof *u->unit);
    if (!f.readers || !f.unit || !u->unit)
        goto fail;
    for (int i = 0; i < g->nodes; i++)
        for (int j = 0; j < g->node[i].inputs; j++)
            f.readers[g->node[i].in[j]]++;
    f.unit[0] = -1;
    for (int first = 1; first < g->nodes;) {
        struct rn_unit unit = fuse_from(&f, first);
        for (; first <= unit.out; first++)
            f.unit[first] = u->units;
        u->unit[u->units++] = unit;
    }
    rn_free(f.readers);
    rn_free(f.unit);
    return 0;
fail:
    rn_free(f.readers);
    rn_free(f.unit);
    rn_units_release(u);
    return RN_EMEM;
}

void rn_units_release(struct rn_units *u)
{
    rn_free(u->unit);
    memset(u, 0, sizeof *u);
}
