/*
 * PyTorch's archive on its way out: an OrderedDict of tensors, a storage of its own for each, as
 * torch.load takes it, with weights_only as well. Metadata go into a member that PyTorch passes
 * over.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "weights/meta.h"
#include "weights/pth.h"
#include "weights/zip.h"

#define ROOT "archive/"
#define ORDERED_DICT "ccollections\nOrderedDict\n)R"

static const char *const storages[] = {
    [RN_F64] = "DoubleStorage",    [RN_F32] = "FloatStorage", [RN_F16] = "HalfStorage",
    [RN_BF16] = "BFloat16Storage", [RN_I64] = "LongStorage",  [RN_I32] = "IntStorage",
    [RN_I16] = "ShortStorage",     [RN_I8] = "CharStorage",   [RN_U8] = "ByteStorage",
    [RN_BOOL] = "BoolStorage",
};

/* The pickle while it grows. */
struct bytes {
    char *data;
    size_t n, room;
    int status; /* the first error */
};

static void add(struct bytes *b, const void *data, size_t n)
{
    char *larger = b->status ? NULL : rn_grow(b->data, &b->room, b->n, b->n + n);
    if (!larger) {
        b->status = RN_EMEM;
        return;
    }
    b->data = larger;
    memcpy(b->data + b->n, data, n);
    b->n += n;
}

static void add_text(struct bytes *b, const char *opcodes)
{
    add(b, opcodes, strlen(opcodes));
}

static void add_string(struct bytes *b, const char *s)
{
    uint32_t n = (uint32_t)strlen(s);
    add_text(b, "X");
    add(b, &n, sizeof(n));
    add(b, s, n);
}

/* LONG1 of 8 bytes where BININT is too small; sizes are below 2^63. */
static void add_integer(struct bytes *b, size_t v)
{
    int32_t narrow = (int32_t)v;
    if (v > INT32_MAX) {
        add(b, "\x8a\x08", 2);
        add(b, &v, sizeof(v));
    } else {
        add_text(b, "J");
        add(b, &narrow, sizeof(narrow));
    }
}

static void add_sizes(struct bytes *b, const size_t v[], int rank)
{
    add_text(b, "(");
    for (int d = 0; d < rank; d++)
        add_integer(b, v[d]);
    add_text(b, "t");
}

/* ("storage", type, key, "cpu", elements) as a persistent id */
static void add_storage(struct bytes *b, const struct rn_tensor *t, int key)
{
    char text[16];
    add_text(b, "(");
    add_string(b, "storage");
    add_text(b, "ctorch\n");
    add_text(b, storages[t->dtype]);
    add_text(b, "\n");
    sprintf(text, "%d", key);
    add_string(b, text);
    add_string(b, "cpu");
    add_integer(b, t->bytes / rn_dtype_size(t->dtype));
    add_text(b, "tQ");
}

/* name: _rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict()) */
static void add_tensor(struct bytes *b, const struct rn_tensor *t, int key)
{
    size_t stride[RN_RANK_MAX], step = 1;
    for (int d = t->rank; d-- > 0; step *= t->dim[d] ? t->dim[d] : 1)
        stride[d] = step;
    add_string(b, t->name);
    add_text(b, "ctorch._utils\n_rebuild_tensor_v2\n(");
    add_storage(b, t, key);
    add_integer(b, 0);
    add_sizes(b, t->dim, t->rank);
    add_sizes(b, stride, t->rank);
    add_text(b, "\x89" ORDERED_DICT "tRs");
}

static int put(struct rn_zip_writer *z, const char *name, const void *data, size_t n)
{
    const struct iovec part = { (void *)(uintptr_t)data, n };
    return rn_zip_put(z, name, &part, 1);
}

static int put_pickle(struct rn_zip_writer *z, const struct rn_weights *w)
{
    struct bytes b = { 0 };
    add_text(&b, "\x80\x02" ORDERED_DICT);
    for (int i = 0; i < w->tensors; i++)
        add_tensor(&b, &w->tensor[i], i);
    add_text(&b, ".");
    int status = b.status ? b.status : put(z, ROOT "data.pkl", b.data, b.n);
    rn_free(b.data);
    return status;
}

static int put_meta(struct rn_zip_writer *z, const struct rn_weights *w)
{
    char *text;
    int status = rn_meta_text(w, &text);
    if (status)
        return status;
    status = put(z, ROOT RN_META_NAME, text, strlen(text));
    free(text);
    return status;
}

static int check(const struct rn_weights *w)
{
    for (int i = 0; i < w->tensors; i++) {
        enum rn_dtype t = w->tensor[i].dtype;
        if (t >= sizeof(storages) / sizeof(storages[0]) || !storages[t])
            return rn_fail(RN_EUSAGE, "tensor %.200s: a .pth has no %s", w->tensor[i].name,
                           rn_dtype_name(t));
    }
    return rn_gather_check(w);
}

int rn_pth_write(const struct rn_weights *w, struct rn_writer *out)
{
    struct rn_zip_writer z;
    char name[sizeof(ROOT) + 16];
    int status = check(w);
    rn_zip_begin(&z, out);
    if (!status)
        status = put_pickle(&z, w);
    if (!status)
        status = put(&z, ROOT "byteorder", "little", 6);
    for (int i = 0; i < w->tensors && !status; i++) {
        sprintf(name, ROOT "data/%d", i);
        status = put(&z, name, w->tensor[i].data, w->tensor[i].bytes);
    }
    if (!status)
        status = put(&z, ROOT "version", "3\n", 2);
    if (!status)
        status = put_meta(&z, w);
    return rn_zip_end(&z, status);
}
