/* The training log: a TSV table, a row an epoch, its first line the header. */
#ifndef RN_TRAIN_LOG_H
#define RN_TRAIN_LOG_H

#include <stdio.h>

#include "rn.h"

struct rn_log {
    FILE *file; /* NULL: no log is kept */
    bool owned;
    const char *path; /* for messages */
};

struct rn_log_row {
    int epoch;
    long step; /* over all epochs */
    double train_loss, lr, images_per_s, seconds;
    double data_wait; /* per cent of the epoch's training time that waited for data */
    bool validated;
    double val_loss, val_acc;
};

/*
 * Opens the log of c: a new table, or, when `resumed`, the old one without its rows past the first
 * `epochs` epochs and without a second header. Returns 0 or RN_EIO.
 */
int rn_log_open(struct rn_log *l, const struct rn_train_config *c, bool resumed, int epochs);
int rn_log_add(struct rn_log *l,
               const struct rn_log_row *r); /* and flushes; Returns 0 or RN_EIO (full disk) */
int rn_log_close(struct rn_log *l);         /* Returns 0 or RN_EIO */

#endif
