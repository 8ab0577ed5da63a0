/*
 * One training step: forward, loss, backward, SGD. Activations are kept until backward has used
 * them, gradients live from their first writer to their unit's own backward; all of it lies in one
 * arena, placed before the first step.
 */
#ifndef RN_TRAIN_STEP_H
#define RN_TRAIN_STEP_H

#include "base/mem.h"
#include "graph/fuse.h"
#include "model/model.h"
#include "ops/conv.h"
#include "ops/team.h"

/* One op of a unit in training. */
struct rn_train_op {
    const struct rn_op *op; /* NULL: the unit lacks it */
    struct rn_call call;
    struct rn_conv conv; /* plan, for a convolution or linear layer */
};

/* A unit runs its main op, then what stands behind it: batch norm (with add and ReLU fused), or add
 * or ReLU alone. */
struct rn_train_unit {
    struct rn_train_op main, tail;
    char *work[2]; /* forward and backward: packed weights of the pass that runs, scratch behind */
};

struct rn_trainer {
    struct rn_model *model;
    int batch, threads;
    const struct rn_kernels *k;
    struct rn_units units;
    struct rn_train_unit *unit; /* [units.units] */
    float **grad;               /* [params]; NULL for what is not trained */
    float **velocity;           /* [params]; likewise */
    double *loss;               /* [batch] */
    double smoothing;           /* of the labels: see rn_cross_entropy_grad() */
    double *spent;              /* [RN_PHASES], seconds; NULL: nobody asks */
    double lap;                 /* rn_seconds() when the phase that runs began */
    double drop_rate;           /* of stochastic depth, see drop.h; 0: none */
    int drops;                  /* residual blocks that it may skip */
    float *keep;                /* [drops][batch]: a picture's factor of the block's branch */
    size_t bytes;               /* of the arena */
    struct rn_arena arena;
    struct rn_todo *todo; /* [threads] */
};

/* Op o's call for a pass, with the unit's work memory shared out to it: packed weights, scratch. */
struct rn_call rn_train_call(const struct rn_train_op *o, enum rn_pass pass, char *work);

/* How SGD moves the parameters. */
struct rn_sgd {
    double lr, momentum, weight_decay;
    bool nesterov;
    bool weights_only; /* decay moves no biases, and no scales and shifts of batch norm */
};

/*
 * Forward, loss and backward on n pictures, and SGD behind it unless sgd is NULL; the gradients
 * stay in t->grad. Returns the mean loss.
 */
double rn_trainer_run(struct rn_trainer *t, const float *x, const int *label, int n,
                      const struct rn_sgd *sgd);

#endif
