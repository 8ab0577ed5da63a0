/*
 * The header of a NumPy array in a file: magic, version, length, and a Python dict of type, order
 * and shape (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
 */
#ifndef RN_WEIGHTS_NPY_H
#define RN_WEIGHTS_NPY_H

#include "rn.h"

enum { RN_NPY_HEADER_MAX = 256 + RN_RANK_MAX * 22 }; /* what rn_npy_write() needs at most */

/*
 * Reads the header at the begin of the n bytes of an array.
 *   t         in/out  name; dtype, shape and bytes are filled in
 *   fortran   out     the first axis is the innermost
 *   data      out     where the data begin, which must be t->bytes to the end
 *   path      in      for the sentence, which names t->name too
 * Returns 0 or RN_EFORMAT.
 */
int rn_npy_read(struct rn_tensor *t, bool *fortran, size_t *data, const uint8_t *bytes, size_t n,
                const char *path);

/* Writes the header of t, a multiple of 64 bytes. Returns its length, or 0 with rn_error() set:
 * NumPy has no such type. */
size_t rn_npy_write(char header[RN_NPY_HEADER_MAX], const struct rn_tensor *t);

#endif
