/*
 * What an op is: the meaning of one kind of node, implemented once in ops/ and run by infer/ and
 * train/ alike. forward() and backward() are called by every thread of a team with its number;
 * between ops the driver puts a barrier.
 */
#ifndef RN_GRAPH_OP_H
#define RN_GRAPH_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rn_conv;
struct rn_graph;
struct rn_kernels;
struct rn_node;
struct rn_shape;
struct rn_todo;

enum { RN_OP_PARAMS = 5 };

/* The tensors that backward may read beside the gradient. */
enum { RN_READS_X = 1, RN_READS_RESIDUAL = 2, RN_READS_Y = 4 };

/* Everything one op needs for one batch. What an op does not use is NULL. Activations are
 * [N][H][W][C]. */
struct rn_call {
    const struct rn_node *node;
    const struct rn_kernels *k;
    struct rn_conv *conv; /* the plan of a convolution or linear layer */
    int N;
    bool training; /* batch norm: statistics of the batch */
    const float *x;
    const float *residual; /* laid out like y, added before the activation; or an op's 2nd input */
    bool relu;             /* the activation behind, fused */
    const float *keep;     /* [N]: y = relu(keep[n] * op(x) + residual) in training; NULL: all 1 */
    float *y;
    void *saved;               /* op->saved(): written by forward, read by backward */
    void *scratch;             /* op->scratch(); shared by the team, 64-byte aligned */
    struct rn_todo *todo;      /* by which threads take over work from each other; or NULL */
    void *param[RN_OP_PARAMS]; /* values, in the order of op->params() */
    const void *packed;        /* weights as rn_conv_pack() laid them out for the pass */
    const void *next;          /* those of the call that follows, to be fetched ahead */
    /* backward */
    float *dy;   /* complete gradient of y; may be overwritten */
    float *dx;   /* NULL: not wanted */
    bool dx_add; /* add to dx instead of writing it */
    float *dres; /* gradient of residual */
    bool dres_add;
    float *dparam[RN_OP_PARAMS];
};

struct rn_op {
    const char *name; /* as rn-summary prints it: convolution, batch norm, ... */
    bool epilogue;    /* takes residual and relu */
    /* From node->x (and the shape of in[1], for two inputs) to node->y, node->macs. Returns 0, or
     * RN_EUSAGE naming the node. */
    int (*shape)(struct rn_node *node, const struct rn_shape *in);
    void (*params)(struct rn_graph *g, const struct rn_node *node);    /* adds them; may be NULL */
    void (*what)(const struct rn_node *node, char *text, size_t size); /* "3x3, 64, stride 2" */
    size_t (*saved)(const struct rn_node *node, int N);                /* bytes; may be NULL */
    size_t (*scratch)(const struct rn_node *node,
                      int N); /* bytes, forward and backward; may be NULL */
    /* Which of x, residual and y backward reads, with that epilogue; the memory of the others may be
     * another tensor's by then. NULL: none. */
    int (*reads)(bool residual, bool relu);
    void (*forward)(const struct rn_call *c, int thread, int threads);
    void (*backward)(const struct rn_call *c, int thread, int threads);
};

extern const struct rn_op rn_op_input, rn_op_conv, rn_op_bn, rn_op_relu, rn_op_add, rn_op_maxpool,
    rn_op_avgpool, rn_op_meanpool, rn_op_linear, rn_op_pad, rn_op_gate, rn_op_concat, rn_op_shift;

#endif
