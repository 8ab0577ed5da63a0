/*
 * The members of a tar archive, one behind the other, as its bytes come: ustar, pax (POSIX.1-2001)
 * and GNU's long names, plain or gzip, several archives in a row. Memory is that of one member.
 */
#ifndef RN_DATA_TAR_H
#define RN_DATA_TAR_H

#include "data/item.h"
#include "data/stream.h"
#include "data/tar_header.h"

/* What a member is that has been found. Hidden ones and what is none of these are passed over. */
enum rn_tar_found {
    RN_TAR_NOTHING, /* yet */
    RN_TAR_PICTURE, /* data are its bytes */
    RN_TAR_SPARSE,  /* a file that is stored with holes: its bytes are not read */
    RN_TAR_CLASS    /* KEY.cls, where they are wanted: data are its bytes, the first 16 at least */
};

struct rn_tar {
    const char *path; /* of the archive, for messages; the caller's */
    struct rn_stream *stream;
    bool classes; /* KEY.cls are wanted */
    bool ended;
    enum rn_tar_found found;
    struct rn_item item; /* the data of the member */
    uint64_t at;         /* bytes of the archive (inflated) read so far, */
    uint64_t begin;      /* where the member's data begin */
    long passed_over;    /* members that are no pictures, so far */

    /* how far the reading of a member is */
    uint8_t block[RN_TAR_BLOCK]; /* its header; what is skipped */
    size_t have;                 /* bytes of it */
    char type;                   /* of the member; 0: its header is being read */
    bool holes;                  /* a block about its holes comes next */
    uint64_t left, skip;         /* bytes to read into the data; then to throw away */
    struct rn_tar_header header;
    char *long_name; /* by an extension; NULL: the header's */
    uint64_t size;   /* by an extension; UINT64_MAX: the header's */
    bool sparse;     /* by an extension */
};

/* Takes over fd. The rest as rn_stream_new(). */
int rn_tar_init(struct rn_tar *t, const char *path, int fd, const uint8_t *head, size_t n);
void rn_tar_release(struct rn_tar *t); /* accepts a zeroed struct */

/* Reads until a member is found or the archive has ended. Returns 0, RN_EIO, RN_EFORMAT (damaged,
 * cut off) or RN_EMEM; an error comes again. */
int rn_tar_next(struct rn_tar *t);
/* Reads as far as that goes without waiting longer than `ms` milliseconds for more. Will
 * rn_tar_next() return at once? */
bool rn_tar_ready(struct rn_tar *t, int ms);

const char *rn_tar_name(const struct rn_tar *t); /* of the member found */
void rn_tar_pass(struct rn_tar *t);              /* what was found is done with */

#endif
