/*
 * The memory of training, planned before anything is allocated. Time runs forward through the units
 * (steps 0 .. U-1) and back (U .. 2U-1); a buffer has a first and a last step, and those that are
 * never alive together share memory.
 */
#ifndef RN_TRAIN_PLAN_H
#define RN_TRAIN_PLAN_H

#include "train/step.h"

/*
 * Plans units, buffers and t->bytes for t->model, batch and threads. When t->arena has been
 * allocated with that many bytes, points every call at its memory. Returns 0 or RN_EMEM.
 */
int rn_train_plan(struct rn_trainer *t);

#endif
