/*
 * The graph: a flat list of nodes in the order they run, from which everything else is derived.
 * Node 0 is the input. A node reads one or two earlier nodes and gives one tensor.
 */
#ifndef RN_GRAPH_GRAPH_H
#define RN_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "graph/op.h"
#include "graph/tensor.h"
#include "rn.h"

enum { RN_NAME_MAX = 96 };

/* Where a window looks: filter R x S, stride, zeros around the input; the four paddings may differ.
 */
struct rn_window {
    int R, S, stride_h, stride_w;
    int top, left, bottom, right;
};

/* A window of size x size with the same stride and padding on all sides. */
static inline struct rn_window rn_window_square(int size, int stride, int pad)
{
    return (struct rn_window){ size, size, stride, stride, pad, pad, pad, pad };
}

/* One parameter of a node, by the name it has in files. */
struct rn_param {
    char name[RN_NAME_MAX]; /* layer1.0.conv1.weight */
    enum rn_dtype dtype;    /* RN_F32, or RN_I64 for num_batches_tracked */
    int rank;
    int dim[4];
    int node;
    bool trained; /* by SGD; else a running statistic */
};

struct rn_node {
    const struct rn_op *op;
    char name[RN_NAME_MAX]; /* layer1.0.conv1 */
    int inputs;             /* 1 or 2; 0 for node 0 */
    int in[2];
    int stage;      /* index into rn_graph.stage */
    char block[32]; /* layer1.0, or "" */
    union {         /* what the op is told */
        struct {
            int K, G;
            bool bias;
            struct rn_window win;
        } conv;
        struct {
            int K;
        } linear;
        struct {
            float eps, momentum;
            bool biased; /* running variance: not Bessel's, as Keras keeps it */
        } bn;
        struct {
            struct rn_window win;
        } pool;
        struct {
            int before, after, stride;
        } pad; /* zero channels before and after; every stride-th pixel */
    } as;
    struct rn_shape x; /* of in[0] */
    struct rn_shape y; /* what it gives */
    int field, jump;   /* rows of the picture: seen by an output pixel, between two of them */
    int param, params; /* its parameters in rn_graph.param */
    uint64_t macs;     /* of one picture */
};

struct rn_graph {
    struct rn_node *node;
    int nodes;
    size_t node_room;
    struct rn_param *param;
    int params;
    size_t param_room;
    char stage[10][24]; /* stem, stage 1, ..., head */
    int stages;
    char block[32]; /* of the nodes added from now on */
    int status;     /* first error while nodes were added: builders look once, at the end */
};

int rn_graph_init(struct rn_graph *g, struct rn_shape input);
void rn_graph_release(struct rn_graph *g);

/* The nodes added from here on belong to this stage (a new one) or block. */
void rn_graph_stage(struct rn_graph *g, const char *name);
void rn_graph_block(struct rn_graph *g, const char *name);

/*
 * Adds a node: `node` has op, name, in, inputs and attributes; shape, parameters and MACs are
 * inferred here. Returns its index, or -1 with g->status set; a node that reads -1 gives -1, so
 * builders need no check of their own.
 */
int rn_graph_add(struct rn_graph *g, const struct rn_node *node);

/* Adds a parameter to the node being added: called by rn_op.params(). dim[] has `rank` entries. */
void rn_graph_param(struct rn_graph *g, const char *node, const char *suffix, enum rn_dtype dtype,
                    bool trained, int rank, const int dim[]);

int rn_graph_find(const struct rn_graph *g, const char *param); /* index of a parameter, or -1 */
size_t rn_param_count(const struct rn_param *p);                /* elements */

#endif
