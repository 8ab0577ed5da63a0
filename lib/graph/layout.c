/* Greedy placement by size (Pisarchyk and Lee 2020, "Efficient memory management for deep neural
 * net inference"). */
#include "graph/layout.h"

#include <stdbool.h>
#include <stdlib.h> /* qsort */

#include "base/err.h"
#include "base/mem.h"

static int larger_first(const void *a, const void *b)
{
    const struct rn_span *x = *(struct rn_span *const *)a, *y = *(struct rn_span *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : x > y;
}

static bool alive_together(const struct rn_span *a, const struct rn_span *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* Moves s up past every placed span that it would overlap, until none is left. */
static void settle(struct rn_span *s, struct rn_span *const *placed, int count)
{
    bool moved = true;
    s->offset = 0;
    while (moved) {
        moved = false;
        for (int i = 0; i < count; i++) {
            const struct rn_span *p = placed[i];
            if (alive_together(s, p) && s->offset < p->offset + p->bytes &&
                p->offset < s->offset + s->bytes) {
                s->offset = rn_align(p->offset + p->bytes);
                moved = true;
            }
        }
    }
}

int rn_layout(struct rn_span *span, int spans, size_t *total)
{
    struct rn_span **order = rn_alloc((size_t)spans, sizeof *order);
    if (!order)
        return RN_EMEM;
    size_t sum = 0;
    *total = 0;
    for (int i = 0; i < spans; i++) {
        order[i] = &span[i];
        if (span[i].bytes > SIZE_MAX / 2 || !rn_add(&sum, sum, rn_align(span[i].bytes)) ||
            sum > SIZE_MAX / 2) {
            rn_free(order);
            return rn_fail(RN_EMEM, "the network's buffers are larger than memory can be");
        }
    }
    qsort(order, (size_t)spans, sizeof *order, larger_first);
    for (int i = 0; i < spans; i++) {
        settle(order[i], order, i);
        size_t end = rn_align(order[i]->offset + order[i]->bytes);
        if (end > *total)
            *total = end;
    }
    rn_free(order);
    return 0;
}
