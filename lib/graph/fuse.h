/*
 * Nodes grouped into units {main op, batch norm, add, ReLU}, the steps that inference and training
 * both run. A unit computes y = relu(bn(main(x)) + residual), any part may be missing. Units are in
 * the order they run.
 */
#ifndef RN_GRAPH_FUSE_H
#define RN_GRAPH_FUSE_H

#include "graph/graph.h"

struct rn_unit {
    int main;     /* node: convolution, linear, pool, pad, gate, ...; -1 */
    int bn;       /* node, or -1 */
    int add;      /* node, or -1 */
    int relu;     /* node, or -1 */
    int out;      /* the last of them, whose tensor the unit gives */
    int in;       /* unit whose output main (else bn, add, relu) reads; -1: the network's input */
    int residual; /* the other unit that add, or a main of two inputs, reads; -1: none, or the
                     network's input when add >= 0 */
};

struct rn_units {
    struct rn_unit *unit;
    int units;
};

int rn_units_init(struct rn_units *u, const struct rn_graph *g); /* Returns 0 or RN_EMEM */
void rn_units_release(struct rn_units *u);

#endif
