/*
 * A checkpoint: OUTPUT.ckpt, the model file with SGD's velocities (optim.momentum.NAME) and where
 * the run stands (rn.train.*). Any tool opens it as a model.
 */
#ifndef RN_TRAIN_CHECKPOINT_H
#define RN_TRAIN_CHECKPOINT_H

#include "train/step.h"

/* Where a run stands: everything that is not in the parameters and the settings. */
struct rn_position {
    int epoch;      /* from 0 */
    long batch;     /* batches of it that are done; all of them: its evaluation comes next */
    long step;      /* over all epochs */
    double loss;    /* sum over the epoch's pictures so far */
    long pictures;  /* of the epoch so far */
    double seconds; /* of the whole run so far */
    uint64_t val;   /* hash of the validation data; 0: there are none */
};

/* Writes model, velocities and position, whole or not at all. Returns 0, RN_EIO or RN_EMEM. */
int rn_checkpoint_write(const char *path, const struct rn_trainer *t, const struct rn_position *at);

/*
 * Reads them back into a trainer whose model carries the provenance of the run to go on with.
 * Returns 0; RN_EUSAGE when the checkpoint's settings differ (the sentence names them) or its
 * validation data are not those of at->val; RN_EFORMAT, RN_EIO, RN_EMEM.
 *   other_isa  out  the checkpoint's instruction set when it is not the one in force, else ""
 */
int rn_checkpoint_read(const char *path, struct rn_trainer *t, struct rn_position *at,
                       char other_isa[32]);

#endif
