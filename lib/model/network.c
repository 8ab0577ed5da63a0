/* From a spec to nodes: stem, stages of blocks, head; or one block alone. */
#include <stdio.h>

#include "base/err.h"
#include "model/build.h"

/* Batch norm and ReLU behind a convolution. */
static int normed(struct rn_build *b, int x, const char *bn, const char *name)
{
    return rn_put_relu(b, rn_put_bn(b, x, bn), name);
}

/* Three 3x3 (He et al. 2018, figure 2b) up to the last one's batch norm; names of timm. */
static int deep_stem(struct rn_build *b)
{
    int width = b->s->stem_width, half = (width + 1) / 2;
    int x = rn_put_conv(b, 0, "conv1.0", half, 3, 2, 1);

    x = normed(b, x, "conv1.1", "conv1.2");
    x = rn_put_conv(b, x, "conv1.3", half, 3, 1, 1);
    x = normed(b, x, "conv1.4", "conv1.5");
    return rn_put_conv(b, x, "conv1.6", width, 3, 1, 1);
}

/* Before pre-activation blocks the stem is a convolution alone. */
static int stem(struct rn_build *b)
{
    const struct rn_spec *s = b->s;
    bool regnet = s->block == RN_BLOCK_REGNET, large = s->stem == RN_STEM_7X7;
    int x;

    rn_graph_stage(b->g, "stem");
    if (s->stem == RN_STEM_DEEP)
        x = deep_stem(b);
    else
        x = rn_put_conv(b, 0, regnet ? "stem.0" : "conv1", s->stem_width, large ? 7 : 3,
                        s->stem == RN_STEM_3X3 ? 1 : 2, 1);
    if (!rn_block_preact(s))
        x = normed(b, x, regnet ? "stem.1" : "bn1", regnet ? "stem.2" : "relu");
    return large || s->stem == RN_STEM_DEEP ? rn_put_maxpool(b, x, "maxpool", 3, 2, 1) : x;
}

void rn_block_name(const struct rn_spec *s, int stage, int i, char *text, size_t size)
{
    if (s->block == RN_BLOCK_REGNET)
        snprintf(text, size, "trunk_output.block%d.block%d-%d", stage, stage, i);
    else
        snprintf(text, size, "layer%d.%d", stage, i);
}

static void name_block(struct rn_build *b, int number, int i)
{
    rn_block_name(b->s, number, i, b->prefix, sizeof b->prefix);
    rn_graph_block(b->g, b->prefix);
}

static int stage(struct rn_build *b, int x, int number)
{
    const struct rn_stage *stage = &b->s->stage[number - 1];
    char name[24];

    snprintf(name, sizeof name, "stage %d", number);
    rn_graph_stage(b->g, name);
    for (int i = 0; i < stage->blocks; i++) {
        struct rn_place p = { .x = x,
                              .channels = stage->channels,
                              .stride = i > 0        ? 1
                                        : number > 1 ? 2
                                                     : b->s->first_stride,
                              .first = i == 0 };
        name_block(b, number, i);
        x = rn_put_block(b, &p);
    }
    b->prefix[0] = '\0';
    return x;
}

/* The largest value of each channel. */
static int global_max(struct rn_graph *g, int x)
{
    struct rn_node n = { .op = &rn_op_maxpool, .name = "maxpool", .inputs = 1, .in = { x } };
    if (x >= 0)
        n.as.pool.win = (struct rn_window){
            .R = g->node[x].y.H, .S = g->node[x].y.W, .stride_h = 1, .stride_w = 1
        };
    return rn_graph_add(g, &n);
}

static void head(struct rn_build *b, int x)
{
    struct rn_node pool = { .op = &rn_op_avgpool, .name = "avgpool", .inputs = 1 };
    struct rn_node fc = { .op = &rn_op_linear, .name = "fc", .inputs = 1 };

    rn_graph_stage(b->g, "head");
    if (rn_block_preact(b->s))
        x = normed(b, x, "norm", "relu");
    pool.in[0] = x;
    fc.in[0] = b->s->pool == RN_POOL_MAX ? global_max(b->g, x) : rn_graph_add(b->g, &pool);
    fc.as.linear.K = b->s->classes;
    rn_graph_add(b->g, &fc);
}

static void network(struct rn_build *b)
{
    int x = stem(b);
    for (int i = 1; i <= b->s->stages; i++)
        x = stage(b, x, i);
    head(b, x);
}

static void single(struct rn_build *b)
{
    struct rn_place p = { .channels = b->s->out ? b->s->out : b->s->in, .stride = b->s->stride };
    rn_graph_stage(b->g, "block");
    rn_put_block(b, &p);
}

int rn_spec_build(const struct rn_spec *s, int H, int W, struct rn_graph *g)
{
    int status = rn_graph_init(g, (struct rn_shape){ H, W, s->in });
    struct rn_build b = { .g = g, .s = s, .part = "" };

    if (status)
        return status;
    if (s->single)
        single(&b);
    else
        network(&b);
    status = g->status;
    if (status)
        rn_graph_release(g);
    return status;
}
