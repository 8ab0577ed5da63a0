/*
 * Filling a session's arena: weights are hashed, folded and packed unit by unit, each unit by one
 * thread that takes the next when it is done. A weight is read from the file while it is near, and
 * its pages go when it is packed, so that a file is never in memory as a whole beside the arena.
 */
#include <omp.h>

#include "infer/session.h"
#include "weights/hash.h"
#include "weights/surgery.h"

struct load {
    struct rn_session *s;
    const struct rn_model *m;
    const struct rn_weights *w; /* to hold parameters against; NULL: they are known to be good */
    int damaged;                /* the first parameter that does not hold; graph.params: none */
    float *folded;              /* [threads][2][most]: weights and bias of a unit */
    size_t most;                /* floats of the largest parameter */
};

static const struct rn_node *node_at(const struct load *l, int i)
{
    return i >= 0 ? &l->s->graph.node[i] : NULL;
}

static size_t largest(const struct rn_graph *g)
{
    size_t most = 1;
    for (int i = 0; i < g->params; i++)
        if (rn_param_count(&g->param[i]) > most)
            most = rn_param_count(&g->param[i]);
    return most;
}

static void check(struct load *l, const struct rn_node *n)
{
    for (int i = n->param; i < n->param + n->params; i++) {
        const struct rn_tensor *t = rn_weights_find(l->w, l->m->graph.param[i].name);
        rn_map_want(&l->m->map, t->data, t->bytes);
        if (rn_hash_holds(l->w, (int)(t - l->w->tensor)))
            continue;
#pragma omp critical(damaged)
        if (i < l->damaged)
            l->damaged = i;
    }
}

static void drop(const struct load *l, const struct rn_node *n)
{
    for (int i = n->param; i < n->param + n->params; i++)
        rn_map_drop(&l->m->map, l->m->value[i], rn_param_bytes(&l->m->graph.param[i]));
}

static void pack(const struct load *l, int i, float *w, float *bias)
{
    struct rn_step *step = &l->s->step[i];
    const struct rn_node *n = step->call.node;
    float *packed = (float *)(l->s->arena.base + step->packed);

    if (rn_step_has_conv(step)) {
        rn_fold(l->m, n, node_at(l, l->s->units.unit[i].bn), w, bias);
        rn_conv_pack(&step->conv, RN_FORWARD, w, bias, packed, 0, 1);
    } else if (step->op == &rn_op_bn) {
        rn_fold_affine(l->m, n, packed, packed + n->y.C);
    }
}

static void load_unit(struct load *l, int i, float *folded)
{
    const struct rn_node *part[] = { node_at(l, l->s->units.unit[i].main),
                                     node_at(l, l->s->units.unit[i].bn) };

    for (int j = 0; j < 2 && l->w; j++)
        if (part[j])
            check(l, part[j]);
    pack(l, i, folded, folded + l->most);
    for (int j = 0; j < 2 && l->w; j++)
        if (part[j])
            drop(l, part[j]);
}

/* The last units first: they are the largest, and the small ones fill up the end. */
static void load_units(struct load *l)
{
    int units = l->s->units.units;

#pragma omp parallel num_threads(l->s->threads)
    {
        float *folded = l->folded + (size_t)omp_get_thread_num() * 2 * l->most;
#pragma omp for schedule(dynamic, 1)
        for (int i = 0; i < units; i++)
            load_unit(l, units - 1 - i, folded);
    }
}

int rn_session_load(struct rn_session *s, const struct rn_model *m, const struct rn_weights *w,
                    const char *path)
{
    struct load l = { .s = s, .m = m, .w = w, .damaged = s->graph.params };

    l.most = largest(&s->graph);
    l.folded = rn_alloc(l.most, (size_t)s->threads * 2 * sizeof *l.folded);
    if (!l.folded || rn_arena_init(&s->arena, s->size)) {
        rn_free(l.folded);
        return RN_EMEM;
    }
    for (int i = 0; i < s->units.units; i++) {
        s->step[i].call.packed = s->arena.base + s->step[i].packed;
        s->step[i].call.next =
            i + 1 < s->units.units ? s->arena.base + s->step[i + 1].packed : NULL;
    }
    load_units(&l);
    rn_free(l.folded);
    if (l.damaged == s->graph.params)
        return 0;
    const struct rn_tensor *t = rn_weights_find(w, m->graph.param[l.damaged].name);
    return rn_hash_fail(w, (int)(t - w->tensor), path);
}
