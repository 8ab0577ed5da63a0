/*
 * Nodes put into a graph one by one, by the spec's conventions (bias, padding, batch norm). Each
 * takes the node it reads and returns its own; a node that reads -1 gives -1, so that builders need
 * no check of their own.
 */
#ifndef RN_MODEL_BUILD_H
#define RN_MODEL_BUILD_H

#include "graph/graph.h"
#include "model/spec.h"

struct rn_build {
    struct rn_graph *g;
    const struct rn_spec *s;
    char prefix[64];  /* of names: "layer1.0", or "" */
    const char *part; /* and of a part of a block: "se.", or "" */
};

/* Where a block stands. */
struct rn_place {
    int x;        /* node it reads */
    int channels; /* out */
    int stride;
    bool first; /* of its stage */
};

int rn_put_conv(struct rn_build *b, int x, const char *name, int K, int size, int stride,
                int groups);
int rn_put_bn(struct rn_build *b, int x, const char *name);
int rn_put_relu(struct rn_build *b, int x, const char *name);
int rn_put_add(struct rn_build *b, int x, int y);
int rn_put_maxpool(struct rn_build *b, int x, const char *name, int size, int stride, int pad);
/* Average over stride x stride pixels, the rest of an odd size at the end by itself. */
int rn_put_average(struct rn_build *b, int x, const char *name, int stride);
/* Option A of He et al. 2015: every stride-th pixel; channels of zeros on both sides or at the end.
 */
int rn_put_pad(struct rn_build *b, int x, int channels, int stride, bool at_end);
/* The channels of x, behind them those of y. */
int rn_put_concat(struct rn_build *b, int x, int y, const char *name);
/* Channels looking one pixel away, by parts. */
int rn_put_shift(struct rn_build *b, int x);
/* Squeeze-and-excitation (Hu et al. 2018) with so many channels inside; part: "se.". */
int rn_put_se(struct rn_build *b, int x, const char *part, int squeezed);

/* One of the kinds, in a file of its own. */
int rn_put_inception(struct rn_build *b, const struct rn_place *p);

/* layer2.0: number i, from 0, of a stage, from 1. */
void rn_block_name(const struct rn_spec *s, int stage, int i, char *text, size_t size);

/* The block of the spec's kind; b->prefix is set. */
int rn_put_block(struct rn_build *b, const struct rn_place *p);

/* Do blocks of this kind begin with batch norm, so that stem and head have to take part? */
bool rn_block_preact(const struct rn_spec *s);

#endif
