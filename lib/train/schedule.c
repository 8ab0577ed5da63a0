/* Warm-up, then constant, by milestones, by a cosine or along a line. */
#include "train/schedule.h"

#include <math.h>
#include <stddef.h>

const char *const rn_schedule_names[] = { "const", "step", "cosine", "linear", NULL };

double rn_schedule_lr(const struct rn_train_config *c, long step, long total, long epoch_steps)
{
    double warm = c->warmup_epochs * (double)epoch_steps, at = (double)step;
    double lr = c->lr, rest = fmax(1, (double)total - warm); /* steps behind the warm-up */

    if (at < warm)
        return lr * fmin(1, (at + 1) / warm);
    if (c->sched == RN_SCHED_STEP)
        for (int i = 0; i < c->milestones; i++)
            lr *= step / epoch_steps >= c->milestone[i] ? c->gamma : 1;
    if (c->sched == RN_SCHED_COSINE)
        lr *= (1 + cos(M_PI * (at - warm) / rest)) / 2;
    if (c->sched == RN_SCHED_LINEAR)
        lr *= 1 - (at - warm) / rest;
    return lr;
}
