/* What changes to a model's weights share, and batch norm folded into the convolution before it. */
#include "weights/surgery.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Parameters of a batch norm and of a convolution, in the order of their ops. */
enum { BN_WEIGHT, BN_BIAS, BN_MEAN, BN_VAR };
enum { CONV_WEIGHT, CONV_BIAS };

/* y = scale * x + shift, of channel c */
static void affine(const struct rn_model *m, const struct rn_node *bn, size_t c, double *scale,
                   double *shift)
{
    const float *gamma = rn_model_value(m, bn, BN_WEIGHT), *beta = rn_model_value(m, bn, BN_BIAS);
    const float *mean = rn_model_value(m, bn, BN_MEAN), *var = rn_model_value(m, bn, BN_VAR);
    *scale = gamma[c] / sqrt((double)var[c] + bn->as.bn.eps);
    *shift = beta[c] - mean[c] * *scale;
}

void rn_fold_affine(const struct rn_model *m, const struct rn_node *bn, float *scale, float *shift)
{
    for (int c = 0; c < bn->y.C; c++) {
        double a, b;
        affine(m, bn, c, &a, &b);
        scale[c] = (float)a;
        shift[c] = (float)b;
    }
}

void rn_fold(const struct rn_model *m, const struct rn_node *conv, const struct rn_node *bn,
             float *w, float *bias)
{
    const float *from = rn_model_value(m, conv, CONV_WEIGHT);
    const float *b = conv->params > CONV_BIAS ? rn_model_value(m, conv, CONV_BIAS) : NULL;
    size_t K = (size_t)conv->y.C;
    size_t n = rn_param_count(&m->graph.param[conv->param]) / K; /* C/G * R * S */
    for (size_t k = 0; k < K; k++) {
        double scale = 1, shift = 0;
        if (bn)
            affine(m, bn, k, &scale, &shift);
        for (size_t i = k * n; i < (k + 1) * n; i++)
            w[i] = (float)(from[i] * scale);
        bias[k] = (float)((b ? b[k] : 0) * scale + shift);
    }
}

int rn_model_inherit(struct rn_model *m, const struct rn_model *from)
{
    static const char wrap[] = "{\"from\":\"%s\",\"provenance\":%s}";
    const char *provenance = from->provenance ? from->provenance : "null";
    size_t size = sizeof wrap + strlen(from->text) + strlen(provenance);
    char *json = rn_alloc(size, 1);
    int status = json ? 0 : RN_EMEM;

    m->prep = from->prep;
    if (!status) {
        snprintf(json, size, wrap, from->text, provenance);
        status = rn_model_set_provenance(m, json);
    }
    rn_free(json);
    return status ? status : rn_model_set_labels(m, from->label);
}
