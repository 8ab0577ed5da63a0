/* The stack machine of pickles: opcodes, stack and memo (see pickle.h). */
#include "weights/pickle.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "weights/number.h"

/* ---- the bytes of the pickle and its stack ---- */

/* The next n bytes, or NULL with the error set. */
static const uint8_t *take_bytes(struct rn_pickle *p, size_t n)
{
    if (n > p->size - p->at) {
        rn_pickle_fail(p, "truncated");
        return NULL;
    }
    p->at += n;
    return p->data + p->at - n;
}

/* A little-endian number of 1, 2 or 4 bytes. */
static int take_number(struct rn_pickle *p, size_t bytes, uint32_t *v)
{
    const uint8_t *b = take_bytes(p, bytes);
    if (!b)
        return RN_EFORMAT;
    *v = bytes == 1 ? *b : bytes == 2 ? rn_u16(b) : rn_u32(b);
    return 0;
}

static int push(struct rn_pickle *p, struct rn_value *v)
{
    if (p->depth == RN_PICKLE_STACK_MAX)
        return rn_pickle_fail(p, "its values are nested too deep, or are too many");
    if (rn_array_grow(&p->stack, p->depth, &p->stack_room, sizeof(*p->stack)))
        return RN_EMEM;
    p->stack[p->depth++] = v;
    return 0;
}

/* The topmost value; NULL with the error set where there is none above the mark. */
static struct rn_value *top(struct rn_pickle *p)
{
    if (p->depth && p->stack[p->depth - 1]->kind != RN_PICKLE_MARK)
        return p->stack[p->depth - 1];
    rn_pickle_fail(p, "its stack is empty");
    return NULL;
}

static struct rn_value *pop(struct rn_pickle *p)
{
    struct rn_value *v = top(p);
    p->depth -= v != NULL;
    return v;
}

/* Takes all above the topmost mark and the mark: *first is the place of the first of *n. */
static int pop_mark(struct rn_pickle *p, size_t *first, size_t *n)
{
    size_t i = p->depth;
    while (i && p->stack[i - 1]->kind != RN_PICKLE_MARK)
        i--;
    if (!i)
        return rn_pickle_fail(p, "its stack has no mark");
    *first = i;
    *n = p->depth - i;
    p->depth = i - 1;
    return 0;
}

static int push_integer(struct rn_pickle *p, size_t kind, int64_t integer)
{
    int status;
    struct rn_value *v = rn_pickle_new(p, kind, &status);
    if (!v)
        return status;
    v->integer = integer;
    return push(p, v);
}

/* ---- containers ---- */

/* A tuple of the n values from `first` on, which are off the stack already. */
static int push_tuple(struct rn_pickle *p, size_t first, size_t n)
{
    int status;
    struct rn_value *v = rn_pickle_new(p, RN_PICKLE_TUPLE, &status);
    if (v && n)
        v->item = rn_pickle_take(p, n * sizeof(*v->item), &status);
    for (size_t i = 0; i < n && !status; i++) {
        v->item[v->count++] = p->stack[first + i];
        status = rn_pickle_deepen(p, v, p->stack[first + i]);
    }
    return status ? status : push(p, v);
}

/* Takes what a container on top gets: the topmost n values, or, for n = 0, all above a mark. */
static int pop_items(struct rn_pickle *p, size_t *first, size_t *n)
{
    if (!*n)
        return pop_mark(p, first, n);
    for (size_t i = 0; i < *n; i++)
        if (!pop(p))
            return RN_EFORMAT;
    *first = p->depth;
    return 0;
}

/* ---- opcodes, each with a number from the table below ---- */

static int push_empty(struct rn_pickle *p, size_t kind)
{
    return push_integer(p, kind, 0);
}

static int push_bool(struct rn_pickle *p, size_t v)
{
    return push_integer(p, RN_PICKLE_BOOL, (int64_t)v);
}

static int push_number(struct rn_pickle *p, size_t bytes)
{
    uint32_t v;
    int status = take_number(p, bytes, &v);
    int64_t integer = bytes == 4 ? (int32_t)v : (int64_t)v;
    return status ? status : push_integer(p, RN_PICKLE_INTEGER, integer);
}

/* Two's complement of as many bytes as the length says; past 64 bits it is stepped over. */
static int push_long(struct rn_pickle *p, size_t bytes)
{
    uint32_t n;
    int status = take_number(p, bytes, &n);
    const uint8_t *b = status ? NULL : take_bytes(p, n);
    if (!b)
        return RN_EFORMAT;
    if (n > 8)
        return push_empty(p, RN_PICKLE_OTHER);
    uint64_t v = n && b[n - 1] & 0x80 ? ~0ull : 0;
    for (size_t i = n; i-- > 0;)
        v = v << 8 | b[i];
    return push_integer(p, RN_PICKLE_INTEGER, (int64_t)v);
}

static int push_float(struct rn_pickle *p, size_t bytes)
{
    return take_bytes(p, bytes) ? push_empty(p, RN_PICKLE_OTHER) : RN_EFORMAT;
}

/* A string, or bytes, behind a length of `bytes` bytes. */
static int push_string(struct rn_pickle *p, size_t bytes)
{
    uint32_t n;
    int status = take_number(p, bytes, &n);
    const uint8_t *text = status ? NULL : take_bytes(p, n);
    struct rn_value *v = text ? rn_pickle_new(p, RN_PICKLE_STRING, &status) : NULL;
    if (!v)
        return status ? status : RN_EFORMAT;
    v->count = n;
    v->text = (const char *)text;
    return push(p, v);
}

static int make_tuple(struct rn_pickle *p, size_t n)
{
    size_t first;
    int status = pop_items(p, &first, &n);
    return status ? status : push_tuple(p, first, n);
}

/* Items of an object that is stepped over are stepped over too. */
static int append(struct rn_pickle *p, size_t n)
{
    size_t first;
    int status = pop_items(p, &first, &n);
    struct rn_value *v = status ? NULL : top(p);
    if (!v)
        return RN_EFORMAT;
    if (v->kind == RN_PICKLE_OTHER)
        return 0;
    if (v->kind != RN_PICKLE_LIST)
        return rn_pickle_fail(p, "it appends to what is no list");
    for (size_t i = 0; i < n && !status; i++)
        status = rn_pickle_append(p, v, NULL, p->stack[first + i]);
    return status;
}

static int set_items(struct rn_pickle *p, size_t n)
{
    size_t first;
    int status = pop_items(p, &first, &n);
    struct rn_value *v = status ? NULL : top(p);
    if (!v)
        return RN_EFORMAT;
    if (v->kind == RN_PICKLE_OTHER)
        return 0;
    if (v->kind != RN_PICKLE_DICT || n % 2)
        return rn_pickle_fail(p, n % 2 ? "a key without a value" : "it sets items of no dict");
    for (size_t i = 0; i < n && !status; i += 2)
        status = rn_pickle_append(p, v, p->stack[first + i], p->stack[first + i + 1]);
    return status;
}

/* The memo's entries are numbered as they are put, from 0 or from 1. */
static int put(struct rn_pickle *p, size_t bytes)
{
    uint32_t i;
    int status = take_number(p, bytes, &i);
    struct rn_value *v = status ? NULL : top(p);
    if (!v)
        return status ? status : RN_EFORMAT;
    if (i > p->puts + 1)
        return rn_pickle_fail(p, "its memo has a hole");
    if (i >= RN_PICKLE_MEMO_MAX)
        return rn_pickle_fail(p, "its memo has too many entries");
    while (p->memo_room <= i)
        if (rn_array_grow(&p->memo, p->memo_room, &p->memo_room, sizeof(*p->memo)))
            return RN_EMEM;
    p->puts += i >= p->puts;
    p->memo[i] = v;
    return 0;
}

static int get(struct rn_pickle *p, size_t bytes)
{
    uint32_t i;
    int status = take_number(p, bytes, &i);
    if (!status && (i >= p->memo_room || !p->memo[i]))
        status = rn_pickle_fail(p, "its memo has no such entry");
    return status ? status : push(p, p->memo[i]);
}

/* Text to the end of a line. */
static const char *take_line(struct rn_pickle *p, size_t *n)
{
    const uint8_t *begin = p->data + p->at, *end = memchr(begin, '\n', p->size - p->at);
    if (!end) {
        rn_pickle_fail(p, "truncated");
        return NULL;
    }
    *n = (size_t)(end - begin);
    p->at += *n + 1;
    return (const char *)begin;
}

static int global(struct rn_pickle *p, size_t none)
{
    (void)none;
    const struct rn_pickle_name *row;
    size_t module_bytes, name_bytes;
    const char *module = take_line(p, &module_bytes);
    const char *name = module ? take_line(p, &name_bytes) : NULL;
    if (!name)
        return RN_EFORMAT;
    int status = rn_pickle_name(p, module, module_bytes, name, name_bytes, &row);
    struct rn_value *v = status ? NULL : rn_pickle_new(p, RN_PICKLE_NAME, &status);
    if (!v)
        return status;
    v->name = row;
    return push(p, v);
}

static int reduce(struct rn_pickle *p, size_t none)
{
    (void)none;
    struct rn_value *args = pop(p), *callee = args ? pop(p) : NULL, *v;
    int status = callee ? rn_pickle_reduce(p, callee, args, &v) : RN_EFORMAT;
    return status ? status : push(p, v);
}

static int new_object(struct rn_pickle *p, size_t none)
{
    (void)none;
    struct rn_value *args = pop(p), *callee = args ? pop(p) : NULL, *v;
    int status = callee ? rn_pickle_new_object(p, callee, &v) : RN_EFORMAT;
    return status ? status : push(p, v);
}

static int build(struct rn_pickle *p, size_t none)
{
    (void)none;
    struct rn_value *state = pop(p), *object = state ? top(p) : NULL;
    return object ? rn_pickle_build(p, object) : RN_EFORMAT;
}

static int persistent(struct rn_pickle *p, size_t none)
{
    (void)none;
    struct rn_value *id = pop(p), *v;
    int status = id ? rn_pickle_persistent(p, id, &v) : RN_EFORMAT;
    return status ? status : push(p, v);
}

enum { PROTO = 0x80, STOP = '.' };

static const struct {
    int (*run)(struct rn_pickle *p, size_t arg);
    size_t arg;
} ops[256] = {
    ['('] = { push_empty, RN_PICKLE_MARK },
    ['N'] = { push_empty, RN_PICKLE_NONE },
    [')'] = { push_empty, RN_PICKLE_TUPLE },
    [']'] = { push_empty, RN_PICKLE_LIST },
    ['}'] = { push_empty, RN_PICKLE_DICT },
    [0x88] = { push_bool, true },
    [0x89] = { push_bool, false },
    ['J'] = { push_number, 4 },
    ['K'] = { push_number, 1 },
    ['M'] = { push_number, 2 },
    [0x8a] = { push_long, 1 },
    [0x8b] = { push_long, 4 },
    ['G'] = { push_float, 8 },
    ['U'] = { push_string, 1 },
    ['C'] = { push_string, 1 },
    ['X'] = { push_string, 4 },
    ['T'] = { push_string, 4 },
    ['B'] = { push_string, 4 },
    [0x85] = { make_tuple, 1 },
    [0x86] = { make_tuple, 2 },
    [0x87] = { make_tuple, 3 },
    ['t'] = { make_tuple, 0 },
    ['a'] = { append, 1 },
    ['e'] = { append, 0 },
    ['s'] = { set_items, 2 },
    ['u'] = { set_items, 0 },
    ['q'] = { put, 1 },
    ['r'] = { put, 4 },
    ['h'] = { get, 1 },
    ['j'] = { get, 4 },
    ['c'] = { global, 0 },
    ['R'] = { reduce, 0 },
    [0x81] = { new_object, 0 },
    ['b'] = { build, 0 },
    ['Q'] = { persistent, 0 },
};

/* Opcodes that make objects, and so are named when they are refused. */
static const char *const refused[256] = {
    ['i'] = "INST",       ['o'] = "OBJ",        [0x82] = "EXT1",         [0x83] = "EXT2",
    [0x84] = "EXT4",      [0x92] = "NEWOBJ_EX", [0x93] = "STACK_GLOBAL", ['P'] = "PERSID",
    [0x8f] = "EMPTY_SET", [0x91] = "FROZENSET", [0x94] = "MEMOIZE",      [0x95] = "FRAME",
};

static int fail_opcode(const struct rn_pickle *p, uint8_t op)
{
    if (refused[op])
        return rn_fail(RN_EFORMAT, "%s: pickle, byte %zu: opcode %s, which no state dict needs",
                       p->path, p->at, refused[op]);
    return rn_fail(RN_EFORMAT, "%s: pickle, byte %zu: opcode 0x%02x, which no state dict needs",
                   p->path, p->at, op);
}

int rn_pickle_fail_protocol(int protocol, const char *path)
{
    return rn_fail(RN_EFORMAT,
                   "%s: a pickle of protocol %d; torch.save(STATE_DICT, 'weights.pth') in Python "
                   "writes one of 2, which is read",
                   path, protocol);
}

static int start(struct rn_pickle *p)
{
    p->depth = 0;
    p->puts = 0;
    if (p->memo_room)
        memset(p->memo, 0, p->memo_room * sizeof(*p->memo));
    const uint8_t *b = p->data + p->at;
    if (p->size - p->at < 2 || b[0] != PROTO)
        return rn_pickle_fail(p, "no pickle of protocol 2 begins here");
    p->at += 2;
    if (b[1] < RN_PICKLE_PROTOCOL_MIN || b[1] > RN_PICKLE_PROTOCOL_MAX)
        return rn_pickle_fail_protocol(b[1], p->path);
    return 0;
}

int rn_pickle_next(struct rn_pickle *p, const struct rn_value **out)
{
    int status = start(p);
    while (!status) {
        const uint8_t *op = take_bytes(p, 1);
        if (!op)
            return RN_EFORMAT;
        if (*op == STOP)
            break;
        status = ops[*op].run ? ops[*op].run(p, ops[*op].arg) : fail_opcode(p, *op);
    }
    if (status)
        return status;
    *out = pop(p);
    if (*out && p->depth)
        return rn_pickle_fail(p, "it ends with values left on its stack");
    return *out ? 0 : RN_EFORMAT;
}
