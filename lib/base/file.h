/* Files: mapped for reading, written whole or not at all. */
#ifndef RN_BASE_FILE_H
#define RN_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

/*
 * A file's bytes: mapped where it is a regular file, else (pipes; "-" is stdin) read to the end
 * into memory. What is written to them stays this process's own and never reaches the file.
 */
struct rn_map {
    const uint8_t *data; /* [size], not NULL even for an empty file */
    size_t size;         /* bytes */
    void *owned;         /* allocated (NULL when mapped) */
};

/* Returns 0, RN_EIO (the sentence names the path) or RN_EMEM. A directory is RN_EIO. */
int rn_map_open(struct rn_map *m, const char *path);
void rn_map_close(struct rn_map *m); /* accepts a zeroed struct */

/* Brings a part of a mapped file in at once, where page by page would take longer; a wish. */
void rn_map_want(const struct rn_map *m, const void *data, size_t bytes);

/*
 * Gives back the memory of the mapped pages that lie wholly in data .. data + bytes, a part of the
 * file that nobody has written to: read again, they come from the file again. Does nothing for
 * bytes outside the file, for files that are not mapped and where there is little to give back.
 */
void rn_map_drop(const struct rn_map *m, const void *data, size_t bytes);

/*
 * A file that appears whole or not at all: bytes go to PATH.tmp beside it, commit does fsync,
 * rename and fsync of the folder. PATH.tmp is locked while it is written: a second writer of the
 * same path fails, and one left behind by a killed process is taken over. An existing PATH keeps
 * its permissions, a symbolic link to a file stays one. "-" (stdout), devices and pipes are written
 * directly and committed by flushing.
 */
struct rn_writer;

int rn_writer_open(struct rn_writer **out, const char *path); /* Returns 0, RN_EIO or RN_EMEM */
int rn_writer_write(struct rn_writer *w, const void *data,
                    size_t n); /* Returns 0 or RN_EIO (full disk, ...) */
int rn_writer_commit(
    struct rn_writer *w); /* frees w, also on error, when nothing is left behind; 0 or RN_EIO */
void rn_writer_abort(struct rn_writer *w); /* frees w and removes PATH.tmp; accepts NULL */

#endif
