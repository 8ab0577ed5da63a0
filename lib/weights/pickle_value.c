/* The values of pickles: their memory, which has a limit, containers that grow, look-ups. */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "weights/pickle.h"

enum { CHUNK = 1 << 14, ALIGNED = 8 };

int rn_pickle_fail(const struct rn_pickle *p, const char *what)
{
    return rn_fail(RN_EFORMAT, "%s: pickle, byte %zu: %s", p->path, p->at, what);
}

struct rn_pickle_chunk {
    struct rn_pickle_chunk *next;
    size_t used, size;
    _Alignas(ALIGNED) uint8_t bytes[];
};

static int grow(struct rn_pickle *p, size_t n)
{
    size_t size = n > CHUNK ? n : CHUNK;
    if (size > RN_PICKLE_MEMORY_MAX - p->memory)
        return rn_fail(RN_EFORMAT,
                       "%s: pickle: its values take more memory than the limit of %d MB", p->path,
                       RN_PICKLE_MEMORY_MAX >> 20);
    struct rn_pickle_chunk *c = rn_alloc(sizeof(*c) + size, 1);
    if (!c)
        return RN_EMEM;
    c->next = p->chunk;
    c->size = size;
    p->chunk = c;
    p->memory += size;
    return 0;
}

void *rn_pickle_take(struct rn_pickle *p, size_t n, int *status)
{
    n = (n + ALIGNED - 1) & ~(size_t)(ALIGNED - 1);
    *status = p->chunk && n <= p->chunk->size - p->chunk->used ? 0 : grow(p, n);
    if (*status)
        return NULL;
    void *taken = p->chunk->bytes + p->chunk->used;
    p->chunk->used += n;
    return taken;
}

struct rn_value *rn_pickle_new(struct rn_pickle *p, size_t kind, int *status)
{
    struct rn_value *v = rn_pickle_take(p, sizeof(*v), status);
    if (v)
        v->kind = (uint8_t)kind;
    return v;
}

int rn_pickle_deepen(struct rn_pickle *p, struct rn_value *v, const struct rn_value *item)
{
    if (item->depth >= v->depth)
        v->depth = item->depth + 1;
    return v->depth > RN_PICKLE_DEPTH_MAX ? rn_pickle_fail(p, "its values are nested too deep") : 0;
}

int rn_pickle_append(struct rn_pickle *p, struct rn_value *v, struct rn_value *key,
                     struct rn_value *item)
{
    size_t each = key ? 2 : 1;
    int status = rn_pickle_deepen(p, v, item);
    if (!status && v->count == v->room) {
        uint32_t room = v->room ? 2 * v->room : 4;
        struct rn_value **more = rn_pickle_take(p, room * each * sizeof(*more), &status);
        if (!more)
            return status;
        if (v->count)
            memcpy(more, v->item, v->count * each * sizeof(*more));
        v->item = more;
        v->room = room;
    }
    if (status)
        return status;
    struct rn_value **at = v->item + each * v->count++;
    if (key)
        *at++ = key;
    *at = item;
    return 0;
}

void rn_pickle_init(struct rn_pickle *p, const uint8_t *data, size_t n, const char *path)
{
    *p = (struct rn_pickle){ .data = data, .size = n, .path = path };
}

void rn_pickle_release(struct rn_pickle *p)
{
    for (struct rn_pickle_chunk *c = p->chunk, *next; c; c = next) {
        next = c->next;
        rn_free(c);
    }
    rn_free(p->stack);
    rn_free(p->memo);
    *p = (struct rn_pickle){ 0 };
}

bool rn_pickle_is(const struct rn_value *v, const char *text)
{
    return v->kind == RN_PICKLE_STRING && v->count == strlen(text) &&
           !memcmp(v->text, text, v->count);
}

const struct rn_value *rn_pickle_get(const struct rn_value *dict, const char *key)
{
    for (size_t i = dict->kind == RN_PICKLE_DICT ? dict->count : 0; i-- > 0;)
        if (rn_pickle_is(dict->item[2 * i], key))
            return dict->item[2 * i + 1];
    return NULL;
}
