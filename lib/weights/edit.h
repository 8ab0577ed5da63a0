/* Weights made anew from themselves: what the surgeries share. */
#ifndef RN_WEIGHTS_EDIT_H
#define RN_WEIGHTS_EDIT_H

#include "model/model.h"
#include "weights/format.h"

/*
 * begin: the memory that w's data lie in goes over to `next`, which is to be gathered; w's own lists
 * stay readable. end: w becomes `next`, also on failure, after which it can only be closed. Returns
 * `status`.
 */
void rn_edit_begin(struct rn_weights *next, struct rn_weights *w);
int rn_edit_end(struct rn_weights *w, struct rn_weights *next, int status);

/* Appends t as `name` in another type, its data in memory of their own where the type differs. */
int rn_edit_cast(struct rn_weights *next, const struct rn_tensor *t, const char *name,
                 enum rn_dtype type);

/* A block that `next` frees, or NULL. */
void *rn_edit_block(struct rn_weights *next, size_t bytes);

/* Appends w's metadata: those of a model (rn.*), or the others. */
int rn_edit_meta(struct rn_weights *next, const struct rn_weights *w, bool ours);

/* Drops a key, where it is there. */
void rn_edit_drop(struct rn_weights *next, const char *key);

/* Appends parameter i of m with its data. */
int rn_edit_param(struct rn_weights *next, const struct rn_model *m, int i, const void *data);

/* Points m's values at w's data, or at copies in memory of `next` where they are of another type or
 * not aligned. */
int rn_edit_values(struct rn_model *m, struct rn_weights *next, const struct rn_weights *w,
                   const char *path);

/* The model that w describes, without parameters' values: an error where w is no model of ours. */
int rn_edit_model(struct rn_model **out, const struct rn_weights *w, const char *path);

#endif
