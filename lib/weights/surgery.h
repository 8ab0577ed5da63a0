/* Changes to a model's graph and weights that leave its function as it was, or say how they change
 * it. */
#ifndef RN_WEIGHTS_SURGERY_H
#define RN_WEIGHTS_SURGERY_H

#include "model/model.h"

/*
 * Folds the batch norm `bn` behind the convolution (or linear layer) `conv` into weights and bias
 * of their own, for inference: w'[k][...] = w[k][...] * gamma[k] / sqrt(var[k] + eps),  b'[k] =
 * (b[k] - mean[k]) * gamma[k] / sqrt(var[k] + eps) + beta[k] computed in double, rounded once. bn
 * may be NULL: copies. w     out  [K][C/G][R][S]        bias  out  [K]
 */
void rn_fold(const struct rn_model *m, const struct rn_node *conv, const struct rn_node *bn,
             float *w, float *bias);

/* Scale and shift of a batch norm alone: scale[c] = gamma / sqrt(var + eps), shift[c] = beta - mean
 * * scale; in double. */
void rn_fold_affine(const struct rn_model *m, const struct rn_node *bn, float *scale, float *shift);

/* Gives m, which was made of `from`, its preprocessing, labels, and a provenance that holds its spec
 * and provenance. Returns 0 or RN_EMEM. */
int rn_model_inherit(struct rn_model *m, const struct rn_model *from);

#endif
