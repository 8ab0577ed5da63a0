/*
 * Pictures that come one by one: a picture file, a picture on stdin, PNM or farbfeld pictures one
 * behind the other on stdin.
 */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "data/files.h"
#include "data/stream.h"

/* A pipe. */
struct pipe {
    struct rn_stream *stream;
    struct rn_item head; /* what has been read of the next picture */
    bool one;            /* the pipe holds a single picture, to its end */
    bool ended;
};

static bool probe(const char *path, const uint8_t *head, size_t n, bool folder)
{
    (void)path;
    return !folder && rn_image_kind(head, n);
}

static const struct rn_source_kind pipe_kind;

static int open_pipe(struct rn_source *s)
{
    struct pipe *p = s->impl = rn_alloc(1, sizeof *p);
    int fd = s->fd;
    if (!p)
        return RN_EMEM;
    s->kind = &pipe_kind;
    s->count = -1;
    s->fd = -1;
    const char *kind = rn_image_kind(s->head, s->head_size);
    p->one = !kind || (strcmp(kind, "PNM") != 0 && strcmp(kind, "farbfeld") != 0);
    return rn_stream_new(&p->stream, s->path, fd, s->head, s->head_size);
}

static int open_picture(struct rn_source *s, const char *path, enum rn_part part)
{
    (void)part;
    if (s->fd >= 0)
        return open_pipe(s);
    struct rn_files *f = rn_alloc(1, sizeof *f);
    if (!f)
        return RN_EMEM;
    rn_files_become(s, f);
    int status = rn_files_add(f, path, strlen(path), -1);
    s->count = f->count;
    return status;
}

static void close_pipe(struct rn_source *s)
{
    struct pipe *p = s->impl;
    if (p) {
        rn_stream_free(p->stream);
        rn_item_release(&p->head);
        rn_free(p);
    }
}

/* One more piece of the next picture, at most to `size` bytes of it; 0: as much as comes. */
static int read_piece(struct pipe *p, size_t size)
{
    enum { PIECE = 1 << 16, LINE = 512 };
    size_t want = size ? size - p->head.n : p->one ? PIECE : LINE, got = 0;
    want = want < PIECE ? want : PIECE;
    if (rn_item_reserve(&p->head, p->head.n + want))
        return RN_EMEM;
    int status = rn_stream_some(p->stream, p->head.data + p->head.n, want, &got);
    p->head.n += got;
    p->ended = !status && !got;
    return status;
}

/* The size of the picture that head begins with; 0: not told yet. A single picture ends with the
 * pipe. */
static int size_of(const struct rn_source *s, size_t *size)
{
    const struct pipe *p = s->impl;
    *size = 0;
    return p->one ? 0 : rn_pnm_size(s->path, p->head.data, p->head.n, s->decode.max_pixels, size);
}

/* Is the next picture in head, as far as it goes? */
static bool whole(const struct pipe *p, size_t size)
{
    return p->ended || (size && p->head.n >= size);
}

static int read_pipe(struct rn_source *s, long index, struct rn_item *it)
{
    struct pipe *p = s->impl;
    size_t size;
    int status = size_of(s, &size);
    while (!status && !whole(p, size)) {
        status = read_piece(p, size);
        status = status ? status : size_of(s, &size);
    }
    if (status)
        return status;
    if (!p->head.n)
        return 0;
    size_t n = size && size < p->head.n ? size : p->head.n;
    if (rn_item_begin(it, s->path, p->one ? -1 : index) || rn_item_reserve(it, n))
        return RN_EMEM;
    memcpy(it->data, p->head.data, n);
    it->n = n;
    memmove(p->head.data, p->head.data + n, p->head.n - n);
    p->head.n -= n;
    return 1;
}

/* Takes what the pipe has; an error is ready: read() will meet it again. */
static bool ready(struct rn_source *s, int ms)
{
    struct pipe *p = s->impl;
    size_t size;
    while (!size_of(s, &size) && !whole(p, size)) {
        if (!rn_stream_ready(p->stream, ms))
            return false;
        if (read_piece(p, size))
            return true;
    }
    return true;
}

static const struct rn_source_kind pipe_kind = {
    .name = "pictures", .read = read_pipe, .ready = ready, .close = close_pipe
};

const struct rn_source_kind rn_source_picture = { .name = "picture",
                                                  .probe = probe,
                                                  .open = open_picture };
