/* The headers of a tar archive: blocks of bytes -> what they say about a member. */
#ifndef RN_DATA_TAR_HEADER_H
#define RN_DATA_TAR_HEADER_H

#include <stdbool.h>
#include <stdint.h>

enum { RN_TAR_BLOCK = 512 };

struct rn_tar_header {
    char type;      /* '0': a file, ...; POSIX.1 and GNU's letters */
    bool holes;     /* of a sparse file: a block about its holes comes next */
    uint64_t size;  /* bytes of data behind it */
    char name[257]; /* prefix/name */
};

bool rn_tar_block_zero(const uint8_t *block);
/* Of a block about holes: another one follows. */
bool rn_tar_block_more_holes(const uint8_t *block);

/* False, and *h is as it was: the block is no header, its sum is wrong. */
bool rn_tar_header_read(struct rn_tar_header *h, const uint8_t *block);

#endif
