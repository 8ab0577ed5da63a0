/* The bytes of a file or a pipe in order, inflated on the way when they are gzip (told by the
 * bytes). Constant memory. */
#ifndef RN_DATA_STREAM_H
#define RN_DATA_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rn_stream;

/* Are these the first bytes of gzip data? */
static inline bool rn_is_gzip(const uint8_t *head, size_t n)
{
    return n >= 2 && head[0] == 0x1f && head[1] == 0x8b;
}

/*
 * Takes over fd, also on error.
 *   path  for messages        head  [n] bytes that were read from fd before, n at most 512
 * Returns 0 or RN_EMEM.
 */
int rn_stream_new(struct rn_stream **out, const char *path, int fd, const uint8_t *head, size_t n);
void rn_stream_free(struct rn_stream *s);

/*
 * Some bytes, like read(2): *got is 1 to n of them, 0 at the end only. Returns 0, RN_EIO, RN_EMEM
 * or, where gzip data are damaged, cut off or followed by something else, RN_EFORMAT.
 */
int rn_stream_some(struct rn_stream *s, void *out, size_t n, size_t *got);

/* n bytes; *got is smaller at the end only. Returns as rn_stream_some(). */
int rn_stream_read(struct rn_stream *s, void *out, size_t n, size_t *got);

/* Will the next bytes (or the end) be there within `ms` milliseconds? */
bool rn_stream_ready(struct rn_stream *s, int ms);

#endif
