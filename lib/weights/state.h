/* The state dict in what a checkpoint of PyTorch holds. */
#ifndef RN_WEIGHTS_STATE_H
#define RN_WEIGHTS_STATE_H

#include "weights/format.h"
#include "weights/pickle.h"

/*
 * Gathers the tensors of the state dict in `root`: the dict under the first of these keys that is
 * one with tensors, also one under another,
 *
 *     state_dict, model_state_dict, model, net, ema, model_ema, state_dict_ema
 *
 * else root itself. What is no tensor in it is stepped over; names stay as they are, with prefixes
 * such as `module.` and `_orig_mod.`. Data stay where storages have them unless their strides ask
 * for a copy. Returns 0, RN_EFORMAT or RN_EMEM.
 */
int rn_state_gather(struct rn_weights *w, const struct rn_value *root, const char *path);

#endif
