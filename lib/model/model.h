/* A model: the graph of a spec with the values of its parameters, its class names and how pictures
 * become its input. */
#ifndef RN_MODEL_MODEL_H
#define RN_MODEL_MODEL_H

#include "base/file.h"
#include "base/mem.h"
#include "graph/graph.h"
#include "model/spec.h"
#include "rn.h"

struct rn_model {
    struct rn_spec spec;
    char text[512]; /* canonical spec */
    struct rn_graph graph;
    struct rn_prep prep;
    char **label;          /* [classes], or NULL */
    char *provenance;      /* JSON object, or NULL */
    struct rn_arena arena; /* holds the values, */
    struct rn_map map;     /* or the weight file does that was opened for a session */
    void **value;          /* [graph.params], row-major: float, or int64_t for RN_I64 */
};

/* rn_model_new() with value[] all NULL, for a reader that points them elsewhere. */
int rn_model_plan(struct rn_model **out, const char *spec, int C, int H, int W, int classes);

/* Memory for the values, zero. Returns 0 or RN_EMEM. */
int rn_model_allocate(struct rn_model *m);

size_t rn_param_bytes(const struct rn_param *p);

/* Copies class names ([classes]; NULL drops them). Returns 0 or RN_EMEM. */
int rn_model_set_labels(struct rn_model *m, char *const *label);

/* Copies a JSON object. Returns 0 or RN_EMEM. */
int rn_model_set_provenance(struct rn_model *m, const char *json);

/* Makes the branch that an add joins give zero, see rn_model_zero_residual(). Returns whether it ends
 * so that it can. */
bool rn_model_zero_branch(const struct rn_model *m, const struct rn_node *add);

/* Value of node n's i-th parameter. */
void *rn_model_value(const struct rn_model *m, const struct rn_node *n, int i);

#endif
