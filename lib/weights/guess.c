/* The structure of a network, read off the names and shapes of its tensors. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "model/key.h"
#include "weights/recognise.h"

enum {
    EXPANSION = 4,  /* of a bottleneck, as in blocks.c */
    FAMILY = 4,     /* keys that another stem is worth */
    DIM_MAX = 65537 /* more than a spec's channels */
};

struct guess {
    const struct rn_view *v;
    const char *path;
    struct rn_spec s;
    int projections, paddings; /* blocks whose shortcut changes the shape, with weights, without */
};

static int fail(const struct guess *g, const char *what)
{
    return rn_fail(RN_EFORMAT, "%s: %s; -a SPEC names the network", g->path, what);
}

/* 0 where there is none; what is too large for a network is as large as none can be. */
static int dim(const struct rn_tensor *t, int d)
{
    size_t n = t && d < t->rank ? t->dim[d] : 0;
    return n < DIM_MAX ? (int)n : DIM_MAX;
}

/* ---- stem and head ---- */

static int read_stem(struct guess *g)
{
    const struct rn_tensor *first = rn_view_find(g->v, "conv1.weight");
    const struct rn_tensor *deep = rn_view_find(g->v, "conv1.6.weight");
    g->s.stem = RN_STEM_7X7;
    if (deep) {
        g->s.stem = RN_STEM_DEEP;
        first = rn_view_find(g->v, "conv1.0.weight");
    } else if (dim(first, 2) == 3) {
        g->s.stem = RN_STEM_3X3;
    } else if (dim(first, 2) != 7) {
        return fail(g, first ? "its first convolution is neither 7x7 nor 3x3"
                             : "no tensor is named like a network's first convolution");
    }
    g->s.in = dim(first, 1);
    g->s.stem_width = dim(deep ? deep : first, 0);
    return 0;
}

/* ---- blocks ---- */

static bool is_bottleneck(const struct guess *g)
{
    return rn_view_find(g->v, "layer1.0.conv3.weight");
}

static int read_kind(struct guess *g)
{
    bool preact = !rn_view_find(g->v, g->s.stem == RN_STEM_DEEP ? "conv1.4.weight" : "bn1.weight");
    if (!rn_view_find(g->v, "layer1.0.conv2.weight"))
        return fail(g, "no tensor is named like a residual block's (layer1.0.conv2.weight)");
    if (is_bottleneck(g))
        g->s.block = preact ? RN_BLOCK_PREACT_BOTTLENECK : RN_BLOCK_BOTTLENECK;
    else
        g->s.block = preact ? RN_BLOCK_PREACT : RN_BLOCK_BASIC;
    g->s.bias = rn_view_find(g->v, "layer1.0.conv1.bias");
    return 0;
}

static void read_shortcut(struct guess *g, int stage, int block, int in, int out)
{
    if (rn_view_get(g->v, "layer%d.%d.downsample.1.running_mean", stage, block))
        g->s.shortcut = RN_SHORTCUT_CONV_BN;
    else if (rn_view_get(g->v, "layer%d.%d.downsample.2.running_mean", stage, block))
        g->s.shortcut = RN_SHORTCUT_AVG;
    else if (rn_view_get(g->v, "layer%d.%d.downsample.0.weight", stage, block))
        g->s.shortcut = RN_SHORTCUT_CONV;
    else {
        g->paddings += in != out || (stage > 1 && block == 0);
        return;
    }
    g->projections++;
    if (stage == 1 && block == 0 && in == out)
        g->s.first_stride = 2;
}

/* Counts the blocks of a stage; 0: there is no such stage. */
static int read_stage(struct guess *g, int number, int in)
{
    struct rn_stage *stage = &g->s.stage[number - 1];
    const struct rn_tensor *last;
    for (stage->blocks = 0; (last = rn_view_get(g->v, "layer%d.%d.conv%d.weight", number,
                                                stage->blocks, is_bottleneck(g) ? 3 : 2));
         stage->blocks++) {
        stage->channels = dim(last, 0);
        read_shortcut(g, number, stage->blocks, in, stage->channels);
        in = stage->channels;
    }
    return stage->blocks;
}

static int read_stages(struct guess *g)
{
    int in = g->s.stem_width;
    g->s.first_stride = 1;
    while (g->s.stages < RN_STAGES_MAX && read_stage(g, g->s.stages + 1, in))
        in = g->s.stage[g->s.stages++].channels;
    if (g->projections && g->paddings)
        return fail(g, "some shortcuts that change the shape have weights and some have none");
    if (g->paddings)
        g->s.shortcut = RN_SHORTCUT_PAD;
    return 0;
}

/* ---- groups and widths ---- */

/* Channels inside the bottlenecks of a stage, and groups of its 3x3. */
struct inside {
    int width, groups, each; /* channels of a group */
};

static struct inside inside_of(const struct guess *g, int stage)
{
    const struct rn_tensor *t = rn_view_get(g->v, "layer%d.0.conv2.weight", stage);
    int width = dim(t, 0), each = dim(t, 1);
    return (struct inside){ width, each ? width / each : 0, each };
}

/* As torchvision counts: planes * base-width / 64 * groups. */
static bool by_base_width(struct guess *g)
{
    struct inside first = inside_of(g, 1);
    int planes = g->s.stage[0].channels / EXPANSION;
    if (!planes || !first.groups)
        return false;
    g->s.groups = first.groups;
    g->s.base_width = first.each * 64 / planes;
    g->s.group_width = 0;
    g->s.bot_mul = 0;
    for (int i = 0; i < g->s.stages; i++) {
        struct inside now = inside_of(g, i + 1);
        planes = g->s.stage[i].channels / EXPANSION;
        if (now.groups != first.groups ||
            now.width != (long)planes * g->s.base_width / 64 * first.groups || !g->s.base_width)
            return false;
    }
    return true;
}

/* As d2l counts: bot-mul of the channels out, in groups of one width or of one number. */
static bool by_part(struct guess *g)
{
    struct inside first = inside_of(g, 1);
    bool same_width = true, same_groups = true;
    g->s.base_width = 64;
    g->s.bot_mul = (float)first.width / (float)g->s.stage[0].channels;
    for (int i = 0; i < g->s.stages; i++) {
        struct inside now = inside_of(g, i + 1);
        if ((float)now.width != (float)g->s.stage[i].channels * g->s.bot_mul)
            return false;
        same_width = same_width && now.each == first.each;
        same_groups = same_groups && now.groups == first.groups;
    }
    g->s.groups = same_groups ? first.groups : 1;
    g->s.group_width = same_groups ? 0 : first.each;
    return same_groups || same_width;
}

static int read_groups(struct guess *g)
{
    const struct rn_tensor *t = rn_view_find(g->v, "layer1.0.conv1.weight");
    g->s.base_width = 64;
    g->s.groups = dim(t, 1) ? g->s.stem_width / dim(t, 1) : 1;
    if (!is_bottleneck(g) || by_base_width(g) || by_part(g))
        return 0;
    return fail(g, "its bottlenecks follow no rule of widths and groups");
}

static void read_se(struct guess *g)
{
    const struct rn_tensor *t = rn_view_find(g->v, "layer1.0.se.fc1.weight");
    if (dim(t, 1))
        g->s.se = (float)dim(t, 0) / (float)dim(t, 1);
}

/* ---- the row ---- */

static int distance(const struct rn_spec *a, const struct rn_spec *b)
{
    int n = a->stem == b->stem ? 0 : FAMILY;
    for (const struct rn_key *k = rn_keys; k->name; k++)
        n += strcmp(k->name, "in") && strcmp(k->name, "classes") && !rn_key_same(k, a, b);
    return n;
}

/* What the tensors told, on a row that tells the rest. */
static struct rn_spec on_row(const struct rn_spec *row, const struct guess *g)
{
    struct rn_spec s = *row;
    s.in = g->s.in;
    s.block = g->s.block;
    s.stem = g->s.stem;
    s.stem_width = g->s.stem_width;
    if (g->projections || g->paddings)
        s.shortcut = g->s.shortcut;
    s.first_stride = g->s.first_stride;
    s.stages = g->s.stages;
    memcpy(s.stage, g->s.stage, sizeof s.stage);
    s.groups = g->s.groups;
    s.base_width = g->s.base_width;
    s.group_width = g->s.group_width;
    s.bot_mul = g->s.bot_mul;
    s.se = g->s.se;
    s.bias = g->s.bias;
    return s;
}

static void choose_row(struct rn_spec *best, const struct guess *g)
{
    int least = -1;
    for (const struct rn_variant *v = rn_variants; v->name; v++) {
        struct rn_spec row;
        if (rn_spec_parse(&row, v->name) || row.single)
            continue;
        struct rn_spec s = on_row(&row, g);
        int n = distance(&s, &row);
        if (least < 0 || n < least) {
            least = n;
            *best = s;
        }
    }
}

int rn_guess_spec(struct rn_spec *s, const struct rn_view *v, const char *path)
{
    struct guess g = { .v = v, .path = path };
    int status = read_stem(&g);
    if (!status)
        status = read_kind(&g);
    if (!status)
        status = read_stages(&g);
    if (!status)
        status = read_groups(&g);
    if (status)
        return status;
    read_se(&g);
    choose_row(s, &g);
    return 0;
}
