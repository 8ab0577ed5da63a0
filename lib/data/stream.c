/* The bytes of a file or a pipe in order, inflated on the way when they are gzip (RFC 1952, several
 * members allowed). */
#include "data/stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/err.h"
#include "base/mem.h"

enum { BUFFER = 1 << 16 };

struct rn_stream {
    char *path;
    int fd;
    bool begun;      /* the first bytes have told whether it is gzip */
    bool gzip;       /* z is live */
    bool in_member;  /* inside a gzip member, or before the first one */
    bool end;        /* of fd */
    z_stream z;      /* next_in, avail_in: bytes read and not handed out, gzip or not */
    uint8_t *buffer; /* [BUFFER] */
};

int rn_stream_new(struct rn_stream **out, const char *path, int fd, const uint8_t *head, size_t n)
{
    struct rn_stream *s = rn_alloc(1, sizeof *s);
    if (!s) {
        close(fd);
        return RN_EMEM;
    }
    s->fd = fd;
    s->path = rn_strdup(path);
    s->buffer = rn_alloc(BUFFER, 1);
    if (!s->path || !s->buffer) {
        rn_stream_free(s);
        return RN_EMEM;
    }
    if (n)
        memcpy(s->buffer, head, n);
    s->z.next_in = s->buffer;
    s->z.avail_in = (uInt)n;
    *out = s;
    return 0;
}

void rn_stream_free(struct rn_stream *s)
{
    if (!s)
        return;
    if (s->gzip)
        inflateEnd(&s->z);
    close(s->fd);
    rn_free(s->path);
    rn_free(s->buffer);
    rn_free(s);
}

/* Reads until `least` bytes are in the buffer or fd has ended. */
static int fill(struct rn_stream *s, size_t least)
{
    while (s->z.avail_in < least && !s->end) {
        memmove(s->buffer, s->z.next_in, s->z.avail_in);
        s->z.next_in = s->buffer;
        ssize_t got = read(s->fd, s->buffer + s->z.avail_in, BUFFER - s->z.avail_in);
        if (got > 0)
            s->z.avail_in += (uInt)got;
        else if (got == 0)
            s->end = true;
        else if (errno != EINTR)
            return rn_fail_errno("%s", s->path);
    }
    return 0;
}

static int begin(struct rn_stream *s)
{
    int status = fill(s, 2);
    if (status)
        return status;
    s->begun = true;
    if (rn_is_gzip(s->z.next_in, s->z.avail_in)) {
        if (inflateInit2(&s->z, 16 + MAX_WBITS) != Z_OK)
            return rn_fail(RN_EMEM, "%s: memory is short for inflating", s->path);
        s->gzip = s->in_member = true;
    }
    return 0;
}

static int copy_some(struct rn_stream *s, uint8_t *out, size_t n, size_t *got)
{
    int status = fill(s, 1);
    *got = s->z.avail_in < n ? s->z.avail_in : n;
    memcpy(out, s->z.next_in, *got);
    s->z.next_in += *got;
    s->z.avail_in -= (uInt)*got;
    return status;
}

/* Behind a member: another one begins, or the file ends. */
static int next_member(struct rn_stream *s)
{
    int status = fill(s, 2);
    if (status || !s->z.avail_in)
        return status;
    if (!rn_is_gzip(s->z.next_in, s->z.avail_in))
        return rn_fail(RN_EFORMAT, "%s: bytes behind the end of the gzip data", s->path);
    inflateReset(&s->z);
    s->in_member = true;
    return 0;
}

/* What inflate() said -> status. */
static int inflate_status(struct rn_stream *s, int z)
{
    switch (z) {
    case Z_STREAM_END:
        s->in_member = false;
        return 0;
    case Z_OK:
    case Z_BUF_ERROR: /* nothing to do without more input */
        return 0;
    case Z_MEM_ERROR:
        return rn_fail(RN_EMEM, "%s: memory is short for inflating", s->path);
    default:
        return rn_fail(RN_EFORMAT, "%s: damaged gzip data%s%s", s->path, s->z.msg ? ": " : "",
                       s->z.msg ? s->z.msg : "");
    }
}

static int inflate_some(struct rn_stream *s, uint8_t *out, size_t n, size_t *got)
{
    int status = 0;
    s->z.next_out = out;
    s->z.avail_out = n < UINT32_MAX ? (uInt)n : UINT32_MAX;
    for (*got = 0; !status && !*got;) {
        if (!s->in_member) {
            status = next_member(s);
            if (status || !s->in_member)
                return status;
        }
        status = fill(s, 1);
        if (!status && !s->z.avail_in)
            status = rn_fail(RN_EFORMAT, "%s: the gzip data are cut off", s->path);
        status = status ? status : inflate_status(s, inflate(&s->z, Z_NO_FLUSH));
        *got = (size_t)(s->z.next_out - out);
    }
    return status;
}

int rn_stream_some(struct rn_stream *s, void *out, size_t n, size_t *got)
{
    int status = s->begun ? 0 : begin(s);
    *got = 0;
    if (status || !n)
        return status;
    return s->gzip ? inflate_some(s, out, n, got) : copy_some(s, out, n, got);
}

int rn_stream_read(struct rn_stream *s, void *out, size_t n, size_t *got)
{
    size_t more = 1;
    int status = 0;
    for (*got = 0; !status && more && *got < n; *got += more)
        status = rn_stream_some(s, (uint8_t *)out + *got, n - *got, &more);
    return status;
}

bool rn_stream_ready(struct rn_stream *s, int ms)
{
    struct pollfd p = { .fd = s->fd, .events = POLLIN };
    return s->z.avail_in || s->end || poll(&p, 1, ms) != 0;
}
