/*
 * Pickles of PyTorch's checkpoints, read without Python. A pickle is a program for a stack machine
 * (CPython's Lib/pickletools.py describes it); this machine knows the opcodes of protocols 2 and 3
 * that such files need, and builds numbers, strings, tuples, lists, dicts, storages and tensors. A
 * name in a pickle is a row of a closed table, and "calling" one builds one of those values or
 * stands for an object that is stepped over: there is nothing that a file could run. Memory and
 * depth have limits.
 */
#ifndef RN_WEIGHTS_PICKLE_H
#define RN_WEIGHTS_PICKLE_H

#include "rn.h"

enum {
    RN_PICKLE_PROTOCOL_MIN = 2,
    RN_PICKLE_PROTOCOL_MAX = 3,
    RN_PICKLE_MEMORY_MAX = 32 << 20, /* bytes of values */
    RN_PICKLE_STACK_MAX = 1 << 16,   /* values on the stack */
    RN_PICKLE_MEMO_MAX = 1 << 20,
    RN_PICKLE_DEPTH_MAX = 100 /* containers in containers */
};

enum rn_pickle_kind {
    RN_PICKLE_NONE,
    RN_PICKLE_BOOL,
    RN_PICKLE_INTEGER,
    RN_PICKLE_STRING,
    RN_PICKLE_TUPLE,
    RN_PICKLE_LIST,
    RN_PICKLE_DICT,
    RN_PICKLE_NAME,
    RN_PICKLE_STORAGE,
    RN_PICKLE_TENSOR,
    RN_PICKLE_OTHER, /* floats, long integers, objects: stepped over */
    RN_PICKLE_MARK   /* on the stack alone */
};

/* A block of elements outside the pickle. Records of one key are about the same block. */
struct rn_pickle_storage {
    const char *key; /* [key_bytes], not ended by a NUL */
    size_t key_bytes;
    enum rn_dtype dtype;
    size_t count;        /* elements of the block */
    size_t first, view;  /* the elements of it that tensors count theirs from, and how many */
    const uint8_t *data; /* of the block; NULL until who reads the file has found it */
    struct rn_pickle_storage *next;
};

struct rn_pickle_tensor {
    struct rn_pickle_storage *storage;
    size_t offset; /* elements */
    int rank;
    size_t dim[RN_RANK_MAX], stride[RN_RANK_MAX];
};

struct rn_value {
    uint8_t kind, depth;
    uint32_t count; /* bytes, items, or pairs of a dict */
    uint32_t room;
    union {
        int64_t integer;
        const char *text;       /* [count], in the pickle */
        struct rn_value **item; /* [count]; of a dict key, value, key, value ... */
        const struct rn_pickle_name *name;
        struct rn_pickle_storage *storage;
        struct rn_pickle_tensor *tensor;
    };
};

/* The machine. */
struct rn_pickle {
    const uint8_t *data; /* [size], may hold several pickles */
    size_t size, at;
    const char *path;
    struct rn_value **stack, **memo;
    size_t depth, stack_room, puts, memo_room; /* puts: entries of the memo */
    struct rn_pickle_storage *storages;        /* every one that was named */
    struct rn_pickle_chunk *chunk;
    size_t memory;
};

void rn_pickle_init(struct rn_pickle *p, const uint8_t *data, size_t n, const char *path);
void rn_pickle_release(struct rn_pickle *p); /* with all values */

/* Reads the pickle at p->at, which moves behind it. The value lives as long as p. Returns 0,
 * RN_EFORMAT or RN_EMEM. */
int rn_pickle_next(struct rn_pickle *p, const struct rn_value **value);

bool rn_pickle_is(const struct rn_value *v, const char *text); /* that string? */

/* The last value of a key, as Python has it, or NULL; dict may be of any kind. */
const struct rn_value *rn_pickle_get(const struct rn_value *dict, const char *key);

/* The error for a pickle of another protocol than those above; RN_EFORMAT. */
int rn_pickle_fail_protocol(int protocol, const char *path);

/* ---- between pickle.c, pickle_call.c and pickle_value.c ---- */

/* "PATH: pickle, byte N: what"; RN_EFORMAT */
int rn_pickle_fail(const struct rn_pickle *p, const char *what);
/* Zeroed memory of p, or NULL with rn_error() set: RN_EFORMAT past the limit, else RN_EMEM, which
 * *status gets. */
void *rn_pickle_take(struct rn_pickle *p, size_t n, int *status);
struct rn_value *rn_pickle_new(struct rn_pickle *p, size_t kind, int *status); /* the same */
int rn_pickle_deepen(struct rn_pickle *p, struct rn_value *v,
                     const struct rn_value *item); /* v now holds item */
int rn_pickle_append(struct rn_pickle *p, struct rn_value *v, struct rn_value *key,
                     struct rn_value *item); /* key: NULL for a list */

/* The row of the table for MODULE.NAME. Returns 0 or RN_EFORMAT. */
int rn_pickle_name(struct rn_pickle *p, const char *module, size_t module_bytes, const char *name,
                   size_t name_bytes, const struct rn_pickle_name **out);
/* What these opcodes make of two values. Each returns 0, RN_EFORMAT or RN_EMEM. */
int rn_pickle_reduce(struct rn_pickle *p, struct rn_value *callee, struct rn_value *args,
                     struct rn_value **out);
int rn_pickle_new_object(struct rn_pickle *p, struct rn_value *callee, struct rn_value **out);
int rn_pickle_build(struct rn_pickle *p, struct rn_value *object);
int rn_pickle_persistent(struct rn_pickle *p, struct rn_value *id, struct rn_value **out);

#endif
