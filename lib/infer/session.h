/* A model compiled for inference: units with their weights folded and packed, every buffer placed
 * in one arena. */
#ifndef RN_INFER_SESSION_H
#define RN_INFER_SESSION_H

#include "base/mem.h"
#include "graph/fuse.h"
#include "model/model.h"
#include "ops/conv.h"

/* One unit, ready to run: its call and where its memory lies in the arena. */
struct rn_step {
    const struct rn_op *op;
    struct rn_call call;
    struct rn_conv conv;
    size_t packed; /* offset of folded and packed weights, */
    size_t y;      /* of the output */
};

struct rn_session {
    int batch, threads, classes;
    struct rn_graph graph; /* its own, so that the model may go */
    struct rn_units units;
    struct rn_step *step; /* [units.units] */
    size_t scratch;       /* offset of the scratch, shared by all steps */
    size_t bytes;         /* of the arena */
    struct rn_arena arena;
};

/* Plans a session without its arena: steps, offsets, bytes. Returns 0, RN_EUSAGE or RN_EMEM; the
 * caller frees either way. */
int rn_session_plan(struct rn_session *s, const struct rn_model *m, int batch, int threads);

/* Folds and packs the model's weights into the arena and points the steps at it. Returns 0 or
 * RN_EMEM. */
int rn_session_load(struct rn_session *s, const struct rn_model *m);

#endif
