/*
 * rn.hash: XXH3 digests (64 bits, 16 lower-case hex digits each, one space between) of everything
 * in a weight file, in an order that no writer's choice changes. First that of the listing: for
 * each metadata key in byte order, rn.hash left out, key NUL value NUL; then for each tensor in
 * byte order of names, name NUL DTYPE NUL d0,d1,... NUL. Then one of each tensor's data, in the
 * same order.
 */
#ifndef RN_WEIGHTS_HASH_H
#define RN_WEIGHTS_HASH_H

#include "weights/format.h"

/* The hash of w as text, or NULL with rn_error() set. The caller frees with rn_free(). */
char *rn_hash_text(const struct rn_weights *w);

/*
 * Holds all of w, read from `path`, but its tensors' data against its rn.hash, and fills w->digest
 * for them. Files without any rn.* key are other programs' and pass. Returns 0, RN_EFORMAT or
 * RN_EMEM.
 */
int rn_hash_read(struct rn_weights *w, const char *path);

/* Are the data of tensor i what rn.hash says? Files without one pass. */
bool rn_hash_holds(const struct rn_weights *w, int i);

/* The error for a tensor that does not hold; RN_EFORMAT. */
int rn_hash_fail(const struct rn_weights *w, int i, const char *path);

/* Holds the data of every tensor. Returns 0, or RN_EFORMAT naming the first damaged one. */
int rn_hash_check(const struct rn_weights *w, const char *path);

#endif
