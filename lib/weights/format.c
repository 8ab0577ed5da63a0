/*
 * Weight files by a table of formats: they come in by their bytes and go out by a format's name;
 * between, they are named tensors and string metadata. The table here is of what every tool reads;
 * foreign.c has the longer one.
 */
#include "weights/format.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "weights/hash.h"

static const struct rn_format *const formats[] = { &rn_format_safetensors, NULL };

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [RN_F64] = { "F64", 8 },   [RN_F32] = { "F32", 4 }, [RN_F16] = { "F16", 2 },
    [RN_BF16] = { "BF16", 2 }, [RN_I64] = { "I64", 8 }, [RN_I32] = { "I32", 4 },
    [RN_I16] = { "I16", 2 },   [RN_I8] = { "I8", 1 },   [RN_U64] = { "U64", 8 },
    [RN_U32] = { "U32", 4 },   [RN_U16] = { "U16", 2 }, [RN_U8] = { "U8", 1 },
    [RN_BOOL] = { "BOOL", 1 },
};
enum { DTYPES = sizeof(dtypes) / sizeof(dtypes[0]) };

const char *rn_dtype_name(enum rn_dtype t)
{
    return dtypes[t].name;
}

size_t rn_dtype_size(enum rn_dtype t)
{
    return dtypes[t].size;
}

int rn_dtype_find(const char *name)
{
    for (int t = 0; t < DTYPES; t++)
        if (!strcmp(dtypes[t].name, name))
            return t;
    return -1;
}

/* Files that are taken for weights by mistake, by their first bytes. */
static const struct {
    const char *magic;
    size_t n;
    const char *what;
} strangers[] = {
    { "PK\3\4", 4, "a zip archive (PyTorch's .pth, NumPy's .npz), which rn-convert reads" },
    { "PK\5\6", 4, "an empty zip archive" },
    { "\x80\2", 2, "a Python pickle (old PyTorch's .pth), which rn-convert reads" },
    { "\x93NUMPY", 6, "a NumPy array" },
    { "\x89HDF", 4, "an HDF5 file (Keras)" },
    { "GGUF", 4, "a GGUF file" },
    { "version https://git-lfs", 23, "a git LFS pointer, not the file itself (git lfs pull)" },
    { "<", 1, "a web page or XML" },
    { "{", 1, "JSON text" },
    { "\x1f\x8b", 2, "compressed by gzip" },
    { "\x28\xb5\x2f\xfd", 4, "compressed by zstd" },
    { "\xfd"
      "7zXZ",
      5, "compressed by xz" },
    { "\x89PNG", 4, "a PNG picture" },
    { "\xff\xd8\xff", 3, "a JPEG picture" },
    { "\0\0\x08", 3, "an IDX file" },
    { "\x7f"
      "ELF",
      4, "a program" },
};

static int fail_unknown(const char *path, const uint8_t *head, size_t n)
{
    if (n == 0)
        return rn_fail(RN_EFORMAT, "%s: not a weight file: it is empty", path);
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
        if (n >= strangers[i].n && !memcmp(head, strangers[i].magic, strangers[i].n))
            return rn_fail(RN_EFORMAT, "%s: not a weight file of a known format: it is %s", path,
                           strangers[i].what);
    return rn_fail(RN_EFORMAT, "%s: not a weight file of a known format", path);
}

static int read_any(const struct rn_format *const table[], struct rn_weights *w, const char *path)
{
    int status = rn_map_open(&w->map, path);
    if (status)
        return status;
    for (const struct rn_format *const *f = table; *f; f++)
        if ((*f)->probe(w->map.data, w->map.size))
            return (*f)->read(w, path);
    return fail_unknown(path, w->map.data, w->map.size);
}

/* Whole: with a look at tensor data. */
static int read_by(const struct rn_format *const table[], bool whole, struct rn_weights **out,
                   const char *path)
{
    struct rn_weights *w = *out = rn_alloc(1, sizeof(*w));
    if (!w)
        return RN_EMEM;
    int status = read_any(table, w, path);
    if (!status && whole)
        status = rn_hash_check(w, path);
    if (status) {
        rn_weights_close(w);
        *out = NULL;
    }
    return status;
}

int rn_formats_read(const struct rn_format *const table[], struct rn_weights **out,
                    const char *path)
{
    return read_by(table, true, out, path);
}

int rn_weights_read(struct rn_weights **out, const char *path)
{
    return read_by(formats, false, out, path);
}

int rn_weights_open(struct rn_weights **out, const char *path)
{
    return read_by(formats, true, out, path);
}

void rn_weights_close(struct rn_weights *w)
{
    if (!w)
        return;
    rn_gather_release(w);
    rn_map_close(&w->map);
    rn_free(w);
}

int rn_weights_count(const struct rn_weights *w)
{
    return w->tensors;
}

const struct rn_tensor *rn_weights_tensor(const struct rn_weights *w, int i)
{
    return &w->tensor[i];
}

const struct rn_tensor *rn_weights_find(const struct rn_weights *w, const char *name)
{
    for (int i = 0; i < w->tensors; i++)
        if (!strcmp(w->tensor[i].name, name))
            return &w->tensor[i];
    return NULL;
}

const char *rn_weights_meta(const struct rn_weights *w, const char *key)
{
    for (int i = 0; i < w->metas; i++)
        if (!strcmp(w->meta[i].key, key))
            return w->meta[i].value;
    return NULL;
}

int rn_meta_compare(const void *a, const void *b)
{
    return strcmp(((const struct rn_meta *)a)->key, ((const struct rn_meta *)b)->key);
}

int rn_text_check(const char *s)
{
    json_error_t e;
    json_t *text = json_pack_ex(&e, 0, "s", s);
    json_decref(text);
    if (text)
        return 0;
    if (json_error_code(&e) == json_error_invalid_utf8)
        return rn_fail(RN_EUSAGE, "no UTF-8, so it can't be in a weight file: %s", s);
    return rn_fail(RN_EMEM, "memory is short");
}

int rn_formats_write(const struct rn_format *const table[], const struct rn_weights *w,
                     const char *path, const char *format)
{
    const struct rn_format *const *f = table;
    while (*f && strcmp((*f)->name, format))
        f++;
    if (!*f)
        return rn_fail(RN_EUSAGE, "unknown weight format: %s", format);

    struct rn_writer *out;
    int status = rn_writer_open(&out, path);
    if (status)
        return status;
    if ((status = (*f)->write(w, out))) {
        rn_writer_abort(out);
        return status;
    }
    return rn_writer_commit(out);
}

int rn_weights_write(const struct rn_weights *w, const char *path, const char *format)
{
    return rn_formats_write(formats, w, path, format);
}

int rn_gather(struct rn_weights *w, const struct rn_tensor *t)
{
    if (rn_array_grow(&w->tensor, w->tensors, &w->tensor_room, sizeof(*t)))
        return RN_EMEM;
    char *name = rn_strdup(t->name);
    if (!name)
        return RN_EMEM;
    w->tensor[w->tensors] = *t;
    w->tensor[w->tensors++].name = name;
    return 0;
}

int rn_gather_meta(struct rn_weights *w, const char *key, const char *value)
{
    if (rn_array_grow(&w->meta, w->metas, &w->meta_room, sizeof(*w->meta)))
        return RN_EMEM;
    struct rn_meta m = { rn_strdup(key), rn_strdup(value) };
    if (!m.key || !m.value) {
        rn_free(m.key);
        rn_free(m.value);
        return RN_EMEM;
    }
    w->meta[w->metas++] = m;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

int rn_gather_check(const struct rn_weights *w)
{
    const char **name = rn_alloc((size_t)w->tensors, sizeof(*name));
    int status = name ? 0 : RN_EMEM;
    for (int i = 0; i < w->tensors && !status; i++) {
        name[i] = w->tensor[i].name;
        status = rn_text_check(name[i]);
    }
    if (!status)
        qsort(name, (size_t)w->tensors, sizeof(*name), compare_names);
    for (int i = 1; i < w->tensors && !status; i++)
        if (!strcmp(name[i], name[i - 1]))
            status = rn_fail(RN_EUSAGE, "two tensors are named %.200s", name[i]);
    rn_free(name);
    return status;
}

int rn_gather_own(struct rn_weights *w, void *block)
{
    if (rn_array_grow(&w->own, w->owns, &w->own_room, sizeof(*w->own))) {
        rn_free(block);
        return RN_EMEM;
    }
    w->own[w->owns++] = block;
    return 0;
}

void rn_gather_release(struct rn_weights *w)
{
    for (int i = 0; i < w->owns; i++)
        rn_free(w->own[i]);
    rn_free(w->own);
    for (int i = 0; i < w->tensors; i++)
        rn_free((void *)w->tensor[i].name);
    for (int i = 0; i < w->metas; i++) {
        rn_free(w->meta[i].key);
        rn_free(w->meta[i].value);
    }
    rn_free(w->tensor);
    rn_free(w->meta);
    rn_free(w->digest);
    *w = (struct rn_weights){ .map = w->map };
}
