/*
 * The kinds of block, a function each. The shortcut's nodes come first, so that the add joins the
 * main branch's last convolution. Names are torchvision's, timm's where it has none.
 */
#include <math.h>

#include "base/err.h"
#include "model/build.h"

enum { EXPANSION = 4 /* of a bottleneck: channels out / planes */, WIDTH_MAX = 65536 };

/* ---- shortcuts ---- */

static bool is_padded(const struct rn_spec *s)
{
    return s->shortcut == RN_SHORTCUT_PAD || s->shortcut == RN_SHORTCUT_PAD_END;
}

/* Does the shortcut have to change the shape? */
static bool projects(const struct rn_build *b, const struct rn_place *p)
{
    return p->x >= 0 && !b->s->plain &&
           (p->stride > 1 || b->g->node[p->x].y.C != p->channels || b->s->proj);
}

/* ResNet-D (He et al. 2018, figure 2c): the stride is an average, not a skip. */
static int average_shortcut(struct rn_build *b, int x, const struct rn_place *p)
{
    if (p->stride > 1)
        x = rn_put_average(b, x, "downsample.0", p->stride);
    x = rn_put_conv(b, x, "downsample.1", p->channels, 1, 1, 1);
    return rn_put_bn(b, x, "downsample.2");
}

/* What is added: x itself where the shape stays, else what the spec says of node `from`. */
static int shortcut(struct rn_build *b, int from, const struct rn_place *p)
{
    if (!projects(b, p))
        return p->x;
    if (is_padded(b->s))
        return rn_put_pad(b, p->x, p->channels, p->stride, b->s->shortcut == RN_SHORTCUT_PAD_END);
    if (b->s->shortcut == RN_SHORTCUT_AVG)
        return average_shortcut(b, from, p);
    int x = rn_put_conv(b, from, "downsample.0", p->channels, 1, p->stride, 1);
    return b->s->shortcut == RN_SHORTCUT_CONV_BN ? rn_put_bn(b, x, "downsample.1") : x;
}

/* x + identity; x alone in a plain network. */
static int join(struct rn_build *b, int x, int identity)
{
    return b->s->plain ? x : rn_put_add(b, x, identity);
}

/* ---- parts ---- */

/* se times so many channels, at least one. */
static int squeezed(const struct rn_spec *s, int channels)
{
    long n = lrintf(s->se * (float)channels);
    return n < 1 ? 1 : (int)n;
}

/* Squeeze-and-excitation of the main branch, where the spec has it. */
static int excite(struct rn_build *b, int x, const struct rn_place *p)
{
    return b->s->se > 0 ? rn_put_se(b, x, "se.", squeezed(b->s, p->channels)) : x;
}

/* The middle of a bottleneck: channels and groups. */
struct middle {
    int width, groups;
};

static void refuse(struct rn_build *b, long width, long groups)
{
    const char *name = *b->prefix ? b->prefix : "block";
    if (b->g->status)
        return;
    b->g->status =
        width < 1 || width > WIDTH_MAX
            ? rn_fail(RN_EUSAGE, "%s: its bottleneck has %ld channels, from 1 to %d", name, width,
                      WIDTH_MAX)
            : rn_fail(RN_EUSAGE, "%s: its bottleneck of %ld channels is not %ld groups of %d", name,
                      width, groups, b->s->group_width);
}

/*
 * With bot-mul, channels out x bot-mul (halves to even) in `groups` groups, or in groups of
 * group-width, as d2l's ResNeXtBlock reads its argument `groups`. Else group-width x groups, or
 * torchvision's int(planes * base-width / 64) * groups.
 */
static struct middle middle_of(struct rn_build *b, const struct rn_place *p)
{
    const struct rn_spec *s = b->s;
    long planes = p->channels / EXPANSION, width, groups = s->groups;

    if (s->bot_mul > 0) {
        width = lrintf((float)p->channels * s->bot_mul);
        if (s->group_width && groups == 1)
            groups = width / s->group_width;
    } else {
        width = groups * (s->group_width ? (long)s->group_width : planes * s->base_width / 64);
    }
    if (width < 1 || width > WIDTH_MAX || (s->group_width && groups * s->group_width != width))
        refuse(b, width, groups);
    return (struct middle){ (int)width, (int)groups };
}

/* ---- kinds ---- */

/* 3x3 - 3x3 (He et al. 2015, figure 5 left). */
static int basic(struct rn_build *b, const struct rn_place *p)
{
    int identity = shortcut(b, p->x, p);
    int x = rn_put_conv(b, p->x, "conv1", p->channels, 3, p->stride, b->s->groups);

    x = rn_put_bn(b, x, "bn1");
    x = rn_put_relu(b, x, "relu1");
    x = rn_put_conv(b, x, "conv2", p->channels, 3, 1, b->s->groups);
    x = rn_put_bn(b, x, "bn2");
    x = excite(b, x, p);
    x = join(b, x, identity);
    return rn_put_relu(b, x, "relu2");
}

/* 1x1 - 3x3 - 1x1 (figure 5 right), the stride on the 3x3 or, as there, on the first 1x1. */
static int bottleneck(struct rn_build *b, const struct rn_place *p)
{
    struct middle m = middle_of(b, p);
    bool first = b->s->stride_at == RN_STRIDE_AT_1X1;
    int identity = shortcut(b, p->x, p);
    int x = rn_put_conv(b, p->x, "conv1", m.width, 1, first ? p->stride : 1, 1);

    x = rn_put_bn(b, x, "bn1");
    x = rn_put_relu(b, x, "relu1");
    x = rn_put_conv(b, x, "conv2", m.width, 3, first ? 1 : p->stride, m.groups);
    x = rn_put_bn(b, x, "bn2");
    x = rn_put_relu(b, x, "relu2");
    x = rn_put_conv(b, x, "conv3", p->channels, 1, 1, 1);
    x = rn_put_bn(b, x, "bn3");
    x = excite(b, x, p);
    x = join(b, x, identity);
    return rn_put_relu(b, x, "relu3");
}

/* Batch norm and ReLU before the convolutions (He et al. 2016, figure 1b); a projection reads what
 * they give. */
static int preact(struct rn_build *b, const struct rn_place *p)
{
    int before = rn_put_relu(b, rn_put_bn(b, p->x, "bn1"), "relu1");
    int identity = shortcut(b, before, p);
    int x = rn_put_conv(b, before, "conv1", p->channels, 3, p->stride, b->s->groups);

    x = rn_put_bn(b, x, "bn2");
    x = rn_put_relu(b, x, "relu2");
    x = rn_put_conv(b, x, "conv2", p->channels, 3, 1, b->s->groups);
    x = excite(b, x, p);
    return join(b, x, identity);
}

static int preact_bottleneck(struct rn_build *b, const struct rn_place *p)
{
    struct middle m = middle_of(b, p);
    bool first = b->s->stride_at == RN_STRIDE_AT_1X1;
    int before = rn_put_relu(b, rn_put_bn(b, p->x, "bn1"), "relu1");
    int identity = shortcut(b, before, p);
    int x = rn_put_conv(b, before, "conv1", m.width, 1, first ? p->stride : 1, 1);

    x = rn_put_bn(b, x, "bn2");
    x = rn_put_relu(b, x, "relu2");
    x = rn_put_conv(b, x, "conv2", m.width, 3, first ? 1 : p->stride, m.groups);
    x = rn_put_bn(b, x, "bn3");
    x = rn_put_relu(b, x, "relu3");
    x = rn_put_conv(b, x, "conv3", p->channels, 1, 1, 1);
    x = excite(b, x, p);
    return join(b, x, identity);
}

/* RegNet's (Radosavovic et al. 2020): squeeze-and-excitation behind the 3x3, by the block's input;
 * names of torchvision's regnet. */
static int regnet(struct rn_build *b, const struct rn_place *p)
{
    struct middle m = middle_of(b, p);
    int identity = p->x;

    if (projects(b, p)) {
        identity = rn_put_conv(b, p->x, "proj.0", p->channels, 1, p->stride, 1);
        identity = rn_put_bn(b, identity, "proj.1");
    }
    int x = rn_put_conv(b, p->x, "f.a.0", m.width, 1, 1, 1);
    x = rn_put_bn(b, x, "f.a.1");
    x = rn_put_relu(b, x, "f.a.2");
    x = rn_put_conv(b, x, "f.b.0", m.width, 3, p->stride, m.groups);
    x = rn_put_bn(b, x, "f.b.1");
    x = rn_put_relu(b, x, "f.b.2");
    if (b->s->se > 0 && x >= 0)
        x = rn_put_se(b, x, "f.se.", squeezed(b->s, b->g->node[p->x].y.C));
    x = rn_put_conv(b, x, "f.c.0", p->channels, 1, 1, 1);
    x = rn_put_bn(b, x, "f.c.1");
    x = join(b, x, identity);
    return rn_put_relu(b, x, "activation");
}

/* David Page's ResNet9: a stage begins with a convolution and a max pool, without a shortcut; its
 * residual blocks end with the add. */
static int fast(struct rn_build *b, const struct rn_place *p)
{
    int x = rn_put_conv(b, p->x, "conv1", p->channels, 3, 1, b->s->groups);

    x = rn_put_bn(b, x, "bn1");
    x = rn_put_relu(b, x, "relu1");
    if (p->first)
        return rn_put_maxpool(b, x, "maxpool", p->stride, p->stride, 0);
    x = rn_put_conv(b, x, "conv2", p->channels, 3, 1, b->s->groups);
    x = rn_put_bn(b, x, "bn2");
    x = rn_put_relu(b, x, "relu2");
    x = excite(b, x, p);
    return join(b, x, p->x);
}

/* ShiftNet's (Wu et al. 2018): a shift between two 1x1 in the place of 3x3 convolutions, as wide
 * there as bot-mul says, else as its output; the stride on the second. */
static int shift(struct rn_build *b, const struct rn_place *p)
{
    struct middle m = b->s->bot_mul > 0 ? middle_of(b, p) : (struct middle){ p->channels, 1 };
    int identity = shortcut(b, p->x, p);
    int x = rn_put_conv(b, p->x, "conv1", m.width, 1, 1, 1);

    x = rn_put_bn(b, x, "bn1");
    x = rn_put_relu(b, x, "relu1");
    x = rn_put_shift(b, x);
    x = rn_put_conv(b, x, "conv2", p->channels, 1, p->stride, 1);
    x = rn_put_bn(b, x, "bn2");
    x = excite(b, x, p);
    x = join(b, x, identity);
    return rn_put_relu(b, x, "relu2");
}

/* A stage begins with a convolution and a max pool before its batch norm, which so has a quarter of
 * the pixels to go through; the other blocks are basic. */
static int pooled(struct rn_build *b, const struct rn_place *p)
{
    if (!p->first)
        return basic(b, p);
    int x = rn_put_conv(b, p->x, "conv1", p->channels, 3, 1, b->s->groups);

    x = rn_put_maxpool(b, x, "maxpool", p->stride, p->stride, 0);
    x = rn_put_bn(b, x, "bn1");
    return rn_put_relu(b, x, "relu1");
}

static const struct kind {
    int (*put)(struct rn_build *b, const struct rn_place *p);
    bool preact;
} kinds[] = {
    [RN_BLOCK_BASIC] = { basic, false },
    [RN_BLOCK_BOTTLENECK] = { bottleneck, false },
    [RN_BLOCK_PREACT] = { preact, true },
    [RN_BLOCK_PREACT_BOTTLENECK] = { preact_bottleneck, true },
    [RN_BLOCK_REGNET] = { regnet, false },
    [RN_BLOCK_FAST] = { fast, false },
    [RN_BLOCK_INCEPTION] = { rn_put_inception, false },
    [RN_BLOCK_INCEPTION_BN] = { rn_put_inception, false },
    [RN_BLOCK_SHIFT] = { shift, false },
    [RN_BLOCK_POOLED] = { pooled, false },
};

int rn_put_block(struct rn_build *b, const struct rn_place *p)
{
    return p->x < 0 ? -1 : kinds[b->s->block].put(b, p);
}

bool rn_block_preact(const struct rn_spec *s)
{
    return kinds[s->block].preact;
}
