/*
 * A spec string names a network: a row of the variant table, with overrides behind a colon
 * (resnet50:classes=37). Parsing, canonical printing and errors live here; the keys are one table.
 */
#ifndef RN_MODEL_SPEC_H
#define RN_MODEL_SPEC_H

#include <stdbool.h>
#include <stddef.h>

#include "rn.h"

enum { RN_STAGES_MAX = 8 };

enum rn_block_kind { /* one function each in blocks.c */
                     RN_BLOCK_BASIC,
                     RN_BLOCK_BOTTLENECK,
                     RN_BLOCK_PREACT,
                     RN_BLOCK_PREACT_BOTTLENECK,
                     RN_BLOCK_REGNET,
                     RN_BLOCK_FAST,
                     RN_BLOCK_POOLED,
                     RN_BLOCK_INCEPTION,
                     RN_BLOCK_INCEPTION_BN,
                     RN_BLOCK_SHIFT
};
enum rn_stem_kind { RN_STEM_7X7, RN_STEM_3X3, RN_STEM_3X3_S2, RN_STEM_DEEP };
enum rn_shortcut_kind { /* 1x1 convolution and batch norm, 1x1 alone; option A of He et al. 2015, new
                           channels on both sides or at the end; average pool before the first */
                        RN_SHORTCUT_CONV_BN,
                        RN_SHORTCUT_CONV,
                        RN_SHORTCUT_PAD,
                        RN_SHORTCUT_PAD_END,
                        RN_SHORTCUT_AVG
};
enum rn_stride_at { RN_STRIDE_AT_3X3, RN_STRIDE_AT_1X1 };
enum rn_padding { RN_PADDING_TORCH, RN_PADDING_SAME };
enum rn_pool_kind { RN_POOL_AVG, RN_POOL_MAX };
enum rn_norm { RN_NORM_BATCH, RN_NORM_NONE };

struct rn_stage {
    int blocks, channels; /* channels out of each block: 4x256 */
};

/* Everything that decides a network's nodes. All members but the first two are settable by keys. */
struct rn_spec {
    const struct rn_variant *variant;
    bool single; /* one block alone: without stem, stages and head */
    int in;      /* input channels */
    int out, stride;
    bool proj; /* of a single block: channels out (0: as in), stride, 1x1 on the shortcut anyway */
    int classes;
    int block, stem, shortcut; /* the enums above */
    int stride_at;             /* bottleneck: enum rn_stride_at */
    int first_stride;          /* of stage 1 */
    int stem_width;            /* channels out of the stem */
    int stages;
    struct rn_stage stage[RN_STAGES_MAX];
    int groups, base_width, group_width; /* bottleneck: see blocks.c */
    float bot_mul;                       /* bottleneck: its channels / channels out; 0: not given */
    float se;                            /* squeeze-and-excitation: ratio; 0: none */
    bool plain;                          /* no shortcuts */
    int pool, padding, norm;             /* the enums above */
    bool bias;                           /* biased convolutions */
    float bn_eps, bn_momentum;           /* of batch norm; momentum: the weight of the new */
    bool bn_biased;                      /* running variance is the biased one */
};

/* What the networks of one family share. */
struct rn_family {
    struct rn_spec spec; /* without variant and stages */
    int H, W;            /* default input */
    enum rn_init init;   /* of the authors */
};

/* One row of the table of networks. */
struct rn_variant {
    const char *name;
    const struct rn_family *family;
    const char *keys; /* KEY=VALUE,... on top of the family */
};

extern const struct rn_variant rn_variants[]; /* ended by a NULL name */

/* Returns 0, or RN_EUSAGE: which name or key, what it takes, the nearest match. */
int rn_spec_parse(struct rn_spec *s, const char *text);

/* Does the text set this key itself, so that data must not override it? */
bool rn_spec_sets(const char *text, const char *key);

/* The canonical string: the row and the keys that differ from it, in the table's order. Returns 0
 * or RN_EUSAGE (too long). */
int rn_spec_print(const struct rn_spec *s, char *text, size_t size);

/* Builds the network's nodes for an input of H x W into g, which is initialised here. Returns 0,
 * RN_EUSAGE or RN_EMEM. */
struct rn_graph;
int rn_spec_build(const struct rn_spec *s, int H, int W, struct rn_graph *g);

#endif
