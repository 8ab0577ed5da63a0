/*
 * NumPy's .npz: a zip archive of arrays, stored or deflated, a tensor each; metadata are the bytes
 * of one more array, rn.metadata. Arrays in Fortran's order are copied, stored others stay where
 * they are mapped.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "weights/format.h"
#include "weights/hash.h"
#include "weights/meta.h"
#include "weights/npy.h"
#include "weights/number.h"
#include "weights/strided.h"
#include "weights/zip.h"

#define SUFFIX ".npy"
enum {
    SUFFIX_BYTES = sizeof(SUFFIX) - 1,
    UNPACKED_FREE = 16 << 20, /* all deflated members together may have that many bytes, */
    UNPACKED_TIMES = 8        /* and that many times those of the file */
};

static bool is_array(const char *name, size_t n)
{
    return n > SUFFIX_BYTES && !memcmp(name + n - SUFFIX_BYTES, SUFFIX, SUFFIX_BYTES);
}

/* An archive whose first member is an array. */
static bool probe(const uint8_t *head, size_t n)
{
    return n > RN_ZIP_LOCAL && !memcmp(head, "PK\3\4", 4) &&
           n - RN_ZIP_LOCAL >= rn_u16(head + 26) &&
           is_array((const char *)head + RN_ZIP_LOCAL, rn_u16(head + 26));
}

/* The bytes of a member, unpacked into memory of w's where it is deflated. */
static int open_member(struct rn_weights *w, const struct rn_zip_member *m, const uint8_t **bytes,
                       const char *path)
{
    *bytes = m->data;
    if (!m->deflated)
        return 0;
    uint8_t *block = rn_alloc(m->size, 1);
    if (!block || rn_gather_own(w, block))
        return RN_EMEM;
    *bytes = block;
    return rn_zip_inflate(m, block, path);
}

/* Replaces the data of t by a row-major copy in memory of w's. */
static int turn(struct rn_weights *w, struct rn_tensor *t)
{
    size_t stride[RN_RANK_MAX], step = 1;
    for (int d = 0; d < t->rank; step *= t->dim[d++])
        stride[d] = step;
    if (rn_strided_contiguous(t->rank, t->dim, stride))
        return 0;
    void *block = rn_alloc(t->bytes, 1);
    if (!block || rn_gather_own(w, block))
        return RN_EMEM;
    rn_strided_copy(block, t->data, rn_dtype_size(t->dtype), t->rank, t->dim, stride);
    t->data = block;
    return 0;
}

static int read_member(struct rn_weights *w, const struct rn_zip_member *m, const char *path)
{
    const uint8_t *bytes;
    size_t data, n = strlen(m->name);
    bool fortran;
    if (!is_array(m->name, n))
        return rn_fail(RN_EFORMAT, "%s: zip member %.200s: it is no array", path, m->name);
    char *name = rn_strdup(m->name);
    if (!name)
        return RN_EMEM;
    name[n - SUFFIX_BYTES] = '\0';
    struct rn_tensor t = { .name = name };
    int status = open_member(w, m, &bytes, path);
    if (!status)
        status = rn_npy_read(&t, &fortran, &data, bytes, m->size, path);
    if (!status) {
        t.data = bytes + data;
        if (!strcmp(name, RN_META_NAME))
            status = rn_meta_parse(w, t.data, t.bytes, path);
        else if (!fortran || !(status = turn(w, &t)))
            status = rn_gather(w, &t);
    }
    rn_free(name);
    return status;
}

/* Deflate makes a thousand bytes of one, weights do not. */
static int check_sizes(const struct rn_zip *z, size_t file, const char *path)
{
    size_t total = 0, limit;
    if (!rn_mul(&limit, file, UNPACKED_TIMES) || !rn_add(&limit, limit, UNPACKED_FREE))
        limit = SIZE_MAX;
    for (size_t i = 0; i < z->members; i++)
        if (z->member[i].deflated && (!rn_add(&total, total, z->member[i].size) || total > limit))
            return rn_fail(RN_EFORMAT,
                           "%s: zip member %.200s: the archive unpacks to more than the limit of "
                           "%zu bytes",
                           path, z->member[i].name, limit);
    return 0;
}

static int read_file(struct rn_weights *w, const char *path)
{
    struct rn_zip z;
    int status = rn_zip_read(&z, w->map.data, w->map.size, path);
    if (status)
        return status;
    status = check_sizes(&z, w->map.size, path);
    for (size_t i = 0; i < z.members && !status; i++)
        status = read_member(w, &z.member[i], path);
    rn_zip_release(&z);
    return status ? status : rn_hash_read(w, path);
}

/* ---- writing ---- */

static int put_array(struct rn_zip_writer *z, const struct rn_tensor *t)
{
    char header[RN_NPY_HEADER_MAX], *name;
    size_t n = rn_npy_write(header, t);
    if (!n)
        return RN_EUSAGE;
    if (asprintf(&name, "%s" SUFFIX, t->name) < 0)
        return rn_fail(RN_EMEM, "memory is short");
    const struct iovec part[] = { { header, n }, { (void *)(uintptr_t)t->data, t->bytes } };
    int status = rn_zip_put(z, name, part, 2);
    free(name);
    return status;
}

static int put_meta(struct rn_zip_writer *z, const struct rn_weights *w)
{
    char *text;
    int status = rn_meta_text(w, &text);
    if (status)
        return status;
    size_t n = strlen(text);
    status = put_array(z, &(struct rn_tensor){ RN_META_NAME, RN_U8, 1, { n }, text, n });
    free(text);
    return status;
}

static int write_file(const struct rn_weights *w, struct rn_writer *out)
{
    struct rn_zip_writer z;
    int status = 0;
    rn_zip_begin(&z, out);
    for (int i = 0; i < w->tensors && !status; i++)
        status = put_array(&z, &w->tensor[i]);
    if (!status)
        status = put_meta(&z, w);
    return rn_zip_end(&z, status);
}

const struct rn_format rn_format_npz = {
    .name = "npz", .probe = probe, .read = read_file, .write = write_file
};
