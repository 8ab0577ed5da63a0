/*
 * What the parts of rn-summary share: a network, its layers in groups that a row stands for, and a
 * function for each way to print them.
 */
#ifndef RN_CMD_SUMMARY_H
#define RN_CMD_SUMMARY_H

#include "rn.h"

enum depth { DEPTH_TOTAL, DEPTH_STAGE, DEPTH_BLOCK, DEPTH_LAYER };
enum style { STYLE_TABLE, STYLE_TORCH, STYLE_MXNET, STYLE_JAX, STYLE_TF };

/* One network, and the file it came from. */
struct subject {
    const char *name;          /* the operand */
    struct rn_model *model;    /* of the shape asked for */
    struct rn_model *original; /* as it stands in the file; NULL for a spec */
    int N;                     /* pictures */
    int depth;                 /* enum depth */
    int threads;               /* that memory is counted for */
};

/* Layers from..to, to excluded, that one row stands for. */
struct group {
    const char *name;
    int from, to;
    int N, H, W, C; /* output */
    bool flat;      /* [N][C] */
    uint64_t params, buffers, macs, bytes;
    int field; /* receptive field of an output pixel, in rows of the picture */
};

/* The group that begins with layer `from`; false behind the last. */
bool group_next(const struct subject *s, int from, struct group *g);
struct group group_total(const struct subject *s);
/* What it is made of, in the manner of He et al. 2015, table 1. The caller frees. */
char *group_describe(const struct subject *s, const struct group *g);

struct memory {
    size_t params, infer, train; /* bytes: of the model's values, and of the arenas beside it */
};
struct memory memory_of(const struct subject *s);

void put_header(int depth);
void put_table(const struct subject *s);
void put_total(const struct subject *s); /* --depth total: a row for each network */
void put_memory_header(void);
void put_memory(const struct subject *s);
void put_list(void); /* all networks and blocks */
void put_style(const struct subject *s, enum style style);
void put_json_object(const struct subject *s);
void put_dot(const struct subject *s);

#endif
