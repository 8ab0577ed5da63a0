/*
 * Zip archives (PKWARE's APPNOTE.TXT) as PyTorch and NumPy write them: members stored, or deflated,
 * one behind the other from the first byte, the directory behind the last, nothing else. What other
 * readers let pass is refused: holes, overlaps, comments, bytes behind the end, two members of one
 * name, a name that leaves the folder, a local header unlike the directory, encryption, a wrong CRC.
 */
#ifndef RN_WEIGHTS_ZIP_H
#define RN_WEIGHTS_ZIP_H

#include <sys/uio.h>

#include "base/file.h"
#include "rn.h"

enum { RN_ZIP_LOCAL = 30 }; /* bytes of a local header without name and extra fields */

struct rn_zip_member {
    const char *name;    /* UTF-8 without control characters, as all of the archive's */
    const uint8_t *data; /* [packed], in the archive */
    size_t packed, size; /* bytes in the archive, and unpacked */
    uint32_t crc;        /* of the unpacked bytes */
    bool deflated;       /* else packed == size */
};

struct rn_zip {
    struct rn_zip_member *member; /* [members], in the order of their data */
    const struct rn_zip_member **by_name;
    size_t members;
    char *names;
};

/*
 * Reads the directory of an archive of n bytes, which must stay where they are, and holds all
 * stored members against their CRCs; `path` is for the sentence. Returns 0, RN_EFORMAT or RN_EMEM,
 * and then there is nothing to release.
 */
int rn_zip_read(struct rn_zip *z, const uint8_t *data, size_t n, const char *path);
void rn_zip_release(struct rn_zip *z);

const struct rn_zip_member *rn_zip_find(const struct rn_zip *z, const char *name); /* or NULL */

/* May a member be named so? No folder but what is below the archive's, UTF-8, no character that
 * moves a cursor. */
bool rn_zip_name_good(const char *name);

/* Unpacks a deflated member into to[m->size]. Returns 0, RN_EFORMAT or RN_EMEM. */
int rn_zip_inflate(const struct rn_zip_member *m, uint8_t *to, const char *path);

/*
 * An archive on its way out: stored members whose data begin at multiples of 64 bytes. Equal calls
 * give equal bytes: there is no time in it. begin, then put for each member, then end, which writes
 * the directory unless `status` is an error already, gives back what was allocated and returns the
 * first error. put and end return 0, RN_EIO, RN_EMEM, or RN_EUSAGE for a name that is none for an
 * archive or is there twice.
 */
struct rn_zip_writer {
    struct rn_writer *out;
    uint64_t at;   /* bytes written */
    uint64_t wide; /* numbers from here on need zip64's fields; tests lower it */
    struct rn_zip_entry *entry;
    size_t entries, room;
};

void rn_zip_begin(struct rn_zip_writer *z, struct rn_writer *out);
int rn_zip_put(struct rn_zip_writer *z, const char *name, const struct iovec part[], int parts);
int rn_zip_end(struct rn_zip_writer *z, int status);

#endif
