/* The learning rate over time. */
#ifndef RN_TRAIN_SCHEDULE_H
#define RN_TRAIN_SCHEDULE_H

#include "rn.h"

/*
 * The rate of step `step` (from 0, over all epochs) of a run of `total` steps, `epoch_steps` each
 * epoch. The first W = warmup_epochs * epoch_steps steps warm up:
 *   lr * (step + 1) / W (Goyal et al. 2017)
 * and then
 *   const    lr
 *   step     lr * gamma^(milestones passed), a milestone being an epoch, counted from 0
 *   cosine   lr * (1 + cos(pi * (step - W) / (total - W))) / 2 (Loshchilov and Hutter 2017, without
 *            restarts)
 *   linear   lr * (total - step) / (total - W)
 */
double rn_schedule_lr(const struct rn_train_config *c, long step, long total, long epoch_steps);

#endif
