/* The header of a NumPy array: a dict of three keys, parsed by hand and printed (see npy.h). */
#include "weights/npy.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "weights/format.h"
#include "weights/number.h"

#define MAGIC "\x93NUMPY"
enum { MAGIC_BYTES = 6, SHORT = MAGIC_BYTES + 2 + 2, LONG = MAGIC_BYTES + 2 + 4, TYPE_MAX = 24 };

static const char types[][4] = {
    [RN_F64] = "<f8", [RN_F32] = "<f4", [RN_F16] = "<f2", [RN_I64] = "<i8",
    [RN_I32] = "<i4", [RN_I16] = "<i2", [RN_I8] = "|i1",  [RN_U64] = "<u8",
    [RN_U32] = "<u4", [RN_U16] = "<u2", [RN_U8] = "|u1",  [RN_BOOL] = "|b1",
};

struct text {
    const char *p, *end;
};

static bool eat(struct text *t, char c)
{
    while (t->p < t->end && *t->p == ' ')
        t->p++;
    if (t->p == t->end || *t->p != c)
        return false;
    t->p++;
    return true;
}

static bool eat_word(struct text *t, const char *word)
{
    size_t n = strlen(word);
    eat(t, ' '); /* spaces before it */
    if ((size_t)(t->end - t->p) < n || memcmp(t->p, word, n))
        return false;
    t->p += n;
    return true;
}

/* 'characters', at most max - 1 */
static bool eat_string(struct text *t, char *s, size_t max)
{
    if (!eat(t, '\''))
        return false;
    size_t n = 0;
    while (t->p < t->end && *t->p != '\'' && n + 1 < max)
        s[n++] = *t->p++;
    s[n] = '\0';
    return eat(t, '\'');
}

static bool eat_number(struct text *t, size_t *v)
{
    eat(t, ' ');
    const char *begin = t->p;
    for (*v = 0; t->p < t->end && *t->p >= '0' && *t->p <= '9'; t->p++)
        if (!rn_mul(v, *v, 10) || !rn_add(v, *v, (size_t)(*t->p - '0')))
            return false;
    return t->p > begin;
}

static int fail(const char *path, const struct rn_tensor *t, const char *what)
{
    return rn_fail(RN_EFORMAT, "%s: array %.200s: %s", path, t->name, what);
}

static int set_type(struct rn_tensor *t, const char *type, const char *path)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (*types[i] && !strcmp(type, types[i])) {
            t->dtype = (enum rn_dtype)i;
            return 0;
        }
    if (strchr(type, 'O'))
        return fail(path, t, "it holds Python objects, not numbers; they are never loaded");
    if (*type == '>')
        return fail(path, t, "it is big-endian; astype('<f4') in NumPy turns it");
    return rn_fail(RN_EFORMAT, "%s: array %.200s: its type '%s' is none of weights", path, t->name,
                   type);
}

static int read_type(struct text *x, struct rn_tensor *t, const char *path)
{
    char type[TYPE_MAX];
    if (eat(x, '['))
        return fail(path, t, "it is an array of records, not of numbers");
    if (!eat_string(x, type, sizeof(type)))
        return fail(path, t, "its header has no type");
    return set_type(t, type, path);
}

static int read_shape(struct text *x, struct rn_tensor *t, const char *path)
{
    if (!eat(x, '('))
        return fail(path, t, "its header has no shape");
    for (t->rank = 0; !eat(x, ')'); t->rank++) {
        if (t->rank == RN_RANK_MAX)
            return rn_fail(RN_EFORMAT, "%s: array %.200s: more than %d dimensions", path, t->name,
                           RN_RANK_MAX);
        if (!eat_number(x, &t->dim[t->rank]))
            return fail(path, t, "its shape is none");
        if (!eat(x, ',') && (x->p == x->end || *x->p != ')'))
            return fail(path, t, "its shape is none");
    }
    return 0;
}

static int read_order(struct text *x, bool *fortran, struct rn_tensor *t, const char *path)
{
    *fortran = eat_word(x, "True");
    return *fortran || eat_word(x, "False") ? 0 : fail(path, t, "its header has no order");
}

/* { 'descr': ..., 'fortran_order': ..., 'shape': ..., }, each once */
static int read_dict(struct text *x, struct rn_tensor *t, bool *fortran, const char *path)
{
    enum { TYPE = 1, ORDER = 2, SHAPE = 4, ALL = 7 };
    char key[TYPE_MAX];
    int seen = 0, status = 0;
    if (!eat(x, '{'))
        return fail(path, t, "its header is no dict");
    while (!eat(x, '}')) {
        if (!eat_string(x, key, sizeof(key)) || !eat(x, ':'))
            return fail(path, t, "its header is no dict");
        int which = !strcmp(key, "descr")           ? TYPE
                    : !strcmp(key, "fortran_order") ? ORDER
                    : !strcmp(key, "shape")         ? SHAPE
                                                    : 0;
        if (!which || seen & which)
            return fail(path, t, "its header has a key that is strange or there twice");
        seen |= which;
        status = which == TYPE    ? read_type(x, t, path)
                 : which == ORDER ? read_order(x, fortran, t, path)
                                  : read_shape(x, t, path);
        if (status)
            return status;
        if (!eat(x, ',') && (x->p == x->end || *x->p != '}'))
            return fail(path, t, "its header is no dict");
    }
    while (x->p < x->end && (*x->p == ' ' || *x->p == '\n'))
        x->p++;
    if (seen != ALL || x->p != x->end)
        return fail(path, t, "its header lacks a key, or has more behind its dict");
    return 0;
}

int rn_npy_read(struct rn_tensor *t, bool *fortran, size_t *data, const uint8_t *bytes, size_t n,
                const char *path)
{
    if (n < LONG || memcmp(bytes, MAGIC, MAGIC_BYTES))
        return fail(path, t, "it does not begin as a NumPy array does");
    unsigned version = bytes[MAGIC_BYTES];
    if (version < 1 || version > 3 || bytes[MAGIC_BYTES + 1])
        return fail(path, t, "its version of NumPy's format is unknown");
    size_t begin = version == 1 ? SHORT : LONG;
    size_t length = version == 1 ? rn_u16(bytes + SHORT - 2) : rn_u32(bytes + LONG - 4);
    if (length > n - begin)
        return fail(path, t, "its header is longer than the array");
    struct text x = { (const char *)bytes + begin, (const char *)bytes + begin + length };
    int status = read_dict(&x, t, fortran, path);
    if (status)
        return status;
    *data = begin + length;
    t->bytes = rn_dtype_size(t->dtype);
    for (int d = 0; d < t->rank; d++)
        if (!rn_mul(&t->bytes, t->bytes, t->dim[d]))
            return fail(path, t, "its size overflows");
    if (t->bytes != n - *data)
        return rn_fail(RN_EFORMAT, "%s: array %.200s: needs %zu bytes, has %zu", path, t->name,
                       t->bytes, n - *data);
    return 0;
}

size_t rn_npy_write(char header[RN_NPY_HEADER_MAX], const struct rn_tensor *t)
{
    if (t->dtype >= sizeof(types) / sizeof(types[0]) || !*types[t->dtype]) {
        rn_fail(RN_EUSAGE, "tensor %.200s: NumPy has no %s, F32 (--dtype f32) holds it", t->name,
                rn_dtype_name(t->dtype));
        return 0;
    }
    char *p = header + SHORT;
    p += sprintf(p, "{'descr': '%s', 'fortran_order': False, 'shape': (", types[t->dtype]);
    for (int d = 0; d < t->rank; d++)
        p += sprintf(p, d ? " %zu," : "%zu,", t->dim[d]);
    p -= t->rank > 1; /* one axis alone keeps its comma */
    p += sprintf(p, "), }");
    size_t n = rn_align((size_t)(p - header) + 1), length = n - SHORT;
    memset(p, ' ', (size_t)(header + n - p));
    header[n - 1] = '\n';
    memcpy(header, MAGIC "\1\0", MAGIC_BYTES + 2);
    header[SHORT - 2] = (char)(length & 0xff);
    header[SHORT - 1] = (char)(length >> 8);
    return n;
}
