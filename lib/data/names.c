/*
 * Lists of names: a path a line, or with NULs between; on lines a class may stand behind a tab. A
 * file is read whole, a pipe name by name, unless its classes are wanted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "data/files.h"
#include "data/stream.h"

enum { PIECE = 4096, LONGEST = 1 << 20 };

/* The names that come. */
struct names {
    struct rn_stream *stream;
    char end; /* of a name */
    char *text;
    size_t from, to, room; /* text[from .. to) has been read and not handed out */
    bool ended;
    long number; /* records taken */
};

/* A record that was taken: PATH, and CLASS where there is one. */
struct record {
    char *path, *class;
};

static void names_release(struct names *p)
{
    rn_stream_free(p->stream);
    rn_free(p->text);
}

static int open_names(const char *path)
{
    struct stat st;
    int fd = !strcmp(path, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                : open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && !fstat(fd, &st) && S_ISDIR(st.st_mode)) {
        close(fd);
        errno = EISDIR;
        fd = -1;
    }
    return fd;
}

static int names_init(struct names *p, const char *path, bool null, bool *regular)
{
    struct stat st;
    int fd = open_names(path);
    if (fd < 0)
        return rn_fail_errno("%s", path);
    *regular = !fstat(fd, &st) && S_ISREG(st.st_mode);
    p->end = null ? 0 : '\n';
    p->text = rn_grow(NULL, &p->room, 0, PIECE + 1);
    if (!p->text) {
        close(fd);
        return RN_EMEM;
    }
    return rn_stream_new(&p->stream, path, fd, NULL, 0);
}

/* ---- taking records ---- */

static bool has_record(const struct names *p)
{
    return p->ended || memchr(p->text + p->from, p->end, p->to - p->from);
}

/* Room for one more piece and a NUL behind it. */
static int make_room(struct names *p, const char *path)
{
    memmove(p->text, p->text + p->from, p->to - p->from);
    p->to -= p->from;
    p->from = 0;
    if (p->to > LONGEST)
        return rn_fail(RN_EFORMAT, "%s: name %ld is longer than %d bytes", path, p->number + 1,
                       LONGEST);
    char *text = rn_grow(p->text, &p->room, p->to, p->to + PIECE + 1);
    p->text = text ? text : p->text;
    return text ? 0 : RN_EMEM;
}

static int read_piece(struct names *p, const char *path)
{
    size_t got = 0;
    int status = make_room(p, path);
    status = status ? status : rn_stream_some(p->stream, p->text + p->to, PIECE, &got);
    p->to += got;
    p->ended = !status && !got;
    return status;
}

/* The next record; empty ones are none. Returns 1, 0 at the end, or a status. */
static int take(struct names *p, const char *path, struct record *r)
{
    for (;;) {
        while (!has_record(p)) {
            int status = read_piece(p, path);
            if (status)
                return status;
        }
        if (p->from == p->to)
            return 0;
        char *text = p->text + p->from, *end = memchr(text, p->end, p->to - p->from);
        size_t n = end ? (size_t)(end - text) : p->to - p->from;
        p->from += n + (end != NULL);
        p->number++;
        text[n] = 0;
        char *tab = p->end ? memchr(text, '\t', n) : NULL;
        if (tab)
            *tab = 0;
        *r = (struct record){ text, tab ? tab + 1 : NULL };
        if (p->end && strlen(text) + (tab ? strlen(tab + 1) + 1 : 0) != n)
            return rn_fail(RN_EFORMAT, "%s: a NUL in line %ld; -0 is for such lists", path,
                           p->number);
        if (n)
            return 1;
    }
}

/* ---- name by name ---- */

static int read_name(struct rn_source *s, long index, struct rn_item *it)
{
    struct record r;
    (void)index;
    int status = take(s->impl, s->path, &r);
    if (status == 1 && rn_item_begin(it, r.path, -1))
        return RN_EMEM;
    it->file = true;
    return status;
}

/* Takes what the pipe has; an error is ready: read() will meet it again. */
static bool ready(struct rn_source *s, int ms)
{
    struct names *p = s->impl;
    while (!has_record(p)) {
        if (!rn_stream_ready(p->stream, ms))
            return false;
        if (read_piece(p, s->path))
            return true;
    }
    return true;
}

static void close_names(struct rn_source *s)
{
    struct names *p = s->impl;
    if (p)
        names_release(p);
    rn_free(p);
}

static const struct rn_source_kind names_kind = {
    .name = "names", .read = read_name, .ready = ready, .close = close_names
};

/* ---- all at once ---- */

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in `given`, each once, in the order of bytes, become the classes of s. */
static int set_classes(struct rn_source *s, const struct rn_files *given)
{
    size_t n = (size_t)given->count;
    const char **name = rn_alloc(n, sizeof *name);
    s->class = rn_alloc(n, sizeof *s->class);
    if (!name || !s->class) {
        rn_free(name);
        return RN_EMEM;
    }
    for (size_t i = 0; i < n; i++)
        name[i] = given->text + given->at[i];
    qsort(name, n, sizeof *name, compare);
    int status = 0;
    for (size_t i = 0; i < n && !status; i++) {
        if (i && !strcmp(name[i], name[i - 1]))
            continue;
        s->class[s->classes] = rn_strdup(name[i]);
        status = s->class[s->classes] ? 0 : RN_EMEM;
        s->classes += !status;
    }
    rn_free(name);
    return status;
}

static int label_all(struct rn_source *s, struct rn_files *f, const struct rn_files *given)
{
    int status = given->count ? set_classes(s, given) : 0;
    for (long i = 0; !status && i < given->count; i++) {
        const char *name = given->text + given->at[i];
        char **at = bsearch(&name, s->class, (size_t)s->classes, sizeof *s->class, compare);
        f->label[i] = (int)(at - s->class);
    }
    return status;
}

/* Every line of a list has a class, or none has. */
static int read_all(struct rn_source *s, struct names *p, struct rn_files *f,
                    struct rn_files *given)
{
    struct record r;
    int status;
    while ((status = take(p, s->path, &r)) == 1) {
        if (f->count && !r.class != !given->count)
            return rn_fail(RN_EFORMAT, "%s: line %ld has %s class, the lines before have %s",
                           s->path, p->number, r.class ? "a" : "no", r.class ? "none" : "one");
        if (r.class && !*r.class)
            return rn_fail(RN_EFORMAT, "%s: line %ld: the class behind the tab is empty", s->path,
                           p->number);
        if (rn_files_add(f, r.path, strlen(r.path), -1) ||
            (r.class && rn_files_add(given, r.class, strlen(r.class), -1)))
            return RN_EMEM;
    }
    return status ? status : label_all(s, f, given);
}

static int become_files(struct rn_source *s, struct names *p)
{
    struct rn_files *f = rn_alloc(1, sizeof *f), given = { 0 };
    if (!f)
        return RN_EMEM;
    rn_files_become(s, f);
    int status = read_all(s, p, f, &given);
    s->count = f->count;
    rn_files_release(&given);
    return status;
}

int rn_source_read_names(struct rn_source *s, bool null, bool whole)
{
    struct names *p = rn_alloc(1, sizeof *p);
    bool regular = false;
    int status = p ? names_init(p, s->path, null, &regular) : RN_EMEM;
    if (!status && !whole && !regular) {
        s->kind = &names_kind;
        s->impl = p;
        s->count = -1;
        return 0;
    }
    status = status ? status : become_files(s, p);
    if (p)
        names_release(p);
    rn_free(p);
    return status;
}
