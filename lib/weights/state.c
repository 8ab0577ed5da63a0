/* From a pickle's values to named tensors (see state.h). */
#include "weights/state.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "weights/strided.h"

enum { LEVELS = 3 /* of keys in keys */, TIMES = 8 /* the file, at most, in tensors */ };

static const char *const keys[] = { "state_dict", "model_state_dict", "model",         "net",
                                    "ema",        "model_ema",        "state_dict_ema" };

static bool has_tensor(const struct rn_value *dict)
{
    for (size_t i = 0; i < dict->count; i++)
        if (dict->item[2 * i + 1]->kind == RN_PICKLE_TENSOR)
            return true;
    return false;
}

static const struct rn_value *find(const struct rn_value *v, int levels)
{
    if (!v || v->kind != RN_PICKLE_DICT)
        return NULL;
    for (size_t i = 0; levels && i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct rn_value *inner = find(rn_pickle_get(v, keys[i]), levels - 1);
        if (inner)
            return inner;
    }
    return has_tensor(v) ? v : NULL;
}

/* What the file may still be read for, in bytes. */
struct budget {
    size_t copied, gathered;
};

static bool spend(size_t *left, size_t bytes)
{
    if (bytes > *left)
        return false;
    *left -= bytes;
    return true;
}

static int fail(const struct rn_tensor *t, const char *path, const char *what)
{
    return rn_fail(RN_EFORMAT, "%s: tensor %.200s: %s", path, t->name, what);
}

/* Points t at its data, or at a row-major copy of them. */
static int place(struct rn_weights *w, struct rn_tensor *t, const struct rn_pickle_tensor *p,
                 struct budget *left, const char *path)
{
    const struct rn_pickle_storage *s = p->storage;
    size_t extent, size = rn_dtype_size(s->dtype);
    if (!rn_strided_extent(&extent, p->rank, p->dim, p->stride) || p->offset > s->view ||
        extent > s->view - p->offset)
        return fail(t, path, "it reaches past the end of its storage");
    t->data = s->data + (s->first + p->offset) * size;
    if (!spend(&left->gathered, t->bytes))
        return fail(t, path, "tensors share their data so often that they are no weights");
    if (rn_strided_contiguous(p->rank, p->dim, p->stride))
        return 0;
    if (!spend(&left->copied, t->bytes))
        return fail(t, path, "views expand their data to more than the file holds");
    uint8_t *block = rn_alloc(t->bytes, 1);
    if (!block || rn_gather_own(w, block))
        return RN_EMEM;
    rn_strided_copy(block, t->data, size, p->rank, p->dim, p->stride);
    t->data = block;
    return 0;
}

/* `name` is that of a tensor as a string of C. */
static int gather(struct rn_weights *w, const char *name, const struct rn_pickle_tensor *p,
                  struct budget *left, const char *path)
{
    struct rn_tensor t = { .name = name, .dtype = p->storage->dtype, .rank = p->rank };
    t.bytes = rn_dtype_size(t.dtype);
    for (int d = 0; d < p->rank; d++) {
        t.dim[d] = p->dim[d];
        if (!rn_mul(&t.bytes, t.bytes, p->dim[d]))
            return fail(&t, path, "its size overflows");
    }
    int status = place(w, &t, p, left, path);
    return status ? status : rn_gather(w, &t);
}

static int gather_pair(struct rn_weights *w, const struct rn_value *key,
                       const struct rn_value *tensor, struct budget *left, const char *path)
{
    if (key->kind != RN_PICKLE_STRING || !key->count || memchr(key->text, '\0', key->count))
        return rn_fail(RN_EFORMAT, "%s: a tensor whose name is none", path);
    char *name = rn_alloc((size_t)key->count + 1, 1);
    if (!name)
        return RN_EMEM;
    memcpy(name, key->text, key->count);
    int status = gather(w, name, tensor->tensor, left, path);
    rn_free(name);
    return status;
}

int rn_state_gather(struct rn_weights *w, const struct rn_value *root, const char *path)
{
    const struct rn_value *dict = find(root, LEVELS);
    if (!dict)
        return rn_fail(RN_EFORMAT, "%s: no state dict in it: %s", path,
                       root->kind == RN_PICKLE_DICT     ? "no tensor is in its dict"
                       : root->kind == RN_PICKLE_TENSOR ? "it is one tensor without a name"
                                                        : "it is no dict");
    struct budget left = { .copied = w->map.size };
    if (!rn_mul(&left.gathered, w->map.size, TIMES))
        left.gathered = SIZE_MAX;
    for (size_t i = 0; i < dict->count; i++) {
        const struct rn_value *const *pair = (const struct rn_value *const *)dict->item + 2 * i;
        if (pair[1]->kind != RN_PICKLE_TENSOR)
            continue;
        int status = gather_pair(w, pair[0], pair[1], &left, path);
        if (status)
            return status;
    }
    int status = rn_gather_check(w);
    return status == RN_EUSAGE ? rn_fail(RN_EFORMAT, "%s: %s", path, rn_error()) : status;
}
