/* Pictures kept in one block, all of them or none. */
#include "data/keep.h"

#include <string.h>

#include "base/mem.h"
#include "rn.h"

int rn_keep_init(struct rn_keep *k, long count, size_t size, size_t most)
{
    size_t all;

    *k = (struct rn_keep){ .size = size };
    if (count < 1 || !rn_mul(&all, (size_t)count, size) || all > most)
        return 0;
    k->pixel = rn_alloc(all, 1);
    k->has = rn_alloc((size_t)count, sizeof *k->has);
    return k->pixel && k->has ? 0 : RN_EMEM;
}

void rn_keep_release(struct rn_keep *k)
{
    rn_free(k->pixel);
    rn_free(k->has);
    *k = (struct rn_keep){ 0 };
}

const uint8_t *rn_keep_find(const struct rn_keep *k, long index)
{
    return k->has && k->has[index] ? k->pixel + (size_t)index * k->size : NULL;
}

void rn_keep_put(struct rn_keep *k, long index, const uint8_t *pixel)
{
    if (!k->has)
        return;
    memcpy(k->pixel + (size_t)index * k->size, pixel, k->size);
    k->has[index] = true;
}
