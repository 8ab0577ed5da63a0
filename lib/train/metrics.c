/* How good a model is: its best guesses, its loss, counted over a data set through an inference
 * session. */
#include <math.h>

#include "base/err.h"
#include "base/mem.h"
#include "ops/loss.h"
#include "rn.h"

enum { TOP = 5 };

/* Is a ranked before b? Larger first, NaN last, ties by index. */
static bool before(const float *v, int a, int b)
{
    if (isnan(v[a]) || isnan(v[b]))
        return isnan(v[a]) == isnan(v[b]) ? a < b : !isnan(v[a]);
    return v[a] != v[b] ? v[a] > v[b] : a < b;
}

void rn_topk(const float *v, int n, int k, int *index)
{
    int have = 0;

    for (int i = 0; i < n; i++) {
        int at = have < k ? have++ : before(v, i, index[k - 1]) ? k - 1 : -1;
        if (at < 0)
            continue;
        for (; at > 0 && before(v, i, index[at - 1]); at--)
            index[at] = index[at - 1];
        index[at] = i;
    }
}

static void count(struct rn_metrics *m, const float *logits, int classes, int label)
{
    int top[TOP], k = classes < TOP ? classes : TOP;

    rn_topk(logits, classes, k, top);
    m->n++;
    m->top1 += top[0] == label;
    for (int i = 0; i < k; i++)
        m->top5 += top[i] == label;
    m->loss += rn_cross_entropy(logits, classes, label);
}

/* A broken picture is a wrong answer without a loss. */
static void count_broken(struct rn_metrics *m, const struct rn_hooks *hooks, const char *error)
{
    m->n++;
    m->broken++;
    if (hooks && hooks->warn)
        hooks->warn(hooks->arg, error);
}

static int count_batch(struct rn_session *s, const struct rn_batch *b, int classes, float *logits,
                       const struct rn_hooks *hooks, struct rn_metrics *m)
{
    rn_session_run(s, b->x, b->n, logits);
    for (int i = 0; i < b->n; i++) {
        if (b->label[i] < 0 || b->label[i] >= classes)
            return rn_fail(RN_EUSAGE, "%s: has no label among the model's %d classes", b->name[i],
                           classes);
        if (b->error[i])
            count_broken(m, hooks, b->error[i]);
        else
            count(m, logits + (size_t)i * (size_t)classes, classes, b->label[i]);
    }
    return 0;
}

int rn_evaluate(struct rn_session *s, struct rn_loader *l, int classes,
                const struct rn_hooks *hooks, struct rn_metrics *out)
{
    struct rn_batch b;
    float *logits = NULL;
    size_t room = 0;
    int status;

    *out = (struct rn_metrics){ 0 };
    while (!(status = rn_loader_next(l, &b)) && b.n) {
        if (hooks && hooks->stop && *hooks->stop) {
            status = rn_fail(RN_ESTOP, "stopped by a signal");
            break;
        }
        if ((size_t)b.n > room) {
            room = (size_t)b.n;
            rn_free(logits);
            if (!(logits = rn_alloc(room, (size_t)classes * sizeof *logits)))
                return RN_EMEM;
        }
        if ((status = count_batch(s, &b, classes, logits, hooks, out)))
            break;
    }
    rn_free(logits);
    return status;
}
