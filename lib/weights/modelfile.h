/*
 * A model as a weight file: tensors by torchvision's names, and the metadata that make the file
 * self-contained (rn.spec, rn.labels, rn.input, rn.mean, rn.std, rn.resize, rn.provenance; rn.hash
 * is the writer's). A checkpoint is the same with more tensors and keys.
 */
#ifndef RN_WEIGHTS_MODELFILE_H
#define RN_WEIGHTS_MODELFILE_H

#include "model/model.h"
#include "weights/format.h"

/* Gathers every parameter of m and the metadata that describe it; w is zeroed first. Returns 0,
 * RN_EMEM, or RN_EUSAGE (a class name is no UTF-8, which the file demands). */
int rn_gather_model(struct rn_weights *w, const struct rn_model *m);
/* The metadata alone, behind what w has. */
int rn_gather_description(struct rn_weights *w, const struct rn_model *m);
/* rn_gather() in parts. */
int rn_gather_tensor(struct rn_weights *w, const char *name, enum rn_dtype dtype, int rank,
                     const int dim[], const void *data);

/* Writes w as safetensors, whole or not at all. Returns 0, RN_EIO or RN_EMEM. */
int rn_gather_write(const struct rn_weights *w, const char *path);

/* The model that w's metadata describe, its parameters without values. */
int rn_model_described(struct rn_model **out, const struct rn_weights *w, const char *path);

/*
 * rn_model_from_weights() without a copy of the parameters: the model takes w->map over, and its values lie there
 * (in memory of their own where the file does not align them). Their data are not held against
 * rn.hash; what the model has no place for (optim.*, ema.*) is.
 */
int rn_model_borrow(struct rn_model **out, struct rn_weights *w, const char *path);

/* A shape for sentences, as 64x3x7x7, or "scalar". */
enum { RN_SHAPE_SIZE = RN_RANK_MAX * 21 + 1 }; /* 20 digits and an x each */
void rn_tensor_shape(char text[RN_SHAPE_SIZE], const struct rn_tensor *t);
void rn_param_shape(char text[RN_SHAPE_SIZE], const struct rn_param *p);

/* Is t, NULL where `path` has none, good for p? Floating-point types stand for each other. Returns 0
 * or RN_EFORMAT. */
int rn_param_match(const struct rn_param *p, const struct rn_tensor *t, const char *path);

/*
 * Copies the parameters of w into m by name, those of other floating-point types rounded to F32. A
 * parameter that w lacks or has in another shape is
 * RN_EFORMAT; where `new_head` is not NULL, a classifier of another size is left as it is and
 * *new_head set.
 */
int rn_model_fill(struct rn_model *m, const struct rn_weights *w, const char *path, bool *new_head);

#endif
