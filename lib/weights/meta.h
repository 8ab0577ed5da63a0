/*
 * Metadata as a JSON object of strings: in the header of safetensors, in formats that have no place
 * for them as a member RN_META_NAME of the archive.
 */
#ifndef RN_WEIGHTS_META_H
#define RN_WEIGHTS_META_H

#include <jansson.h>

#include "weights/format.h"

#define RN_META_NAME "rn.metadata"

/* JSON without a key twice; `what` it is, for the sentence. Returns 0, RN_EFORMAT or RN_EMEM. */
int rn_json_parse(json_t **out, const char *text, size_t n, const char *what, const char *path);

/* Adds `value`, which it takes, NULL where memory was short. Returns 0, RN_EUSAGE (the key is
 * there) or RN_EMEM. */
int rn_json_add(json_t *object, const char *key, json_t *value);

/* Gathers the strings of an object, NULL: none. Returns 0, RN_EFORMAT or RN_EMEM. */
int rn_meta_read(struct rn_weights *w, json_t *object, const char *what, const char *path);

/* All of w's and rn.hash, in byte order of keys. Returns 0, RN_EUSAGE (text that is no UTF-8, a key
 * twice) or RN_EMEM. */
int rn_meta_object(json_t **out, const struct rn_weights *w);

/* The two as text. rn_meta_text()'s is the caller's, who frees it with free(). */
int rn_meta_parse(struct rn_weights *w, const char *text, size_t n, const char *path);
int rn_meta_text(const struct rn_weights *w, char **text); /* Returns 0, RN_EUSAGE or RN_EMEM */

#endif
