/* A model: the graph of a spec with the values of its parameters, its class names and how pictures
 * become its input. */
#ifndef RN_MODEL_MODEL_H
#define RN_MODEL_MODEL_H

#include "base/mem.h"
#include "graph/graph.h"
#include "model/spec.h"
#include "rn.h"

struct rn_model {
    struct rn_spec spec;
    char text[512]; /* canonical spec */
    struct rn_graph graph;
    struct rn_prep prep;
    char **label;     /* [classes], or NULL */
    char *provenance; /* JSON object, or NULL */
    struct rn_arena arena;
    void **value; /* [graph.params], row-major: float, or int64_t for RN_I64 */
};

/* Copies class names ([classes]; NULL drops them). Returns 0 or RN_EMEM. */
int rn_model_set_labels(struct rn_model *m, char *const *label);

/* Copies a JSON object. Returns 0 or RN_EMEM. */
int rn_model_set_provenance(struct rn_model *m, const char *json);

/* Value of node n's i-th parameter. */
void *rn_model_value(const struct rn_model *m, const struct rn_node *n, int i);

#endif
