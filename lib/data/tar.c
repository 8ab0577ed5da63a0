/*
 * Tar archives, read once from front to back: ustar, pax (POSIX.1-2001) and GNU's long names, plain
 * or gzip, from a file or a pipe, several behind one another. Pictures among the members are the
 * records; hidden ones and what is no picture are passed over. Memory is that of one member.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "data/source.h"
#include "data/stream.h"

enum {
    BLOCK = 512,
    PIECE = 1 << 16,
    MAGIC = 16,              /* bytes that tell a picture */
    PICTURE_MAX = 1 << 30,   /* bytes of a member */
    EXTENSION_MAX = 1 << 20, /* of a long name or a pax header */
};

/* Offsets and sizes of header fields. */
enum {
    NAME = 0,
    NAME_SIZE = 100,
    SIZE = 124,
    NUMBER = 12,
    SUM = 148,
    SUM_SIZE = 8,
    TYPE = 156,
    USTAR = 257,
    PREFIX = 345,
    PREFIX_SIZE = 155
};

struct tar {
    struct rn_stream *stream;
    uint8_t block[BLOCK]; /* the header; what is skipped */
    size_t have;          /* bytes of it */
    char type;            /* of the member being read; 0: a header is */
    uint64_t left, skip;  /* bytes to read into data; then to throw away */
    char name[NAME_SIZE + PREFIX_SIZE + 2];
    char *path;    /* the member's name by an extension; NULL: name */
    uint64_t size; /* by an extension; NO_SIZE: the header's */
    struct rn_item item;
    bool whole; /* item is a picture */
    bool ended;
};

#define NO_SIZE UINT64_MAX

static const char *member(const struct tar *t)
{
    return t->path ? t->path : t->name;
}

static void forget_extensions(struct tar *t)
{
    rn_free(t->path);
    t->path = NULL;
    t->size = NO_SIZE;
}

/* ---- headers ---- */

/* Octal digits, or, where the first bit is set, a big-endian number. */
static uint64_t number(const uint8_t *p, int n)
{
    uint64_t v = 0;
    if (*p & 0x80) {
        for (int i = 1; i < n; i++)
            v = v >> 55 ? UINT64_MAX >> 1 : v << 8 | p[i];
        return v;
    }
    for (int i = 0; i < n && (p[i] == ' ' || (p[i] >= '0' && p[i] <= '7')); i++)
        v = p[i] == ' ' ? v : v << 3 | (uint64_t)(p[i] - '0');
    return v;
}

static bool sum_right(const uint8_t *p)
{
    uint64_t sum = 0;
    for (int i = 0; i < BLOCK; i++)
        sum += i >= SUM && i < SUM + SUM_SIZE ? ' ' : p[i];
    return sum == number(p + SUM, SUM_SIZE);
}

static bool is_zero(const uint8_t *p)
{
    return !*p && !memcmp(p, p + 1, BLOCK - 1);
}

static void set_name(struct tar *t)
{
    const char *name = (const char *)t->block + NAME, *prefix = (const char *)t->block + PREFIX;
    bool posix = !memcmp(t->block + USTAR, "ustar", 6); /* GNU's has a space there, no prefix */
    int n = posix ? (int)strnlen(prefix, PREFIX_SIZE) : 0;
    snprintf(t->name, sizeof t->name, "%.*s%s%.*s", n, prefix, n ? "/" : "", NAME_SIZE, name);
}

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
static int begin_member(struct rn_source *s, struct tar *t, uint64_t size)
{
    bool extension = t->type == 'L' || t->type == 'x';
    bool file = t->type == '0' || t->type == '7';
    if (!extension && t->size != NO_SIZE)
        size = t->size;
    if (!file && !extension && t->type >= '1' && t->type <= '6') /* links and folders have none */
        size = 0;
    if (size > UINT64_MAX >> 1 || (extension && size > EXTENSION_MAX))
        return rn_fail(RN_EFORMAT, "%s#%s: a header for %llu bytes", s->path, member(t),
                       (unsigned long long)size);
    bool keep = extension || (file && size <= PICTURE_MAX && !hidden(member(t)));
    t->left = keep ? size : 0;
    t->skip = (size + BLOCK - 1) / BLOCK * BLOCK - t->left;
    t->item.n = 0;
    return 0;
}

static int take_header(struct rn_source *s, struct tar *t)
{
    const uint8_t *p = t->block;
    if (is_zero(p)) { /* between archives, and at the end */
        t->have = 0;
        return 0;
    }
    if (!sum_right(p))
        return rn_fail(RN_EFORMAT, "%s: damaged tar header behind %s", s->path,
                       *t->name ? t->name : "the beginning");
    set_name(t);
    t->type = p[TYPE] ? (char)p[TYPE] : '0';
    int status = begin_member(s, t, number(p + SIZE, NUMBER));
    if (status)
        t->type = 0;
    else
        t->have = 0;
    return status;
}

/* ---- extensions ---- */

static int set_path(struct tar *t, const char *text, size_t n)
{
    rn_free(t->path);
    t->path = rn_alloc(n + 1, 1);
    if (!t->path)
        return RN_EMEM;
    memcpy(t->path, text, n);
    return 0;
}

/* Records of "LENGTH KEY=VALUE\n", LENGTH that of the whole record. */
static int take_pax(struct rn_source *s, struct tar *t)
{
    const char *p = (const char *)t->item.data, *end = p + t->item.n - 1; /* a NUL is at end */
    int status = 0;
    while (!status && p < end) {
        char *key;
        unsigned long n = strtoul(p, &key, 10);
        if (key == p || *key != ' ' || n > (size_t)(end - p) || p + n <= key + 1 ||
            p[n - 1] != '\n')
            return rn_fail(RN_EFORMAT, "%s: damaged pax header behind %s", s->path, t->name);
        const char *stop = p + n - 1;
        key++;
        if (stop - key >= 5 && !memcmp(key, "path=", 5))
            status = set_path(t, key + 5, (size_t)(stop - key - 5));
        else if (stop - key >= 5 && !memcmp(key, "size=", 5))
            t->size = strtoull(key + 5, NULL, 10);
        p += n;
    }
    return status;
}

/* All data of the member are here. */
static int finish_member(struct rn_source *s, struct tar *t)
{
    struct rn_item *it = &t->item;
    if (t->type == 'L' || t->type == 'x') {
        if (rn_item_reserve(it, it->n + 1))
            return RN_EMEM;
        it->data[it->n++] = 0;
        return t->type == 'x' ? take_pax(s, t)
                              : set_path(t, (char *)it->data, strlen((char *)it->data));
    }
    t->whole = rn_image_kind(it->data, it->n);
    s->passed_over += !t->whole && (t->type == '0' || t->type == '7') && !hidden(member(t));
    return 0;
}

/* ---- reading on ---- */

static int fail_cut(const struct rn_source *s, const struct tar *t)
{
    return rn_fail(RN_EFORMAT, "%s: cut off in %s", s->path,
                   t->type ? member(t) : "the header of a member");
}

static int read_header(struct rn_source *s, struct tar *t)
{
    size_t got = 0;
    int status = rn_stream_some(t->stream, t->block + t->have, BLOCK - t->have, &got);
    bool more = t->have < BLOCK;
    t->have += got;
    if (status)
        return status;
    if (!got && more && t->have)
        return fail_cut(s, t);
    t->ended = !got && more;
    return t->have == BLOCK ? take_header(s, t) : 0;
}

/* A piece of the member; one that turns out to be no picture is skipped. */
static int read_data(struct rn_source *s, struct tar *t)
{
    struct rn_item *it = &t->item;
    size_t want = t->left < PIECE ? (size_t)t->left : PIECE, got = 0;
    if (rn_item_reserve(it, it->n + want))
        return RN_EMEM;
    int status = rn_stream_some(t->stream, it->data + it->n, want, &got);
    if (status || !got)
        return status ? status : fail_cut(s, t);
    it->n += got;
    t->left -= got;
    bool file = t->type == '0' || t->type == '7';
    if (file && t->left && it->n >= MAGIC && !rn_image_kind(it->data, it->n)) {
        t->skip += t->left;
        t->left = 0;
    }
    return 0;
}

static int skip_data(struct rn_source *s, struct tar *t)
{
    size_t got = 0;
    int status =
        rn_stream_some(t->stream, t->block, t->skip < BLOCK ? (size_t)t->skip : BLOCK, &got);
    if (status || !got)
        return status ? status : fail_cut(s, t);
    t->skip -= got;
    return 0;
}

/* One read further. Sets whole when a picture is complete, ended at the end. What fails, fails
 * again. */
static int step(struct rn_source *s, struct tar *t)
{
    if (!t->type)
        return read_header(s, t);
    if (t->left)
        return read_data(s, t);
    if (t->skip)
        return skip_data(s, t);
    int status = finish_member(s, t);
    if (status)
        return status;
    if (!t->whole && !strchr("LxKg", t->type)) /* an extension is for the next member */
        forget_extensions(t);
    t->type = 0;
    return 0;
}

static int read_tar(struct rn_source *s, long index, struct rn_item *it)
{
    struct tar *t = s->impl;
    while (!t->whole && !t->ended) {
        int status = step(s, t);
        if (status)
            return status;
    }
    if (!t->whole)
        return index ? 0 : rn_fail(RN_EFORMAT, "%s: no pictures in the archive", s->path);
    if (rn_item_begin_member(it, s->path, member(t)) || rn_item_reserve(it, t->item.n))
        return RN_EMEM;
    memcpy(it->data, t->item.data, t->item.n);
    it->n = t->item.n;
    t->whole = false;
    forget_extensions(t);
    return 1;
}

/* Takes what the pipe has; an error is ready: read() will meet it again. */
static bool ready(struct rn_source *s, int ms)
{
    struct tar *t = s->impl;
    while (!t->whole && !t->ended) {
        bool reads = !t->type || t->left || t->skip;
        if (reads && !rn_stream_ready(t->stream, ms))
            return false;
        if (step(s, t))
            return true;
    }
    return true;
}

/* ---- the interface ---- */

static bool probe(const char *path, const uint8_t *head, size_t n, bool folder)
{
    (void)path;
    return !folder && n >= USTAR + 5 && !memcmp(head + USTAR, "ustar", 5);
}

static int open_tar(struct rn_source *s, const char *path, enum rn_part part)
{
    struct tar *t = s->impl = rn_alloc(1, sizeof *t);
    bool pipe = s->fd >= 0;
    int fd = pipe ? s->fd : open(path, O_RDONLY | O_CLOEXEC);
    (void)part;
    s->fd = -1;
    if (fd < 0)
        return t ? rn_fail_errno("%s", path) : RN_EMEM;
    s->count = -1;
    if (t) {
        t->size = NO_SIZE;
        return rn_stream_new(&t->stream, path, fd, s->head, pipe ? s->head_size : 0);
    }
    s->fd = fd; /* closed with the source */
    return RN_EMEM;
}

static void close_tar(struct rn_source *s)
{
    struct tar *t = s->impl;
    if (t) {
        rn_stream_free(t->stream);
        rn_item_release(&t->item);
        rn_free(t->path);
    }
    rn_free(t);
}

const struct rn_source_kind rn_source_tar = { .name = "tar",
                                              .probe = probe,
                                              .open = open_tar,
                                              .read = read_tar,
                                              .ready = ready,
                                              .close = close_tar };
