/* Layers in groups, and what a group is made of. */
#include <stdio.h>
#include <string.h>

#include "say.h"
#include "summary.h"

/* ---- groups of layers ---- */

static bool same_group(int depth, const struct rn_layer *a, const struct rn_layer *b)
{
    switch (depth) {
    case DEPTH_TOTAL:
        return true;
    case DEPTH_STAGE:
        return strcmp(a->stage, b->stage) == 0;
    case DEPTH_BLOCK:
        return strcmp(a->stage, b->stage) == 0 && strcmp(a->block, b->block) == 0;
    default:
        return false;
    }
}

static const char *group_name(int depth, const struct rn_layer *l)
{
    switch (depth) {
    case DEPTH_TOTAL:
        return "total";
    case DEPTH_STAGE:
        return l->stage;
    case DEPTH_BLOCK:
        return *l->block ? l->block : l->stage;
    default:
        return l->name;
    }
}

static void group_add(struct group *g, const struct rn_layer *l)
{
    g->to++;
    g->H = l->H;
    g->W = l->W;
    g->C = l->C;
    g->flat = strcmp(l->op, "linear") == 0;
    g->field = l->field;
    g->params += l->params;
    g->buffers += l->buffers;
    g->macs += l->macs * (uint64_t)g->N;
    g->bytes += sizeof(float) * (uint64_t)g->N * (uint64_t)l->H * (uint64_t)l->W * (uint64_t)l->C;
}

bool group_next(const struct subject *s, int from, struct group *g)
{
    struct rn_layer first, l;
    int n = rn_model_layers(s->model);
    if (from >= n)
        return false;
    rn_model_layer(s->model, from, &first);
    *g =
        (struct group){ .name = group_name(s->depth, &first), .from = from, .to = from, .N = s->N };
    group_add(g, &first);
    while (g->to < n) {
        rn_model_layer(s->model, g->to, &l);
        if (!same_group(s->depth, &first, &l))
            break;
        group_add(g, &l);
    }
    return true;
}

struct group group_total(const struct subject *s)
{
    struct group g = { .name = "total", .N = s->N };
    struct rn_layer l;
    for (int i = 0; i < rn_model_layers(s->model); i++) {
        rn_model_layer(s->model, i, &l);
        group_add(&g, &l);
    }
    return g;
}

/* ---- what a group is made of, in the manner of He et al., table 1 ---- */

static bool computes(const struct rn_layer *l)
{
    return l->macs > 0 || strstr(l->op, "pool");
}

/* Layers from..to that compute: "convolution 7x7, 64, stride 2; max pool 3x3, stride 2". */
static void describe_layers(FILE *out, const struct rn_model *m, int from, int to, bool named)
{
    struct rn_layer l;
    const char *join = "";
    for (int i = from; i < to; i++) {
        rn_model_layer(m, i, &l);
        if (!computes(&l) && to - from > 1)
            continue;
        fprintf(out, "%s%s%s%s", join, named ? l.op : "", named && *l.what ? " " : "", l.what);
        join = "; ";
    }
}

/* Blocks in layers from..to, and the first layer of the last one. */
static int count_blocks(const struct rn_model *m, int from, int to, int *last)
{
    struct rn_layer l;
    const char *block = "";
    int n = 0;
    for (int i = from; i < to; i++) {
        rn_model_layer(m, i, &l);
        if (*l.block && strcmp(l.block, block) != 0) {
            *last = i;
            n++;
        }
        block = l.block;
    }
    return n;
}

char *group_describe(const struct subject *s, const struct group *g)
{
    const struct rn_model *m = s->model;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        die("memory is short");
    int last = g->from, blocks = count_blocks(m, g->from, g->to, &last);
    if (s->depth == DEPTH_STAGE && blocks) {
        fputc('[', out);
        describe_layers(out, m, last, g->to, false);
        fprintf(out, "] x %d", blocks);
    } else if (s->depth != DEPTH_TOTAL) {
        describe_layers(out, m, g->from, g->to, !blocks || s->depth == DEPTH_LAYER);
    }
    fclose(out);
    return text;
}
