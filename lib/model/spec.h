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

enum rn_block_kind { RN_BLOCK_BASIC, RN_BLOCK_BOTTLENECK };
enum rn_stem_kind { RN_STEM_7X7, RN_STEM_3X3 };
enum rn_shortcut_kind { /* 1x1 convolution and batch norm, 1x1 alone, option A of He et al. 2015 */
                        RN_SHORTCUT_CONV_BN,
                        RN_SHORTCUT_CONV,
                        RN_SHORTCUT_PAD
};

struct rn_stage {
    int blocks, channels; /* channels out of each block: 4x256 */
};

/* Everything that decides a network's nodes. All members are settable by keys. */
struct rn_spec {
    const struct rn_variant *variant;
    int in; /* input channels */
    int classes;
    int block, stem, shortcut; /* the enums above */
    int stem_width;            /* channels out of the stem */
    int stages;
    struct rn_stage stage[RN_STAGES_MAX];
    int groups, base_width, group_width; /* bottleneck: see blocks.c */
    bool bias;                           /* biased convolutions */
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
