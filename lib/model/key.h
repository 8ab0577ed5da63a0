/* The keys of a spec: one table of names, members and what they take. spec.c walks it. */
#ifndef RN_MODEL_KEY_H
#define RN_MODEL_KEY_H

#include "model/spec.h"

enum rn_key_kind { RN_KEY_INT, RN_KEY_REAL, RN_KEY_WORD, RN_KEY_BOOL, RN_KEY_STAGES };

struct rn_key {
    const char *name;
    enum rn_key_kind kind;
    size_t at;               /* offset in struct rn_spec */
    double min, max;         /* RN_KEY_INT, RN_KEY_REAL */
    const char *const *word; /* RN_KEY_WORD, _BOOL: names in the order of the enum, ended by NULL */
    enum { RN_KEY_ANY, RN_KEY_NETWORK, RN_KEY_SINGLE } of; /* what has it */
};

extern const struct rn_key rn_keys[]; /* ended by a NULL name, in the canonical order */

/*
 * Sets a member of s by the name of its key; value NULL stands for a key alone, which is yes.
 *   text  in  the whole spec, for the sentence
 * Returns 0 or RN_EUSAGE.
 */
int rn_key_set(struct rn_spec *s, const char *text, const char *name, const char *value);

bool rn_key_same(const struct rn_key *k, const struct rn_spec *a, const struct rn_spec *b);

/* Appends NAME=VALUE to text[size] behind `mark`. Returns false when it does not fit. */
bool rn_key_print(const struct rn_key *k, const struct rn_spec *s, char mark, char *text,
                  size_t size);

#endif
