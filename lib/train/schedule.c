/* Warm-up, then constant, by milestones, or cosine. */
#include "train/schedule.h"

#include <math.h>
#include <stddef.h>

const char *const rn_schedule_names[] = { "const", "step", "cosine", NULL };

double rn_schedule_lr(const struct rn_train_config *c, long step, long total, long epoch_steps)
{
    double warm = c->warmup_epochs * (double)epoch_steps, at = (double)step;
    double lr = c->lr;

    if (at < warm)
        return lr * fmin(1, (at + 1) / warm);
    if (c->sched == RN_SCHED_STEP)
        for (int i = 0; i < c->milestones; i++)
            lr *= step / epoch_steps >= c->milestone[i] ? c->gamma : 1;
    if (c->sched == RN_SCHED_COSINE)
        lr *= (1 + cos(M_PI * (at - warm) / fmax(1, (double)total - warm))) / 2;
    return lr;
}
