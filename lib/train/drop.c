#include "train/drop.h"

#include "base/err.h"
#include "base/rng.h"

static int residual_blocks(const struct rn_units *u)
{
    int blocks = 0;
    for (int i = 0; i < u->units; i++)
        blocks += u->unit[i].add >= 0;
    return blocks;
}

/* Block 0 is never skipped and goes without factors; block b has those of row b - 1. */
static void link_blocks(struct rn_trainer *t)
{
    for (int i = 0, block = 0; i < t->units.units; i++) {
        struct rn_train_unit *u = &t->unit[i];
        if (t->units.unit[i].add < 0 || block++ == 0)
            continue;
        struct rn_call *call = u->tail.op ? &u->tail.call : &u->main.call;
        call->keep = t->keep + (size_t)(block - 2) * (size_t)t->batch;
    }
}

int rn_drop_init(struct rn_trainer *t, double rate)
{
    size_t factors;

    t->drops = residual_blocks(&t->units) - 1;
    if (t->drops < 1)
        return rn_fail(RN_EUSAGE, "%s: --drop-path takes two residual blocks, here are %d",
                       t->model->text, t->drops + 1);
    factors = (size_t)t->drops * (size_t)t->batch;
    if (!(t->keep = rn_alloc(factors, sizeof *t->keep)))
        return RN_EMEM;
    for (size_t i = 0; i < factors; i++)
        t->keep[i] = 1;
    t->drop_rate = rate;
    link_blocks(t);
    return 0;
}

void rn_drop_draw(struct rn_trainer *t, uint64_t seed, int epoch, const long *index, int n)
{
    for (int i = 0; i < n; i++) {
        struct rn_rng r;
        rn_rng_init(&r, seed, RN_RNG_DROP, (uint32_t)epoch, (uint64_t)index[i]);
        for (int d = 0; d < t->drops; d++) {
            double p = t->drop_rate * (d + 1) / t->drops;
            t->keep[(size_t)d * (size_t)t->batch + (size_t)i] =
                rn_rng_uniform(&r) < p ? 0 : (float)(1 / (1 - p));
        }
    }
}
