/* Softmax and cross-entropy about the largest logit, so that no exponential overflows. */
#include "ops/loss.h"

#include <math.h>

#include "ops/team.h"
#include "rn.h"

/* The largest value, NaN if there is one. */
static double largest(const float *v, int n)
{
    double max = v[0];
    for (int i = 1; i < n; i++)
        if (v[i] > max || isnan(v[i]))
            max = v[i];
    return max;
}

static double sum_exp(const float *v, int n, double max)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += exp(v[i] - max);
    return sum;
}

void rn_softmax(const float *logits, int classes, float *prob)
{
    double max = largest(logits, classes), sum = sum_exp(logits, classes, max);
    for (int i = 0; i < classes; i++)
        prob[i] = (float)(exp(logits[i] - max) / sum);
}

double rn_cross_entropy(const float *v, int classes, int label)
{
    double max = largest(v, classes);
    return log(sum_exp(v, classes, max)) + (max - v[label]);
}

static double mean(const float *v, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += v[i];
    return sum / n;
}

void rn_cross_entropy_grad(const float *logits, const int *label, int N, int classes,
                           double smoothing, double scale, double *loss, float *dlogits, int thread,
                           int threads)
{
    struct rn_range r = rn_share((size_t)N, thread, threads);
    double miss = smoothing / classes, hit = 1 - smoothing + miss;

    for (size_t i = r.first; i < r.last; i++) {
        const float *v = logits + i * (size_t)classes;
        float *d = dlogits + i * (size_t)classes;
        double max = largest(v, classes), sum = sum_exp(v, classes, max);
        loss[i] = log(sum) + (max - v[label[i]]);
        if (smoothing > 0) /* the mean cross-entropy over all classes joins in */
            loss[i] += smoothing * (v[label[i]] - mean(v, classes));
        for (int j = 0; j < classes; j++)
            d[j] = (float)((exp(v[j] - max) / sum - (j == label[i] ? hit : miss)) * scale);
    }
}
