/* Tar archives, read once from front to back: headers, extensions, data. */
#include "data/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

enum {
    PIECE = 1 << 16,
    MAGIC = 16,              /* bytes that tell a picture */
    PICTURE_MAX = 1 << 30,   /* bytes of a member */
    EXTENSION_MAX = 1 << 20, /* of a long name or a pax header */
};

#define NO_SIZE UINT64_MAX

int rn_tar_init(struct rn_tar *t, const char *path, int fd, const uint8_t *head, size_t n)
{
    *t = (struct rn_tar){ .path = path, .size = NO_SIZE };
    return rn_stream_new(&t->stream, path, fd, head, n);
}

void rn_tar_release(struct rn_tar *t)
{
    rn_stream_free(t->stream);
    rn_item_release(&t->item);
    rn_free(t->long_name);
}

const char *rn_tar_name(const struct rn_tar *t)
{
    return t->long_name ? t->long_name : t->header.name;
}

static void forget_extensions(struct rn_tar *t)
{
    rn_free(t->long_name);
    t->long_name = NULL;
    t->size = NO_SIZE;
    t->sparse = false;
}

void rn_tar_pass(struct rn_tar *t)
{
    t->found = RN_TAR_NOTHING;
    forget_extensions(t);
}

static bool is_file(const struct rn_tar *t)
{
    return t->type == '0' || t->type == '7' || t->type == 'S';
}

/* For the member behind it. */
static bool is_extension(const struct rn_tar *t)
{
    return t->type == 'L' || t->type == 'x' || t->type == 'K' || t->type == 'g';
}

/* ---- headers ---- */

/* Is it, or a folder on the way to it, hidden? */
static bool hidden(const char *path)
{
    for (const char *p = path; p; p = strchr(p, '/')) {
        p += strspn(p, "/");
        size_t n = strcspn(p, "/");
        if (*p == '.' && !(n == 1 || (n == 2 && p[1] == '.')))
            return true;
    }
    return false;
}

/* What comes behind the header: data to keep, data to skip. */
static int begin_member(struct rn_tar *t)
{
    bool kept = t->type == 'L' || t->type == 'x';
    uint64_t size = !is_extension(t) && t->size != NO_SIZE ? t->size : t->header.size;
    if (t->type >= '1' && t->type <= '6') /* links and folders have no data */
        size = 0;
    if (size > UINT64_MAX >> 1 || (kept && size > EXTENSION_MAX))
        return rn_fail(RN_EFORMAT, "%s#%s: a header for %llu bytes", t->path, rn_tar_name(t),
                       (unsigned long long)size);
    t->sparse = t->sparse || t->type == 'S';
    t->holes = t->header.holes;
    kept = kept || (is_file(t) && !t->sparse && size <= PICTURE_MAX && !hidden(rn_tar_name(t)));
    t->left = kept ? size : 0;
    t->skip = (size + RN_TAR_BLOCK - 1) / RN_TAR_BLOCK * RN_TAR_BLOCK - t->left;
    t->begin = t->at;
    t->item.n = 0;
    return 0;
}

static int take_header(struct rn_tar *t)
{
    if (rn_tar_block_zero(t->block)) { /* between archives, and at the end */
        t->have = 0;
        return 0;
    }
    if (!rn_tar_header_read(&t->header, t->block))
        return rn_fail(RN_EFORMAT, "%s: damaged tar header behind %s", t->path,
                       *t->header.name ? t->header.name : "the beginning");
    t->type = t->header.type;
    int status = begin_member(t);
    if (status)
        t->type = 0;
    else
        t->have = 0;
    return status;
}

/* ---- extensions ---- */

static int set_long_name(struct rn_tar *t, const char *text, size_t n)
{
    rn_free(t->long_name);
    t->long_name = rn_alloc(n + 1, 1);
    if (!t->long_name)
        return RN_EMEM;
    memcpy(t->long_name, text, n);
    return 0;
}

/* Where "KEY=" begins the n bytes: what is behind it; else NULL. */
static const char *value_of(const char *key, const char *text, size_t n)
{
    size_t length = strlen(key);
    return n >= length && !memcmp(text, key, length) ? text + length : NULL;
}

/* A record KEY=VALUE of n bytes. */
static int take_record(struct rn_tar *t, const char *text, size_t n)
{
    const char *value = value_of("path=", text, n), *end = text + n;
    if (!value)
        value = value_of("GNU.sparse.name=", text, n);
    if (value)
        return set_long_name(t, value, (size_t)(end - value));
    value = value_of("size=", text, n);
    if (value)
        t->size = strtoull(value, NULL, 10);
    t->sparse = t->sparse || value_of("GNU.sparse.", text, n);
    return 0;
}

/* Records of "LENGTH KEY=VALUE\n", LENGTH that of the whole record. */
static int take_pax(struct rn_tar *t)
{
    const char *p = (const char *)t->item.data, *end = p + t->item.n - 1; /* a NUL is at end */
    int status = 0;
    while (!status && p < end) {
        char *key;
        unsigned long n = strtoul(p, &key, 10);
        if (key == p || *key != ' ' || n > (size_t)(end - p) || p + n <= key + 1 ||
            p[n - 1] != '\n')
            return rn_fail(RN_EFORMAT, "%s: damaged pax header behind %s", t->path, t->header.name);
        key++;
        status = take_record(t, key, (size_t)(p + n - 1 - key));
        p += n;
    }
    return status;
}

/* Its data are here. */
static int take_extension(struct rn_tar *t)
{
    struct rn_item *it = &t->item;
    if (t->type != 'L' && t->type != 'x')
        return 0;
    if (rn_item_reserve(it, it->n + 1))
        return RN_EMEM;
    it->data[it->n++] = 0;
    return t->type == 'x' ? take_pax(t)
                          : set_long_name(t, (char *)it->data, strlen((char *)it->data));
}

/* ---- members ---- */

/* NAME is KEY.cls, a KEY without dots. */
static bool names_class(const char *name)
{
    const char *slash = strrchr(name, '/'), *dot = strchr(slash ? slash : name, '.');
    return dot && !strcmp(dot, ".cls");
}

static enum rn_tar_found tell(const struct rn_tar *t)
{
    if (!is_file(t) || hidden(rn_tar_name(t)))
        return RN_TAR_NOTHING;
    if (t->sparse)
        return RN_TAR_SPARSE;
    if (t->classes && names_class(rn_tar_name(t)))
        return RN_TAR_CLASS;
    return rn_image_kind(t->item.data, t->item.n) ? RN_TAR_PICTURE : RN_TAR_NOTHING;
}

/* All data of the member are here. */
static int finish_member(struct rn_tar *t)
{
    int status = is_extension(t) ? take_extension(t) : 0;
    if (status)
        return status;
    if (!is_extension(t)) {
        t->found = tell(t);
        t->passed_over += !t->found && is_file(t) && !hidden(rn_tar_name(t));
        if (!t->found)
            forget_extensions(t);
    }
    t->type = 0;
    return 0;
}

/* ---- reading on ---- */

static int fail_cut(const struct rn_tar *t)
{
    return rn_fail(RN_EFORMAT, "%s: cut off in %s", t->path,
                   t->type ? rn_tar_name(t) : "the header of a member");
}

/* Some bytes of a member to `out`. */
static int read_some(struct rn_tar *t, void *out, size_t n, size_t *got)
{
    int status = rn_stream_some(t->stream, out, n, got);
    t->at += *got;
    return status || *got ? status : fail_cut(t);
}

static int read_header(struct rn_tar *t)
{
    size_t want = RN_TAR_BLOCK - t->have, got = 0; /* none: the damaged one, once more */
    int status = rn_stream_some(t->stream, t->block + t->have, want, &got);
    t->at += got;
    t->have += got;
    if (status)
        return status;
    if (want && !got && t->have)
        return fail_cut(t);
    t->ended = want && !got;
    return t->have == RN_TAR_BLOCK ? take_header(t) : 0;
}

/* A block about the holes of a sparse file: there may be another one. */
static int read_holes(struct rn_tar *t)
{
    size_t got = 0;
    int status = read_some(t, t->block + t->have, RN_TAR_BLOCK - t->have, &got);
    t->have += got;
    if (t->have == RN_TAR_BLOCK) {
        t->have = 0;
        t->holes = rn_tar_block_more_holes(t->block);
    }
    return status;
}

/* A piece of the member; one that turns out to be no picture is skipped. */
static int read_data(struct rn_tar *t)
{
    struct rn_item *it = &t->item;
    size_t want = t->left < PIECE ? (size_t)t->left : PIECE, got = 0;
    if (rn_item_reserve(it, it->n + want))
        return RN_EMEM;
    int status = read_some(t, it->data + it->n, want, &got);
    it->n += got;
    t->left -= got;
    if (is_file(t) && t->left && it->n >= MAGIC && !rn_image_kind(it->data, it->n)) {
        t->skip += t->left;
        t->left = 0;
    }
    return status;
}

static int skip_data(struct rn_tar *t)
{
    size_t got = 0;
    int status =
        read_some(t, t->block, t->skip < RN_TAR_BLOCK ? (size_t)t->skip : RN_TAR_BLOCK, &got);
    t->skip -= got;
    return status;
}

/* One read further, or a member to its end. */
static int step(struct rn_tar *t)
{
    if (!t->type)
        return read_header(t);
    if (t->holes)
        return read_holes(t);
    if (t->left)
        return read_data(t);
    return t->skip ? skip_data(t) : finish_member(t);
}

int rn_tar_next(struct rn_tar *t)
{
    int status = 0;
    while (!status && !t->found && !t->ended)
        status = step(t);
    return status;
}

bool rn_tar_ready(struct rn_tar *t, int ms)
{
    while (!t->found && !t->ended) {
        bool reads = !t->type || t->holes || t->left || t->skip;
        if (reads && !rn_stream_ready(t->stream, ms))
            return false;
        if (step(t)) /* an error is ready: rn_tar_next() will meet it again */
            return true;
    }
    return true;
}
