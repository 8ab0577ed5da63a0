/* Building a graph: nodes are added in the order they run, shapes and costs are inferred on the
 * way. */
#include "graph/graph.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

/* Largest activation of one picture, in floats: keeps every later product of sizes far from
 * overflow. */
static const size_t activation_max = (size_t)1 << 31;

enum { SIDE_MAX = 65536 }; /* rows, columns and channels of the input */

int rn_graph_init(struct rn_graph *g, struct rn_shape input)
{
    memset(g, 0, sizeof *g);
    if (input.H < 1 || input.W < 1 || input.C < 1 || input.H > SIDE_MAX || input.W > SIDE_MAX ||
        input.C > SIDE_MAX)
        return g->status = rn_fail(RN_EUSAGE, "input of %dx%dx%d: each from 1 to %d", input.C,
                                   input.H, input.W, SIDE_MAX);
    struct rn_node node = { .op = &rn_op_input, .name = "input", .y = input };
    rn_graph_add(g, &node);
    return g->status;
}

void rn_graph_release(struct rn_graph *g)
{
    rn_free(g->node);
    rn_free(g->param);
    memset(g, 0, sizeof *g);
}

void rn_graph_stage(struct rn_graph *g, const char *name)
{
    if (g->stages == (int)(sizeof g->stage / sizeof *g->stage)) {
        g->status = g->status ? g->status : rn_fail(RN_EUSAGE, "%s: too many stages", name);
        return;
    }
    snprintf(g->stage[g->stages++], sizeof *g->stage, "%s", name);
    g->block[0] = '\0';
}

void rn_graph_block(struct rn_graph *g, const char *name)
{
    snprintf(g->block, sizeof g->block, "%s", name);
}

static int infer(struct rn_graph *g, struct rn_node *n)
{
    struct rn_shape in[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
    for (int i = 0; i < n->inputs; i++)
        in[i] = g->node[n->in[i]].y;
    if (n->inputs)
        n->x = in[0];
    int status = n->op->shape(n, in);
    if (!status && rn_shape_count(n->y) > activation_max)
        status = rn_fail(RN_EUSAGE, "%s: its output of %dx%dx%d is too large", n->name, n->y.C,
                         n->y.H, n->y.W);
    return status;
}

/* Rows of its input that an output pixel of n reads, and between two of them. */
static void look(const struct rn_node *n, int *rows, int *stride)
{
    *rows = *stride = 1;
    if (n->op == &rn_op_conv) {
        *rows = n->as.conv.win.R;
        *stride = n->as.conv.win.stride_h;
    } else if (n->op == &rn_op_maxpool || n->op == &rn_op_meanpool) {
        *rows = n->as.pool.win.R;
        *stride = n->as.pool.win.stride_h;
    } else if (n->op == &rn_op_shift) {
        *rows = 3;
    } else if (n->op == &rn_op_pad) {
        *stride = n->as.pad.stride;
    } else if (n->op == &rn_op_avgpool) {
        *rows = n->x.H;
    }
}

/* The receptive field (Araujo, Norris and Sim 2019): of two inputs, the larger one. */
static void see(const struct rn_graph *g, struct rn_node *n)
{
    int rows, stride;

    n->field = n->jump = 1;
    look(n, &rows, &stride);
    for (int i = 0; i < n->inputs; i++) {
        const struct rn_node *in = &g->node[n->in[i]];
        int field = in->field + (rows - 1) * in->jump;
        n->field = field > n->field ? field : n->field;
    }
    if (n->inputs)
        n->jump = g->node[n->in[0]].jump * stride;
}

int rn_graph_add(struct rn_graph *g, const struct rn_node *node)
{
    if (g->status || (node->inputs > 0 && node->in[0] < 0) || (node->inputs > 1 && node->in[1] < 0))
        return -1;
    if ((g->status = rn_array_grow(&g->node, (size_t)g->nodes, &g->node_room, sizeof *g->node)))
        return -1;
    struct rn_node *n = &g->node[g->nodes];
    *n = *node;
    n->stage = g->stages ? g->stages - 1 : 0;
    snprintf(n->block, sizeof n->block, "%s", g->block);
    if ((g->status = infer(g, n)))
        return -1;
    see(g, n);
    n->param = g->params;
    if (n->op->params)
        n->op->params(g, n);
    n->params = g->params - n->param;
    return g->status ? -1 : g->nodes++;
}

void rn_graph_param(struct rn_graph *g, const char *node, const char *suffix, enum rn_dtype dtype,
                    bool trained, int rank, const int dim[])
{
    if (g->status)
        return;
    if ((g->status = rn_array_grow(&g->param, (size_t)g->params, &g->param_room, sizeof *g->param)))
        return;
    struct rn_param *p = &g->param[g->params++];
    *p = (struct rn_param){ .dtype = dtype, .rank = rank, .node = g->nodes, .trained = trained };
    snprintf(p->name, sizeof p->name, "%s.%s", node, suffix);
    for (int i = 0; i < rank; i++)
        p->dim[i] = dim[i];
}

int rn_graph_find(const struct rn_graph *g, const char *param)
{
    for (int i = 0; i < g->params; i++)
        if (!strcmp(g->param[i].name, param))
            return i;
    return -1;
}

size_t rn_param_count(const struct rn_param *p)
{
    size_t n = 1;
    for (int i = 0; i < p->rank; i++)
        n *= (size_t)p->dim[i];
    return n;
}
