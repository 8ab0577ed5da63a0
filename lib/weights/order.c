/*
 * Tensors whose names say nothing, by their order: a state dict lists its layers as the program
 * made them, and shapes tell whether an order that others use fits.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "graph/graph.h"
#include "weights/cast.h"
#include "weights/recognise.h"

bool rn_is_counter(const struct rn_tensor *t)
{
    size_t n = strlen(t->name), m = strlen("num_batches_tracked");
    return rn_dtype_is_whole(t->dtype) && t->rank <= 1 && t->bytes == rn_dtype_size(t->dtype) &&
           n >= m && !strcmp(t->name + n - m, "num_batches_tracked");
}

/* A node with parameters, and where it stands. */
struct layer {
    const struct rn_node *node;
    int block, class, index;
};

static bool on_shortcut(const struct rn_node *n)
{
    return strstr(n->name, "downsample") || strstr(n->name, "proj.");
}

/* What stands behind what within a block: nothing, shortcuts, or batch norms and shortcuts. */
enum order { BY_RUNNING, SHORTCUT_LAST, NORMS_LAST, ORDERS };

static int class_of(const struct rn_node *n, enum order order)
{
    int norm = n->op == &rn_op_bn, shortcut = on_shortcut(n);
    return order == BY_RUNNING ? 0 : order == SHORTCUT_LAST ? shortcut : 2 * norm + shortcut;
}

static int compare(const void *a, const void *b)
{
    const struct layer *x = a, *y = b;
    if (x->block != y->block)
        return x->block - y->block;
    return x->class != y->class ? x->class - y->class : x->index - y->index;
}

/* The layers of g with parameters in an order; the caller frees. */
static struct layer *sorted(const struct rn_graph *g, enum order order, int *n)
{
    struct layer *l = rn_alloc((size_t)g->nodes, sizeof *l);
    int block = 0;
    *n = 0;
    for (int i = 0; l && i < g->nodes; i++) {
        const struct rn_node *node = &g->node[i];
        block += i && (strcmp(node->block, node[-1].block) || !*node->block);
        if (node->params)
            l[(*n)++] = (struct layer){ node, block, class_of(node, order), i };
    }
    if (l)
        qsort(l, (size_t)*n, sizeof *l, compare);
    return l;
}

static bool same_shape(const struct rn_param *p, const struct rn_tensor *t)
{
    bool same = t->rank == p->rank && rn_dtype_is_float(t->dtype);
    for (int d = 0; d < p->rank && same; d++)
        same = t->dim[d] == (size_t)p->dim[d];
    return same;
}

/* The next tensor from *at on that is no counter, or -1. */
static int next_tensor(const struct rn_weights *w, int *at)
{
    while (*at < w->tensors && rn_is_counter(&w->tensor[*at]))
        ++*at;
    return *at < w->tensors ? (*at)++ : -1;
}

static bool fits(int *tensor, const struct rn_graph *g, const struct rn_weights *w,
                 enum order order)
{
    int layers, at = 0;
    bool fit = true;
    struct layer *l = sorted(g, order, &layers);
    for (int i = 0; l && i < layers && fit; i++)
        for (int j = l[i].node->param; j < l[i].node->param + l[i].node->params && fit; j++) {
            bool counter = g->param[j].dtype == RN_I64;
            tensor[j] = counter ? -1 : next_tensor(w, &at);
            fit = counter || (tensor[j] >= 0 && same_shape(&g->param[j], &w->tensor[tensor[j]]));
        }
    fit = fit && l && next_tensor(w, &at) < 0;
    rn_free(l);
    return fit;
}

bool rn_order_fits(int *tensor, const struct rn_graph *g, const struct rn_weights *w)
{
    size_t size = (size_t)g->params * sizeof *tensor;
    int *other = rn_alloc((size_t)g->params, sizeof *other);
    bool found = false, same = other != NULL;
    for (enum order o = 0; o < ORDERS && same; o++) {
        if (!fits(other, g, w, o))
            continue;
        same = !found || !memcmp(other, tensor, size);
        memcpy(tensor, other, size);
        found = true;
    }
    rn_free(other);
    return found && same;
}
