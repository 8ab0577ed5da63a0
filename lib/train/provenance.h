/*
 * Where a model comes from: a JSON object with the version, the resolved value of every option that
 * changes the arithmetic, the seed and a hash of the data's names, sizes and labels. Never paths,
 * threads, host or time: equal runs, equal files.
 */
#ifndef RN_TRAIN_PROVENANCE_H
#define RN_TRAIN_PROVENANCE_H

#include <stdint.h>

#include "model/model.h"

/*
 * The object for a run of c that trains m on data of hash `data`, starting from weights of hash
 * `weights` (0: random). Returns 0 with *json allocated (the caller frees with rn_free()), or
 * RN_EMEM.
 */
int rn_provenance_make(char **json, const struct rn_train_config *c, const struct rn_model *m,
                       uint64_t data, uint64_t weights);

/*
 * Are two of them the same settings? Returns 0; RN_EUSAGE naming the keys that differ and their
 * values in `theirs`, which came from `path`; theirs may be NULL.
 */
int rn_provenance_compare(const char *ours, const char *theirs, const char *path);

#endif
