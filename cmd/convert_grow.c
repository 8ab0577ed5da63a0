#include "convert_grow.h"

#include <stdio.h>
#include <string.h>

#include "convert.h"
#include "say.h"

enum { PICTURES = 8, SEED = 1 };
static const double rounding = 1e-6; /* relative to the largest logit */

/* Ungrouped first: blocks that are new need no ungrouping then. */
static struct rn_model *change(const struct grow_options *o, const struct rn_model *m)
{
    struct rn_model *dense = NULL, *grown = NULL;

    if (o->ungroup)
        must(rn_model_ungroup(&dense, m));
    if (!o->spec)
        return dense;
    must(rn_model_grow(&grown, dense ? dense : m, o->spec, o->behind, SEED));
    rn_model_free(dense);
    return grown;
}

static bool verify(const struct rn_model *a, const struct rn_model *b)
{
    double difference;
    must(rn_model_difference(b, a, PICTURES, SEED, &difference));
    printf("difference\t%.9g\n", difference);
    flush_stdout(); /* a result that can't be said is no result */
    if (difference <= rounding)
        return true;
    complain("the outputs differ by %.9g of the largest: nothing is written", difference);
    return false;
}

int convert_grow(const struct grow_options *o, const char *in, const char *output)
{
    struct rn_model *m = load_model(in), *changed = change(o, m);
    bool same = !o->verify || verify(m, changed);
    if (same)
        must(rn_model_write(changed, output));
    rn_model_free(changed);
    rn_model_free(m);
    return same ? 0 : 1;
}
