/*
 * Tar archives with labels: read through once for where the pictures lie and for their classes,
 * then picture by picture.
 */
#include "data/samples.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "data/files.h"
#include "data/tar.h"

enum { CLASSES_MAX = 1000000 }; /* a network has no more */

/* A picture's bytes in the archive. */
struct place {
    off_t at;
    size_t n;
    bool sparse;
};

struct samples {
    int fd;                /* of the archive, not gzip */
    struct rn_files files; /* names and classes of the pictures */
    struct place *place;   /* [files.count] */
    size_t room;
};

/* The sample that is being read through. */
struct sample {
    char *key;
    size_t room;
    long first; /* its first picture */
    int label;  /* -1: none yet */
};

/* ---- a file that can be read in any order ---- */

static int open_nameless(void)
{
    char path[4096];
    const char *dir = getenv("TMPDIR");
    int n = snprintf(path, sizeof path, "%s/rn-XXXXXX", dir && *dir ? dir : "/tmp");
    errno = ENAMETOOLONG;
    int fd = n < (int)sizeof path ? mkostemp(path, O_CLOEXEC) : -1;
    if (fd < 0)
        return rn_fail_errno("%s: for a tar that comes from a pipe or is gzip", path);
    unlink(path);
    return fd;
}

static int write_all(int fd, const uint8_t *data, size_t n)
{
    while (n) {
        ssize_t put = write(fd, data, n);
        if (put < 0 && errno != EINTR)
            return rn_fail_errno("the temporary file for a tar");
        data += put > 0 ? put : 0;
        n -= put > 0 ? (size_t)put : 0;
    }
    return 0;
}

static int copy_stream(struct rn_stream *in, int to)
{
    enum { PIECE = 1 << 16 };
    uint8_t *data = rn_alloc(PIECE, 1);
    size_t got = 1;
    int status = data ? 0 : RN_EMEM;
    while (!status && got) {
        status = rn_stream_some(in, data, PIECE, &got);
        status = status ? status : write_all(to, data, got);
    }
    rn_free(data);
    return status;
}

/* s->fd becomes such a file. */
static int spool(struct rn_source *s, bool pipe)
{
    struct rn_stream *in = NULL;
    int status = rn_stream_new(&in, s->path, s->fd, s->head, pipe ? s->head_size : 0);
    s->fd = status ? -1 : open_nameless();
    if (s->fd < 0)
        status = status ? status : RN_EIO;
    else
        status = copy_stream(in, s->fd);
    rn_stream_free(in);
    return status;
}

/* ---- reading it through ---- */

/* The bytes of NAME that are its KEY: to the first dot behind the last slash. */
static size_t key_length(const char *name)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash : name;
    return (size_t)(base - name) + strcspn(base, ".");
}

/* The pictures of the sample get its class. */
static void close_sample(struct samples *m, struct sample *p)
{
    for (; p->first < m->files.count; p->first++)
        m->files.label[p->first] = p->label;
    p->label = -1;
}

/* A member of that name: of the same sample, or of the next. */
static int enter_sample(struct samples *m, struct sample *p, const char *name)
{
    size_t n = key_length(name);
    if (p->key && !strncmp(p->key, name, n) && !p->key[n])
        return 0;
    close_sample(m, p);
    char *key = rn_grow(p->key, &p->room, 0, n + 1);
    if (!key)
        return RN_EMEM;
    memcpy(key, name, n);
    key[n] = 0;
    p->key = key;
    return 0;
}

/* The number that KEY.cls is. */
static int take_class(struct rn_source *s, const struct rn_tar *t, struct sample *p)
{
    char text[24], *end;
    size_t n = t->item.n < sizeof text ? t->item.n : sizeof text - 1;
    if (n)
        memcpy(text, t->item.data, n);
    text[n] = 0;
    long label = strtol(text, &end, 10);
    if (end == text || end[strspn(end, " \r\n")] || n != t->item.n || label < 0 ||
        label >= CLASSES_MAX)
        return rn_fail(RN_EFORMAT, "%s#%s: is no class number (0 to %d)", s->path, rn_tar_name(t),
                       CLASSES_MAX - 1);
    p->label = (int)label;
    s->classes = s->classes > p->label ? s->classes : p->label + 1;
    return 0;
}

static int take_picture(struct samples *m, const struct rn_tar *t)
{
    const char *name = rn_tar_name(t);
    long i = m->files.count;
    if (rn_array_grow(&m->place, (size_t)i, &m->room, sizeof *m->place) ||
        rn_files_add(&m->files, name, strlen(name), -1))
        return RN_EMEM;
    m->place[i] = (struct place){ (off_t)t->begin, t->item.n, t->found == RN_TAR_SPARSE };
    return 0;
}

static int read_through(struct rn_source *s, struct samples *m, struct rn_tar *t)
{
    struct sample p = { .label = -1 };
    int status;
    while (!(status = rn_tar_next(t)) && t->found) {
        status = enter_sample(m, &p, rn_tar_name(t));
        if (!status)
            status = t->found == RN_TAR_CLASS ? take_class(s, t, &p) : take_picture(m, t);
        if (status)
            break;
        rn_tar_pass(t);
    }
    close_sample(m, &p);
    rn_free(p.key);
    s->passed_over = t->passed_over;
    return status;
}

/* Every picture has a class, or none has. */
static int check(const struct rn_source *s, const struct samples *m)
{
    if (!m->files.count)
        return rn_fail(RN_EFORMAT, "%s: no pictures in the archive", s->path);
    for (long i = 0; s->classes && i < m->files.count; i++) {
        const char *name = m->files.text + m->files.at[i];
        if (m->files.label[i] < 0)
            return rn_fail(RN_EFORMAT,
                           "%s#%s: has no class: %.*s.cls does not stand next to it in the archive",
                           s->path, name, (int)key_length(name), name);
    }
    return 0;
}

/* ---- the source ---- */

static int read_bytes(const struct samples *m, const struct place *p, struct rn_item *it)
{
    if (rn_item_reserve(it, p->n))
        return RN_EMEM;
    while (it->n < p->n) {
        ssize_t got = pread(m->fd, it->data + it->n, p->n - it->n, p->at + (off_t)it->n);
        if (got < 0 && errno != EINTR)
            return rn_fail_errno("%s", it->name);
        if (got == 0)
            return rn_fail(RN_EIO, "%s: the archive has become shorter", it->name);
        it->n += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static int read_sample(struct rn_source *s, long index, struct rn_item *it)
{
    const struct samples *m = s->impl;
    if (index >= m->files.count)
        return 0;
    const struct place *p = &m->place[index];
    if (rn_item_begin_member(it, s->path, m->files.text + m->files.at[index]))
        return RN_EMEM;
    it->label = m->files.label[index];
    it->sparse = p->sparse;
    int status = p->sparse ? 0 : read_bytes(m, p, it);
    return status ? status : 1;
}

static int label_of(const struct rn_source *s, long index)
{
    const struct samples *m = s->impl;
    return m->files.label[index];
}

static void close_samples(struct rn_source *s)
{
    struct samples *m = s->impl;
    if (m) {
        close(m->fd);
        rn_files_release(&m->files);
        rn_free(m->place);
    }
    rn_free(m);
}

static const struct rn_source_kind samples_kind = {
    .name = "samples", .read = read_sample, .label = label_of, .close = close_samples
};

/* The archive at m->fd. */
static int make_index(struct rn_source *s, struct samples *m)
{
    struct rn_tar t;
    int fd = lseek(m->fd, 0, SEEK_SET) ? -1 : fcntl(m->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return rn_fail_errno("%s", s->path);
    int status = rn_tar_init(&t, s->path, fd, NULL, 0);
    t.classes = true;
    status = status ? status : read_through(s, m, &t);
    rn_tar_release(&t);
    return status ? status : check(s, m);
}

int rn_source_read_samples(struct rn_source *s, bool pipe)
{
    bool gzip = rn_is_gzip(s->head, s->head_size);
    int status = pipe || gzip ? spool(s, pipe) : 0;
    struct samples *m = status ? NULL : rn_alloc(1, sizeof *m);
    if (!m)
        return status ? status : RN_EMEM;
    m->fd = s->fd;
    s->fd = -1;
    s->kind = &samples_kind;
    s->impl = m;
    status = make_index(s, m);
    s->count = m->files.count;
    s->random = true;
    return status;
}
