#include "model/build.h"

#include <stdio.h>

#include "base/err.h"

/* prefix.part.name, without what is empty. */
static void name_node(const struct rn_build *b, struct rn_node *n, const char *name)
{
    snprintf(n->name, sizeof n->name, "%s%s%s%s", b->prefix, *b->prefix ? "." : "", b->part, name);
}

/* Zeros before and after a line of n, so that ceil(n / stride) windows fit; the odd one after. */
static void pad_same(int n, int size, int stride, int *before, int *after)
{
    int all = ((n + stride - 1) / stride - 1) * stride + size - n;
    all = all > 0 ? all : 0;
    *before = all / 2;
    *after = all - all / 2;
}

/* A square window on node x by the spec's padding: `pad` on all sides, or TensorFlow's "same". */
static struct rn_window window(const struct rn_build *b, int x, int size, int stride, int pad)
{
    struct rn_window w = rn_window_square(size, stride, pad);
    if (b->s->padding == RN_PADDING_SAME && x >= 0) {
        pad_same(b->g->node[x].y.H, size, stride, &w.top, &w.bottom);
        pad_same(b->g->node[x].y.W, size, stride, &w.left, &w.right);
    }
    return w;
}

int rn_put_conv(struct rn_build *b, int x, const char *name, int K, int size, int stride,
                int groups)
{
    struct rn_node n = { .op = &rn_op_conv, .inputs = 1, .in = { x } };
    n.as.conv.K = K;
    n.as.conv.G = groups;
    n.as.conv.bias = b->s->bias;
    n.as.conv.win = window(b, x, size, stride, size / 2);
    name_node(b, &n, name);
    return rn_graph_add(b->g, &n);
}

int rn_put_bn(struct rn_build *b, int x, const char *name)
{
    struct rn_node n = { .op = &rn_op_bn, .inputs = 1, .in = { x } };
    if (b->s->norm == RN_NORM_NONE)
        return x;
    n.as.bn.eps = b->s->bn_eps;
    n.as.bn.momentum = b->s->bn_momentum;
    n.as.bn.biased = b->s->bn_biased;
    name_node(b, &n, name);
    return rn_graph_add(b->g, &n);
}

int rn_put_relu(struct rn_build *b, int x, const char *name)
{
    struct rn_node n = { .op = &rn_op_relu, .inputs = 1, .in = { x } };
    name_node(b, &n, name);
    return rn_graph_add(b->g, &n);
}

int rn_put_add(struct rn_build *b, int x, int y)
{
    struct rn_node n = { .op = &rn_op_add, .inputs = 2, .in = { x, y } };
    name_node(b, &n, "add");
    return rn_graph_add(b->g, &n);
}

int rn_put_concat(struct rn_build *b, int x, int y, const char *name)
{
    struct rn_node n = { .op = &rn_op_concat, .inputs = 2, .in = { x, y } };
    name_node(b, &n, name);
    return rn_graph_add(b->g, &n);
}

int rn_put_shift(struct rn_build *b, int x)
{
    struct rn_node n = { .op = &rn_op_shift, .inputs = 1, .in = { x } };
    name_node(b, &n, "shift");
    return rn_graph_add(b->g, &n);
}

int rn_put_maxpool(struct rn_build *b, int x, const char *name, int size, int stride, int pad)
{
    struct rn_node n = { .op = &rn_op_maxpool, .inputs = 1, .in = { x } };
    n.as.pool.win = window(b, x, size, stride, pad);
    name_node(b, &n, name);
    return rn_graph_add(b->g, &n);
}

int rn_put_average(struct rn_build *b, int x, const char *name, int stride)
{
    struct rn_node n = { .op = &rn_op_meanpool, .inputs = 1, .in = { x } };
    n.as.pool.win = rn_window_square(stride, stride, 0);
    if (x >= 0) {
        n.as.pool.win.bottom = (stride - b->g->node[x].y.H % stride) % stride;
        n.as.pool.win.right = (stride - b->g->node[x].y.W % stride) % stride;
    }
    name_node(b, &n, name);
    return rn_graph_add(b->g, &n);
}

int rn_put_pad(struct rn_build *b, int x, int channels, int stride, bool at_end)
{
    if (x < 0)
        return -1;
    int more = channels - b->g->node[x].y.C;
    struct rn_node n = { .op = &rn_op_pad, .inputs = 1, .in = { x } };
    name_node(b, &n, "pad");
    if (more < 0) {
        b->g->status = rn_fail(RN_EUSAGE, "%s: shortcut=pad can't go from %d channels to %d",
                               *b->prefix ? b->prefix : "block", b->g->node[x].y.C, channels);
        return -1;
    }
    n.as.pad.stride = stride;
    n.as.pad.before = at_end ? 0 : more / 2;
    n.as.pad.after = more - n.as.pad.before;
    return rn_graph_add(b->g, &n);
}

/* A 1x1 convolution of squeeze-and-excitation: biased in every family. */
static int dense(struct rn_build *b, int x, const char *name, int K)
{
    struct rn_node n = { .op = &rn_op_conv, .inputs = 1, .in = { x } };
    n.as.conv.K = K;
    n.as.conv.G = 1;
    n.as.conv.bias = true;
    n.as.conv.win = rn_window_square(1, 1, 0);
    name_node(b, &n, name);
    return rn_graph_add(b->g, &n);
}

int rn_put_se(struct rn_build *b, int x, const char *part, int squeezed)
{
    struct rn_node pool = { .op = &rn_op_avgpool, .inputs = 1, .in = { x } };
    struct rn_node gate = { .op = &rn_op_gate, .inputs = 2, .in = { x } };

    if (x < 0)
        return -1;
    b->part = part;
    name_node(b, &pool, "avgpool");
    name_node(b, &gate, "gate");
    int y = dense(b, rn_graph_add(b->g, &pool), "fc1", squeezed);
    y = rn_put_relu(b, y, "relu");
    gate.in[1] = dense(b, y, "fc2", b->g->node[x].y.C);
    b->part = "";
    return rn_graph_add(b->g, &gate);
}
