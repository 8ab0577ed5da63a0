/* Softmax and cross-entropy, in double. */
#ifndef RN_OPS_LOSS_H
#define RN_OPS_LOSS_H

/* log(sum over j of exp(v[j])) - v[label]: the cross-entropy of one row of logits. NaN gives NaN.
 */
double rn_cross_entropy(const float *v, int classes, int label);

/*
 * Loss and gradient of a batch, shared by the team. The target gives the label 1 - smoothing and
 * every class smoothing / classes (Szegedy et al. 2016; PyTorch's label_smoothing):
 *   t[n][j] = (j == label[n]) * (1 - smoothing) + smoothing / classes
 *   loss[n] = - sum over j of t[n][j] * log(softmax(logits[n])[j])
 *   dlogits[n][j] = (softmax(logits[n])[j] - t[n][j]) * scale
 *   logits   in   [N][classes]        label    in   [N], 0 .. classes - 1
 *   loss     out  [N]                 dlogits  out  [N][classes]
 */
void rn_cross_entropy_grad(const float *logits, const int *label, int N, int classes,
                           double smoothing, double scale, double *loss, float *dlogits, int thread,
                           int threads);

#endif
