/*
 * safetensors: u64 header length, JSON header, data; little endian, as are the machines this is
 * for. Read from a mapping and validated in full, as the format's README demands
 * (https://github.com/huggingface/safetensors); written so that equal content gives equal bytes.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "weights/format.h"
#include "weights/hash.h"
#include "weights/meta.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are not swapped");

enum { LENGTH = 8, HEADER_MAX = 100000000 };
#define METADATA "__metadata__"

/* ---- reading ---- */

struct entry {
    struct rn_tensor t;
    size_t begin, end; /* in the data section */
    int index;         /* in the header */
};

static bool probe(const uint8_t *head, size_t n)
{
    return n > LENGTH && head[LENGTH] == '{';
}

static int header_length(const struct rn_map *map, const char *path, size_t *length)
{
    uint64_t n;
    memcpy(&n, map->data, LENGTH);
    if (n > HEADER_MAX)
        return rn_fail(RN_EFORMAT, "%s: says its header has %ju bytes, the limit is %d", path,
                       (uintmax_t)n, HEADER_MAX);
    if (n > map->size - LENGTH)
        return rn_fail(RN_EFORMAT, "%s: truncated: its header has %ju bytes, the file %zu", path,
                       (uintmax_t)n, map->size);
    *length = n;
    return 0;
}

/* Spaces may follow the header's last brace, nothing else. */
static int parse(json_t **root, const char *text, size_t n, const char *path)
{
    while (n && text[n - 1] == ' ')
        n--;
    if (!n || text[n - 1] != '}')
        return rn_fail(RN_EFORMAT, "%s: its header does not end with a brace", path);
    return rn_json_parse(root, text, n, "its header", path);
}

/* false for what is no integer from 0 to SIZE_MAX */
static bool get_size(size_t *r, const json_t *v)
{
    json_int_t n = json_integer_value(v);
    *r = (size_t)n;
    return json_is_integer(v) && n >= 0 && (json_int_t)*r == n;
}

static int read_shape(struct rn_tensor *t, const json_t *shape, const char *path)
{
    if (json_array_size(shape) > RN_RANK_MAX)
        return rn_fail(RN_EFORMAT, "%s: tensor %s: %zu dimensions, the limit is %d", path, t->name,
                       json_array_size(shape), RN_RANK_MAX);
    t->rank = (int)json_array_size(shape);
    t->bytes = rn_dtype_size(t->dtype);
    for (int d = 0; d < t->rank; d++)
        if (!get_size(&t->dim[d], json_array_get(shape, d)))
            return rn_fail(RN_EFORMAT, "%s: tensor %s: dimension %d is no size", path, t->name, d);
        else if (!rn_mul(&t->bytes, t->bytes, t->dim[d]))
            return rn_fail(RN_EFORMAT, "%s: tensor %s: its size overflows", path, t->name);
    return 0;
}

static int read_entry(struct entry *e, const char *name, const json_t *v, const char *path)
{
    const json_t *dtype = json_object_get(v, "dtype");
    const json_t *shape = json_object_get(v, "shape");
    const json_t *offsets = json_object_get(v, "data_offsets");
    if (!json_is_string(dtype) || !json_is_array(shape) || json_array_size(offsets) != 2 ||
        json_object_size(v) != 3)
        return rn_fail(RN_EFORMAT,
                       "%s: tensor %s: is not {dtype, shape, data_offsets [begin, end]}", path,
                       name);

    int type = rn_dtype_find(json_string_value(dtype));
    if (type < 0)
        return rn_fail(RN_EFORMAT, "%s: tensor %s: unknown dtype %s", path, name,
                       json_string_value(dtype));
    e->t = (struct rn_tensor){ .name = name, .dtype = type };
    int status = read_shape(&e->t, shape, path);
    if (status)
        return status;

    if (!get_size(&e->begin, json_array_get(offsets, 0)) ||
        !get_size(&e->end, json_array_get(offsets, 1)) || e->begin > e->end)
        return rn_fail(RN_EFORMAT, "%s: tensor %s: data_offsets are no range", path, name);
    if (e->end - e->begin != e->t.bytes)
        return rn_fail(RN_EFORMAT, "%s: tensor %s: needs %zu bytes, has %zu", path, name,
                       e->t.bytes, e->end - e->begin);
    return 0;
}

/* Empty tensors stand before the one that begins where they do. */
static int compare_offsets(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return x->index - y->index;
}

/* Gathers sorted entries, which must cover the data section without hole or overlap. */
static int place(struct rn_weights *w, struct entry *e, int n, size_t data, const char *path)
{
    size_t size = w->map.size - data, pos = 0;
    for (int i = 0; i < n; pos = e[i++].end) {
        if (e[i].begin != pos)
            return rn_fail(RN_EFORMAT,
                           "%s: tensor %s: begins at %zu, but the one before ends at %zu", path,
                           e[i].t.name, e[i].begin, pos);
        if (e[i].end > size)
            return rn_fail(RN_EFORMAT, "%s: truncated: tensor %s ends at byte %zu of %zu", path,
                           e[i].t.name, e[i].end, size);
        e[i].t.data = w->map.data + data + e[i].begin;
        if (rn_gather(w, &e[i].t))
            return RN_EMEM;
    }
    if (pos != size)
        return rn_fail(RN_EFORMAT, "%s: %zu bytes behind the last tensor", path, size - pos);
    return 0;
}

static int read_tensors(struct rn_weights *w, json_t *root, size_t data, const char *path)
{
    const char *name;
    json_t *value;
    int n = 0, status = 0;
    struct entry *e = rn_alloc(json_object_size(root), sizeof(*e));
    if (!e)
        return RN_EMEM;
    json_object_foreach(root, name, value)
    {
        if (!strcmp(name, METADATA))
            continue;
        if ((status = read_entry(&e[n], name, value, path)))
            goto done;
        e[n].index = n;
        n++;
    }
    qsort(e, n, sizeof(*e), compare_offsets);
    status = place(w, e, n, data, path);
done:
    rn_free(e);
    return status;
}

static int read_file(struct rn_weights *w, const char *path)
{
    size_t length = 0;
    json_t *root = NULL;
    int status = header_length(&w->map, path, &length);
    if (!status)
        status = parse(&root, (const char *)w->map.data + LENGTH, length, path);
    if (!status)
        status = rn_meta_read(w, json_object_get(root, METADATA), METADATA, path);
    if (!status)
        status = read_tensors(w, root, LENGTH + length, path);
    json_decref(root);
    return status ? status : rn_hash_read(w, path);
}

/* ---- writing ---- */

static json_t *describe(const struct rn_tensor *t, size_t begin)
{
    json_t *shape = json_array();
    for (int d = 0; d < t->rank; d++)
        if (json_array_append_new(shape, json_integer((json_int_t)t->dim[d]))) {
            json_decref(shape);
            return NULL;
        }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", rn_dtype_name(t->dtype), "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)(begin + t->bytes));
}

/*
 * The tensor behind *i in the order of the file, NULL at the end: large elements first, so that
 * all are aligned without holes, else as given. Starts with *i = -1 and *size = 8.
 */
static const struct rn_tensor *next(const struct rn_weights *w, int *i, size_t *size)
{
    for (; *size; *size /= 2, *i = -1)
        while (++*i < w->tensors)
            if (rn_dtype_size(w->tensor[*i].dtype) == *size)
                return &w->tensor[*i];
    return NULL;
}

static int add_tensors(json_t *root, const struct rn_weights *w)
{
    size_t pos = 0, size = 8;
    int i = -1;
    for (const struct rn_tensor *t; (t = next(w, &i, &size)); pos += t->bytes) {
        int status = rn_text_check(t->name);
        if (!status)
            status = rn_json_add(root, t->name, describe(t, pos));
        if (status)
            return status;
    }
    return 0;
}

/* The header as text, which the caller frees with free(). */
static int make_header(const struct rn_weights *w, char **text)
{
    json_t *root = json_object();
    json_t *meta = NULL;
    int status = root ? rn_meta_object(&meta, w) : rn_fail(RN_EMEM, "memory is short");
    if (!status)
        status = rn_json_add(root, METADATA, meta);
    if (!status)
        status = add_tensors(root, w);
    if (!status && !(*text = json_dumps(root, JSON_COMPACT)))
        status = rn_fail(RN_EMEM, "memory is short");
    json_decref(root);
    return status;
}

/* Spaces make the data section start at a multiple of RN_ALIGN. */
static int write_header(const char *text, struct rn_writer *out)
{
    static const char spaces[RN_ALIGN] =
        "                                                                ";
    size_t n = strlen(text);
    uint64_t length = rn_align(LENGTH + n) - LENGTH;
    if (length > HEADER_MAX)
        return rn_fail(RN_EUSAGE, "header of %zu bytes, safetensors allows %d", n, HEADER_MAX);
    int status = rn_writer_write(out, &length, LENGTH);
    if (!status)
        status = rn_writer_write(out, text, n);
    if (!status)
        status = rn_writer_write(out, spaces, length - n);
    return status;
}

static int write_file(const struct rn_weights *w, struct rn_writer *out)
{
    char *text = NULL;
    int status = make_header(w, &text);
    if (!status)
        status = write_header(text, out);
    free(text);
    size_t size = 8;
    int i = -1;
    for (const struct rn_tensor *t; !status && (t = next(w, &i, &size));)
        if (t->bytes)
            status = rn_writer_write(out, t->data, t->bytes);
    return status;
}

const struct rn_format rn_format_safetensors = {
    .name = "safetensors", .probe = probe, .read = read_file, .write = write_file
};
