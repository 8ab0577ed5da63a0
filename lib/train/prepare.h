/* What a training run works on, from its configuration: data sources and a model that fits them. */
#ifndef RN_TRAIN_PREPARE_H
#define RN_TRAIN_PREPARE_H

#include "data/source.h"
#include "model/model.h"

struct rn_job {
    struct rn_source *data, *val; /* val NULL: no validation */
    struct rn_model *model;       /* initialised, with labels, preprocessing and provenance */
};

/*
 * Opens the data, makes the model (random or from c->weights) and checks that all of it goes
 * together and that the output can be written. Returns 0 or a status whose sentence names the
 * option, file or class; the caller closes either way.
 */
int rn_job_open(struct rn_job *job, const struct rn_train_config *c,
                const struct rn_hooks *hooks);
void rn_job_close(struct rn_job *job);

#endif
