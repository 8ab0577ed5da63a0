/*
 * Growth: blocks that are the identity put into a trained network, so that the larger network
 * begins with the function that the smaller one has learned (Chen, Goodfellow and Shlens 2016).
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "model/build.h"
#include "model/key.h"
#include "weights/surgery.h"

struct grow {
    const struct rn_model *from;
    struct rn_model *to;
    int at; /* new blocks stand behind this one of their stage */
};

/* ---- do the two networks go together? ---- */

static bool grows(const struct rn_spec *from, const struct rn_spec *to)
{
    if (from->stages != to->stages)
        return false;
    for (int i = 0; i < from->stages; i++)
        if (from->stage[i].channels != to->stage[i].channels ||
            from->stage[i].blocks > to->stage[i].blocks)
            return false;
    return true;
}

/* All keys but the stages are the same. */
static int check(const struct grow *g)
{
    const struct rn_spec *from = &g->from->spec, *to = &g->to->spec;

    for (const struct rn_key *k = rn_keys; k->name; k++)
        if (k->kind != RN_KEY_STAGES && !rn_key_same(k, from, to))
            return rn_fail(RN_EUSAGE, "%s: grown from %s it would differ in %s, not only in blocks",
                           g->to->text, g->from->text, k->name);
    for (int i = 0; i < to->stages && i < from->stages; i++)
        if (to->stage[i].blocks > from->stage[i].blocks && g->at >= from->stage[i].blocks)
            return rn_fail(RN_EUSAGE, "%s: stage %d has %d blocks, and none is number %d",
                           g->from->text, i + 1, from->stage[i].blocks, g->at);
    if (!grows(from, to))
        return rn_fail(RN_EUSAGE, "%s: is not %s with more blocks in its stages", g->to->text,
                       g->from->text);
    return 0;
}

/* ---- which block was which ---- */

/* The number, in the smaller network, of block i of a stage; -1: it is new. */
static int origin(const struct grow *g, int stage, int i)
{
    int old = g->from->spec.stage[stage].blocks, more = g->to->spec.stage[stage].blocks - old;
    int at = g->at < 0 || g->at >= old ? old - 1 : g->at; /* a stage that stays may be shorter */

    return i <= at ? i : i <= at + more ? -1 : i - more;
}

/* The stage and number of the block of this name. */
static bool find_block(const struct rn_spec *s, const char *block, int *stage, int *number)
{
    char name[32];

    for (*stage = 0; *stage < s->stages; ++*stage)
        for (*number = 0; *number < s->stage[*stage].blocks; ++*number) {
            rn_block_name(s, *stage + 1, *number, name, sizeof name);
            if (!strcmp(name, block))
                return true;
        }
    return false;
}

/* A new block; outside of blocks there is nothing new. */
static bool is_new(const struct grow *g, const struct rn_node *n)
{
    int stage, number;
    return find_block(&g->to->spec, n->block, &stage, &number) && origin(g, stage, number) < 0;
}

/* The name that parameter p of the larger network has in the smaller one. */
static void old_name(const struct grow *g, const struct rn_param *p, char name[RN_NAME_MAX])
{
    const char *block = g->to->graph.node[p->node].block;
    char old[32] = "";
    int stage, number;

    if (find_block(&g->to->spec, block, &stage, &number))
        rn_block_name(&g->from->spec, stage + 1, origin(g, stage, number), old, sizeof old);
    else
        block = "";
    snprintf(name, RN_NAME_MAX, "%s%s", old, p->name + strlen(block));
}

/* ---- values ---- */

static int copy_params(const struct grow *g)
{
    char name[RN_NAME_MAX];

    for (int i = 0; i < g->to->graph.params; i++) {
        const struct rn_param *p = &g->to->graph.param[i];
        if (is_new(g, &g->to->graph.node[p->node]))
            continue;
        old_name(g, p, name);
        int from = rn_graph_find(&g->from->graph, name);
        if (from < 0 || rn_param_bytes(&g->from->graph.param[from]) != rn_param_bytes(p))
            return rn_fail(RN_EUSAGE, "%s: has no %s like that of %s", g->from->text, name,
                           g->to->text);
        memcpy(g->to->value[i], g->from->value[from], rn_param_bytes(p));
    }
    return 0;
}

static int more_blocks(const struct grow *g)
{
    int more = 0;
    for (int i = 0; i < g->to->spec.stages; i++)
        more += g->to->spec.stage[i].blocks - g->from->spec.stage[i].blocks;
    return more;
}

static int make_identity(const struct grow *g)
{
    int zero = 0;

    for (int i = 0; i < g->to->graph.nodes; i++) {
        const struct rn_node *n = &g->to->graph.node[i];
        if (n->op == &rn_op_add && is_new(g, n))
            zero += rn_model_zero_branch(g->to, n);
    }
    return zero == more_blocks(g)
               ? 0
               : rn_fail(RN_EUSAGE, "%s: its blocks can't begin as the identity", g->to->text);
}

int rn_model_grow(struct rn_model **out, const struct rn_model *m, const char *spec, int at,
                  uint64_t seed)
{
    struct grow g = { .from = m, .at = at };
    const struct rn_prep *p = &m->prep;
    int status = m->spec.single ? rn_fail(RN_EUSAGE, "%s: a single block does not grow", m->text)
                                : rn_model_new(&g.to, spec, p->C, p->H, p->W, m->spec.classes);

    status = status ? status : check(&g);
    if (!status)
        rn_model_init(g.to, RN_INIT_DEFAULT, seed);
    status = status ? status : copy_params(&g);
    status = status ? status : make_identity(&g);
    status = status ? status : rn_model_inherit(g.to, m);
    if (status) {
        rn_model_free(g.to);
        g.to = NULL;
    }
    *out = g.to;
    return status;
}
