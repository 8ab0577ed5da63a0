/* PyTorch's checkpoints: the archive of today, and the pickles with data behind them from before
 * version 1.6. Between pth.c, which tells them apart, and a file for each. */
#ifndef RN_WEIGHTS_PTH_H
#define RN_WEIGHTS_PTH_H

#include "weights/format.h"

/* Each reads w->map. Returns 0, RN_EFORMAT or RN_EMEM. */
int rn_pth_read_zip(struct rn_weights *w, const char *path);
int rn_pth_read_legacy(struct rn_weights *w, const char *path);

int rn_pth_write(const struct rn_weights *w, struct rn_writer *out);

#endif
