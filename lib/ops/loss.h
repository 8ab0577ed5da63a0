/* Softmax and cross-entropy, in double. */
#ifndef RN_OPS_LOSS_H
#define RN_OPS_LOSS_H

/* log(sum over j of exp(v[j])) - v[label]: the cross-entropy of one row of logits. NaN gives NaN.
 */
double rn_cross_entropy(const float *v, int classes, int label);

/*
 * Loss and gradient of a batch, shared by the team:
 *   loss[n] = cross-entropy of logits[n]
 *   dlogits[n][j] = (softmax(logits[n])[j] - (j == label[n])) * scale
 *   logits   in   [N][classes]        label    in   [N], 0 .. classes - 1
 *   loss     out  [N]                 dlogits  out  [N][classes]
 */
void rn_cross_entropy_grad(const float *logits, const int *label, int N, int classes, double scale,
                           double *loss, float *dlogits, int thread, int threads);

#endif
