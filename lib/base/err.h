/*
 * Errors of the library: a status code is returned, one sentence about it is kept for the calling
 * thread. The sentence names the file and the place, has no newline and no final full stop; only
 * the tools print it.
 */
#ifndef RN_BASE_ERR_H
#define RN_BASE_ERR_H

#include "rn.h"

enum { RN_ERROR_SIZE = 8192 }; /* bytes of a sentence with its final NUL: room for long paths */

/* Stores the sentence and returns `status`, so that a caller writes `return rn_fail(RN_EFORMAT,
 * "%s: ...", path);`. */
int rn_fail(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same, with ": " and the text of errno behind the sentence. Returns RN_EIO, or RN_EMEM where
 * errno is ENOMEM. */
int rn_fail_errno(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
