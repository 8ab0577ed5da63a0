/* A model compiled for inference: units with their weights folded and packed, every buffer placed
 * in one arena. */
#ifndef RN_INFER_SESSION_H
#define RN_INFER_SESSION_H

#include "base/mem.h"
#include "graph/fuse.h"
#include "model/model.h"
#include "ops/conv.h"
#include "ops/team.h"
#include "weights/format.h"

/* One unit, ready to run: its call and where its memory lies in the arena. */
struct rn_step {
    const struct rn_op *op;
    struct rn_call call; /* without what changes from run to run: N, x, residual, y, scratch */
    struct rn_conv conv;
    size_t packed; /* offset of folded and packed weights */
    bool near;     /* the output lies among the near ones, */
    size_t y;      /* at this offset, for one picture, */
    size_t bytes;  /* and has so many bytes a picture */
};

static inline bool rn_step_has_conv(const struct rn_step *s)
{
    return s->op == &rn_op_conv || s->op == &rn_op_linear;
}

/*
 * A batch goes through the network in slices, whose outputs bound the memory. Either the team works
 * on a slice together, or, when each thread gets pictures enough to be worth reading the weights by
 * itself, each takes slices of its share and then of others' and waits for nobody. The first units of
 * most networks have much to read and write and few weights: they run through a slice by a few
 * pictures at a time, so that their outputs, the near ones, stay in the cache.
 */
struct rn_session {
    int batch, threads, classes;
    size_t pixels;         /* floats of a picture */
    struct rn_graph graph; /* its own, so that the model may go */
    struct rn_units units;
    struct rn_step *step;     /* [units.units] */
    int cut;                  /* units that run by a few pictures at a time */
    int alone;                /* pictures for each thread from which on it works alone */
    int room, near_room;      /* pictures that the outputs have room for, the near ones */
    size_t bytes, near_bytes; /* of the outputs for one picture, of the near ones */
    size_t scratch;           /* offset of the scratch, shared by all steps, */
    size_t scratch_alone;     /* and bytes of it for a thread that works alone */
    size_t near, outputs;     /* offsets of the near outputs, of the others */
    size_t size;              /* of the arena */
    float *mirrored;          /* [batch][pixels]; NULL: pictures as they are alone */
    float *second;            /* [batch][classes], what the mirrored ones give */
    struct rn_arena arena;
    struct rn_todo *todo; /* [threads] */
    /* Told of each unit's output when it is there: for one picture on one thread. May be NULL. */
    void (*watch)(void *watcher, int unit, const float *y);
    void *watcher;
};

/* Plans a session without its arena: steps, offsets, bytes. Returns 0, RN_EUSAGE or RN_EMEM; the
 * caller frees either way. */
int rn_session_plan(struct rn_session *s, const struct rn_model *m, int batch, int threads);

/*
 * Folds and packs the model's weights into the arena and points the steps at it.
 *   w     in  NULL; or the file that m was borrowed from: every parameter is held against its
 *             digest, and its pages are dropped behind
 *   path  in  of w, for the message
 * Returns 0, RN_EMEM, or RN_EFORMAT naming the first damaged parameter of the network.
 */
int rn_session_load(struct rn_session *s, const struct rn_model *m, const struct rn_weights *w,
                    const char *path);

#endif
