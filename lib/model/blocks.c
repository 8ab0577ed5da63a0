/*
 * From a spec to nodes: stem, stages of residual blocks, head. A block is one function; its
 * shortcut's nodes come first, so that the add joins the main branch's last convolution. Names are
 * torchvision's.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "graph/graph.h"
#include "model/spec.h"

enum { EXPANSION = 4 /* of a bottleneck: channels out / planes */, WIDTH_MAX = 65536 };

static const float bn_eps = 1e-5f, bn_momentum = 0.1f; /* PyTorch's defaults */

/* ---- single nodes: each takes the index of its input and returns its own ---- */

/* prefix.name, or name alone. */
static void name_node(struct rn_node *n, const char *prefix, const char *name)
{
    snprintf(n->name, sizeof n->name, "%s%s%s", prefix, *prefix ? "." : "", name);
}

static int conv(struct rn_graph *g, const struct rn_spec *s, int x, const char *prefix,
                const char *name, int K, int size, int stride, int groups)
{
    struct rn_node n = { .op = &rn_op_conv, .inputs = 1, .in = { x } };
    n.as.conv.K = K;
    n.as.conv.G = groups;
    n.as.conv.bias = s->bias;
    n.as.conv.win = rn_window_square(size, stride, size / 2);
    name_node(&n, prefix, name);
    return rn_graph_add(g, &n);
}

static int bn(struct rn_graph *g, int x, const char *prefix, const char *name)
{
    struct rn_node n = { .op = &rn_op_bn, .inputs = 1, .in = { x } };
    n.as.bn.eps = bn_eps;
    n.as.bn.momentum = bn_momentum;
    name_node(&n, prefix, name);
    return rn_graph_add(g, &n);
}

static int relu(struct rn_graph *g, int x, const char *prefix, const char *name)
{
    struct rn_node n = { .op = &rn_op_relu, .inputs = 1, .in = { x } };
    name_node(&n, prefix, name);
    return rn_graph_add(g, &n);
}

static int add(struct rn_graph *g, int a, int b, const char *prefix)
{
    struct rn_node n = { .op = &rn_op_add, .inputs = 2, .in = { a, b } };
    name_node(&n, prefix, "add");
    return rn_graph_add(g, &n);
}

static int maxpool(struct rn_graph *g, int x, int size, int stride, int pad)
{
    struct rn_node n = { .op = &rn_op_maxpool, .name = "maxpool", .inputs = 1, .in = { x } };
    n.as.pool.win = rn_window_square(size, stride, pad);
    return rn_graph_add(g, &n);
}

/* ---- blocks ---- */

/* One residual block: where it stands and what it does. */
struct block {
    char prefix[32]; /* layer1.0 */
    int x;           /* node it reads */
    int channels;    /* out */
    int stride;
};

static int pad_shortcut(struct rn_graph *g, const struct block *b)
{
    int more = b->channels - g->node[b->x].y.C;
    struct rn_node n = { .op = &rn_op_pad, .inputs = 1, .in = { b->x } };

    if (more < 0) {
        g->status = rn_fail(RN_EUSAGE, "%s: shortcut=pad can't go from %d channels to %d",
                            b->prefix, g->node[b->x].y.C, b->channels);
        return -1;
    }
    n.as.pad.stride = b->stride;
    n.as.pad.before = more / 2;
    n.as.pad.after = more - more / 2;
    name_node(&n, b->prefix, "pad");
    return rn_graph_add(g, &n);
}

/* The identity where the shape stays, else what the spec says. */
static int shortcut(struct rn_graph *g, const struct rn_spec *s, const struct block *b)
{
    if (b->x < 0 || (b->stride == 1 && g->node[b->x].y.C == b->channels))
        return b->x;
    if (s->shortcut == RN_SHORTCUT_PAD)
        return pad_shortcut(g, b);
    int x = conv(g, s, b->x, b->prefix, "downsample.0", b->channels, 1, b->stride, 1);
    return s->shortcut == RN_SHORTCUT_CONV_BN ? bn(g, x, b->prefix, "downsample.1") : x;
}

/* 3x3 - 3x3 (He et al. 2015, figure 5 left). */
static int basic(struct rn_graph *g, const struct rn_spec *s, const struct block *b)
{
    int identity = shortcut(g, s, b);
    int x = conv(g, s, b->x, b->prefix, "conv1", b->channels, 3, b->stride, s->groups);

    x = bn(g, x, b->prefix, "bn1");
    x = relu(g, x, b->prefix, "relu1");
    x = conv(g, s, x, b->prefix, "conv2", b->channels, 3, 1, s->groups);
    x = bn(g, x, b->prefix, "bn2");
    x = add(g, x, identity, b->prefix);
    return relu(g, x, b->prefix, "relu2");
}

/*
 * Channels inside a bottleneck: group-width x groups, else torchvision's int(planes * base-width / 64) * groups.
 * -1 with g->status set when there are too many.
 */
static int bottleneck_width(struct rn_graph *g, const struct rn_spec *s, const struct block *b)
{
    long planes = b->channels / EXPANSION;
    long width = s->groups * (s->group_width ? (long)s->group_width : planes * s->base_width / 64);

    if (width <= WIDTH_MAX)
        return (int)width;
    if (!g->status)
        g->status = rn_fail(RN_EUSAGE, "%s: its bottleneck has %ld channels, at most %d", b->prefix,
                            width, WIDTH_MAX);
    return -1;
}

/* 1x1 - 3x3 - 1x1, the stride on the 3x3 (figure 5 right; torchvision's v1.5). */
static int bottleneck(struct rn_graph *g, const struct rn_spec *s, const struct block *b)
{
    int width = bottleneck_width(g, s, b);
    int identity = shortcut(g, s, b);
    int x = conv(g, s, b->x, b->prefix, "conv1", width, 1, 1, 1);

    x = bn(g, x, b->prefix, "bn1");
    x = relu(g, x, b->prefix, "relu1");
    x = conv(g, s, x, b->prefix, "conv2", width, 3, b->stride, s->groups);
    x = bn(g, x, b->prefix, "bn2");
    x = relu(g, x, b->prefix, "relu2");
    x = conv(g, s, x, b->prefix, "conv3", b->channels, 1, 1, 1);
    x = bn(g, x, b->prefix, "bn3");
    x = add(g, x, identity, b->prefix);
    return relu(g, x, b->prefix, "relu3");
}

typedef int block_fn(struct rn_graph *g, const struct rn_spec *s, const struct block *b);
static block_fn *const block_kinds[] = {
    [RN_BLOCK_BASIC] = basic, [RN_BLOCK_BOTTLENECK] = bottleneck
};

/* ---- the network ---- */

static int stem(struct rn_graph *g, const struct rn_spec *s)
{
    bool large = s->stem == RN_STEM_7X7;

    rn_graph_stage(g, "stem");
    int x = conv(g, s, 0, "", "conv1", s->stem_width, large ? 7 : 3, large ? 2 : 1, 1);
    x = bn(g, x, "", "bn1");
    x = relu(g, x, "", "relu");
    return large ? maxpool(g, x, 3, 2, 1) : x;
}

static int stage(struct rn_graph *g, const struct rn_spec *s, int x, int number)
{
    const struct rn_stage *stage = &s->stage[number - 1];
    char name[24];

    snprintf(name, sizeof name, "stage %d", number);
    rn_graph_stage(g, name);
    for (int i = 0; i < stage->blocks; i++) {
        struct block b = { .x = x,
                           .channels = stage->channels,
                           .stride = number > 1 && i == 0 ? 2 : 1 };
        snprintf(b.prefix, sizeof b.prefix, "layer%d.%d", number, i);
        rn_graph_block(g, b.prefix);
        x = block_kinds[s->block](g, s, &b);
    }
    return x;
}

static void head(struct rn_graph *g, const struct rn_spec *s, int x)
{
    struct rn_node pool = { .op = &rn_op_avgpool, .name = "avgpool", .inputs = 1, .in = { x } };
    struct rn_node fc = { .op = &rn_op_linear, .name = "fc", .inputs = 1 };

    rn_graph_stage(g, "head");
    fc.in[0] = rn_graph_add(g, &pool);
    fc.as.linear.K = s->classes;
    rn_graph_add(g, &fc);
}

int rn_spec_build(const struct rn_spec *s, int H, int W, struct rn_graph *g)
{
    int status = rn_graph_init(g, (struct rn_shape){ H, W, s->in });
    if (status)
        return status;
    int x = stem(g, s);
    for (int i = 1; i <= s->stages; i++)
        x = stage(g, s, x, i);
    head(g, s, x);
    status = g->status;
    if (status)
        rn_graph_release(g);
    return status;
}
