/*
 * What names in a pickle stand for, and what "calling" them makes: the closed set behind REDUCE,
 * NEWOBJ, BUILD and persistent ids. Rows that build nothing of use make a value that is stepped
 * over.
 */
#include <string.h>

#include "base/err.h"
#include "weights/pickle.h"

enum role {
    CONSTANT,     /* not called */
    STEPPED_OVER, /* called; what comes of it is of no interest */
    OBJECT,       /* the same, by NEWOBJ */
    ITSELF,       /* called: its first argument */
    ORDERED_DICT,
    TENSOR, /* (storage, offset, size, stride, ...) */
    STORAGE
};

struct rn_pickle_name {
    const char *module, *name;
    enum role role;
    enum rn_dtype dtype;
};

static const struct rn_pickle_name names[] = {
    { "collections", "OrderedDict", ORDERED_DICT, 0 },
    { "torch._utils", "_rebuild_tensor_v2", TENSOR, 0 },
    { "torch._utils", "_rebuild_tensor", TENSOR, 0 },
    { "torch._utils", "_rebuild_parameter", ITSELF, 0 },
    { "torch", "Size", ITSELF, 0 },
    { "torch", "DoubleStorage", STORAGE, RN_F64 },
    { "torch", "FloatStorage", STORAGE, RN_F32 },
    { "torch", "HalfStorage", STORAGE, RN_F16 },
    { "torch", "BFloat16Storage", STORAGE, RN_BF16 },
    { "torch", "LongStorage", STORAGE, RN_I64 },
    { "torch", "IntStorage", STORAGE, RN_I32 },
    { "torch", "ShortStorage", STORAGE, RN_I16 },
    { "torch", "CharStorage", STORAGE, RN_I8 },
    { "torch", "ByteStorage", STORAGE, RN_U8 },
    { "torch", "BoolStorage", STORAGE, RN_BOOL },
    { "torch", "device", STEPPED_OVER, 0 },
    { "torch", "float64", CONSTANT, 0 },
    { "torch", "float32", CONSTANT, 0 },
    { "torch", "float16", CONSTANT, 0 },
    { "torch", "bfloat16", CONSTANT, 0 },
    { "torch", "int64", CONSTANT, 0 },
    { "torch", "int32", CONSTANT, 0 },
    { "torch", "int16", CONSTANT, 0 },
    { "torch", "int8", CONSTANT, 0 },
    { "torch", "uint8", CONSTANT, 0 },
    { "torch", "bool", CONSTANT, 0 },
    { "argparse", "Namespace", OBJECT, 0 },
    { "collections", "Counter", STEPPED_OVER, 0 }, /* milestones of MultiStepLR */
    { "collections", "defaultdict", STEPPED_OVER, 0 },
    { "__builtin__", "dict", CONSTANT, 0 }, /* of defaultdict */
    { "__builtin__", "set", STEPPED_OVER, 0 },
    { "_codecs", "encode", STEPPED_OVER, 0 }, /* bytes, in protocol 2 */
    { "numpy", "dtype", STEPPED_OVER, 0 },    /* an accuracy that NumPy counted */
    { "numpy", "ndarray", CONSTANT, 0 },
    { "numpy.core.multiarray", "scalar", STEPPED_OVER, 0 },
    { "numpy.core.multiarray", "_reconstruct", STEPPED_OVER, 0 },
    { "numpy._core.multiarray", "scalar", STEPPED_OVER, 0 },
    { "numpy._core.multiarray", "_reconstruct", STEPPED_OVER, 0 },
};

static bool same(const char *row, const char *text, size_t n)
{
    return strlen(row) == n && !memcmp(row, text, n);
}

/* A module that was pickled whole names the classes of its layers. */
static int fail_name(const struct rn_pickle *p, const char *module, size_t module_bytes,
                     const char *name, size_t name_bytes)
{
    static const char layers[] = "torch.nn.modules.";
    int m = (int)(module_bytes < 100 ? module_bytes : 100);
    int n = (int)(name_bytes < 100 ? name_bytes : 100);
    if (memmem(p->data, p->size, layers, sizeof(layers) - 1))
        return rn_fail(RN_EFORMAT,
                       "%s: a whole module, pickled (it names %.*s.%.*s), which needs its program; "
                       "in Python: torch.save(model.state_dict(), 'weights.pth')",
                       p->path, m, module, n, name);
    return rn_fail(
        RN_EFORMAT,
        "%s: pickle, byte %zu: it names %.*s.%.*s, which no state dict needs (nothing of "
        "a file is ever run); in Python, save the state dict alone",
        p->path, p->at, m, module, n, name);
}

int rn_pickle_name(struct rn_pickle *p, const char *module, size_t module_bytes, const char *name,
                   size_t name_bytes, const struct rn_pickle_name **out)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (same(names[i].module, module, module_bytes) && same(names[i].name, name, name_bytes)) {
            *out = &names[i];
            return 0;
        }
    return fail_name(p, module, module_bytes, name, name_bytes);
}

/* ---- calls ---- */

static int make(struct rn_pickle *p, enum rn_pickle_kind kind, struct rn_value **out)
{
    int status;
    *out = rn_pickle_new(p, kind, &status);
    return status;
}

/* Item i of a tuple, or NULL; v may be of any kind. */
static struct rn_value *item(const struct rn_value *v, uint32_t i)
{
    return v->kind == RN_PICKLE_TUPLE && i < v->count ? v->item[i] : NULL;
}

static bool is_pair(const struct rn_value *v)
{
    return (v->kind == RN_PICKLE_TUPLE || v->kind == RN_PICKLE_LIST) && v->count == 2;
}

/* Without arguments it is empty; Python 2 gives it a list of pairs. */
static int ordered_dict(struct rn_pickle *p, const struct rn_value *args, struct rn_value **out)
{
    const struct rn_value *pairs = item(args, 0);
    int status = make(p, RN_PICKLE_DICT, out);
    if (status || !pairs)
        return status;
    if (args->count != 1 || pairs->kind != RN_PICKLE_LIST)
        return rn_pickle_fail(p, "an OrderedDict of what are no pairs");
    for (uint32_t i = 0; i < pairs->count && !status; i++) {
        struct rn_value *pair = pairs->item[i];
        status = is_pair(pair) ? rn_pickle_append(p, *out, pair->item[0], pair->item[1])
                               : rn_pickle_fail(p, "an OrderedDict of what are no pairs");
    }
    return status;
}

/* A number that is a size; false for all else, and for no value. */
static bool get_size(const struct rn_value *v, size_t *n)
{
    if (!v || v->kind != RN_PICKLE_INTEGER || v->integer < 0)
        return false;
    *n = (size_t)v->integer;
    return true;
}

static bool get_sizes(const struct rn_value *v, size_t n[], int rank)
{
    if (!v || v->kind != RN_PICKLE_TUPLE || v->count != (uint32_t)rank)
        return false;
    for (int d = 0; d < rank; d++)
        if (!get_size(v->item[d], &n[d]))
            return false;
    return true;
}

static int tensor(struct rn_pickle *p, const struct rn_value *args, struct rn_value **out)
{
    const struct rn_value *storage = item(args, 0), *dims = item(args, 2);
    int status = make(p, RN_PICKLE_TENSOR, out);
    struct rn_pickle_tensor *t = status ? NULL : rn_pickle_take(p, sizeof(*t), &status);
    if (!t)
        return status;
    if (!storage || storage->kind != RN_PICKLE_STORAGE || !dims || dims->kind != RN_PICKLE_TUPLE)
        return rn_pickle_fail(p, "a tensor of what is no storage and no shape");
    if (dims->count > RN_RANK_MAX)
        return rn_fail(RN_EFORMAT,
                       "%s: pickle, byte %zu: a tensor of %u dimensions, the limit is %d", p->path,
                       p->at, dims->count, RN_RANK_MAX);
    t->storage = storage->storage;
    t->rank = (int)dims->count;
    if (!get_size(item(args, 1), &t->offset) || !get_sizes(dims, t->dim, t->rank) ||
        !get_sizes(item(args, 3), t->stride, t->rank))
        return rn_pickle_fail(p, "a tensor whose offset, shape or strides are none");
    (*out)->tensor = t;
    return 0;
}

int rn_pickle_reduce(struct rn_pickle *p, struct rn_value *callee, struct rn_value *args,
                     struct rn_value **out)
{
    if (callee->kind != RN_PICKLE_NAME || args->kind != RN_PICKLE_TUPLE)
        return rn_pickle_fail(p, "REDUCE of what is no name and its arguments");
    switch (callee->name->role) {
    case STEPPED_OVER:
        return make(p, RN_PICKLE_OTHER, out);
    case ORDERED_DICT:
        return ordered_dict(p, args, out);
    case TENSOR:
        return tensor(p, args, out);
    case ITSELF:
        *out = item(args, 0);
        return *out ? 0 : rn_pickle_fail(p, "a parameter or shape of nothing");
    default:
        return rn_fail(RN_EFORMAT, "%s: pickle, byte %zu: REDUCE of %s.%s, which is not called",
                       p->path, p->at, callee->name->module, callee->name->name);
    }
}

int rn_pickle_new_object(struct rn_pickle *p, struct rn_value *callee, struct rn_value **out)
{
    if (callee->kind != RN_PICKLE_NAME || callee->name->role != OBJECT)
        return rn_pickle_fail(p, "opcode NEWOBJ of what no state dict needs");
    return make(p, RN_PICKLE_OTHER, out);
}

/* Attributes of a dict (PyTorch's versions) and of objects that are stepped over are, too. */
int rn_pickle_build(struct rn_pickle *p, struct rn_value *object)
{
    if (object->kind == RN_PICKLE_DICT || object->kind == RN_PICKLE_OTHER)
        return 0;
    return rn_pickle_fail(p, "opcode BUILD of what no state dict needs");
}

/* ---- storages ---- */

/* The view that old files have as their sixth item: None, or (key, first, elements). */
static bool get_view(const struct rn_value *v, struct rn_pickle_storage *s)
{
    if (!v || v->kind == RN_PICKLE_NONE)
        return true;
    return v->count == 3 && get_size(item(v, 1), &s->first) && get_size(item(v, 2), &s->view) &&
           s->first <= s->count && s->view <= s->count - s->first;
}

/* ("storage", type, key, location, elements[, view]) */
int rn_pickle_persistent(struct rn_pickle *p, struct rn_value *id, struct rn_value **out)
{
    const struct rn_value *what = item(id, 0), *type = item(id, 1), *key = item(id, 2);
    int status = make(p, RN_PICKLE_STORAGE, out);
    struct rn_pickle_storage *s = status ? NULL : rn_pickle_take(p, sizeof(*s), &status);
    if (!s)
        return status;
    if (!key || (id->count != 5 && id->count != 6) || !rn_pickle_is(what, "storage") ||
        type->kind != RN_PICKLE_NAME || type->name->role != STORAGE ||
        key->kind != RN_PICKLE_STRING || !get_size(id->item[4], &s->count))
        return rn_pickle_fail(p, "a persistent id of what is no storage");
    *s = (struct rn_pickle_storage){ .key = key->text,
                                     .key_bytes = key->count,
                                     .dtype = type->name->dtype,
                                     .count = s->count,
                                     .view = s->count,
                                     .next = p->storages };
    if (!get_view(item(id, 5), s))
        return rn_pickle_fail(p, "a view past the end of its storage");
    p->storages = s;
    (*out)->storage = s;
    return 0;
}
