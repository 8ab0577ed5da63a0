/*
 * Tar archives as a source, read once from front to back, from a file or a pipe: the pictures among
 * the members are the records. Where labels are wanted, samples.c makes a data set of them.
 */
#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "data/samples.h"
#include "data/tar.h"

static bool probe(const char *path, const uint8_t *head, size_t n, bool folder)
{
    enum { USTAR = 257 };
    (void)path;
    return !folder && n >= USTAR + 5 && !memcmp(head + USTAR, "ustar", 5);
}

static int read_archive(struct rn_source *s, long index, struct rn_item *it)
{
    struct rn_tar *t = s->impl;
    int status = rn_tar_next(t);
    s->passed_over = t->passed_over;
    if (status)
        return status;
    if (!t->found)
        return index ? 0 : rn_fail(RN_EFORMAT, "%s: no pictures in the archive", s->path);
    if (rn_item_begin_member(it, s->path, rn_tar_name(t)) || rn_item_reserve(it, t->item.n))
        return RN_EMEM;
    it->sparse = t->found == RN_TAR_SPARSE;
    memcpy(it->data, t->item.data, t->item.n);
    it->n = t->item.n;
    rn_tar_pass(t);
    return 1;
}

static bool ready(struct rn_source *s, int ms)
{
    return rn_tar_ready(s->impl, ms);
}

static int open_archive(struct rn_source *s, const char *path, enum rn_part part)
{
    bool pipe = s->fd >= 0;
    int fd = pipe ? s->fd : open(path, O_RDONLY | O_CLOEXEC);
    (void)part;
    s->fd = fd; /* closed with the source */
    if (fd < 0)
        return rn_fail_errno("%s", path);
    if (s->labelled)
        return rn_source_read_samples(s, pipe);
    struct rn_tar *t = s->impl = rn_alloc(1, sizeof *t);
    if (!t)
        return RN_EMEM;
    s->fd = -1;
    s->count = -1;
    return rn_tar_init(t, s->path, fd, s->head, pipe ? s->head_size : 0);
}

static void close_archive(struct rn_source *s)
{
    struct rn_tar *t = s->impl;
    if (t)
        rn_tar_release(t);
    rn_free(t);
}

const struct rn_source_kind rn_source_tar = { .name = "tar",
                                              .probe = probe,
                                              .open = open_archive,
                                              .read = read_archive,
                                              .ready = ready,
                                              .close = close_archive };
