/*
 * A convolution in narrow groups as its algorithm sees it: which inputs an output meets along each
 * axis, how rows are cut into vectors, blocks of vectors and bands of rows, and how filters are
 * packed.
 */
#ifndef RN_OPS_GROUPED_H
#define RN_OPS_GROUPED_H

#include "ops/conv.h"

/* The convolution as this pass sees it along one axis. */
struct rn_grouped_axis {
    int in, out, taps, pad, stride;
    bool back; /* from outputs of the network's convolution to its inputs */
};

/* What an output sees along an axis: input first + i meets tap at + i * by of the filter, i < n. */
struct rn_grouped_sight {
    int first, n, at, by;
};

struct rn_grouped_view {
    struct rn_grouped_axis h, w;
    size_t C, width;       /* C channels in and out, in groups of so many */
    size_t nr;             /* lanes */
    size_t vectors, block; /* a block of vectors is run at a time, */
    size_t band;           /* a band of output rows at a time: one vector, the rows, the next one */
    size_t depth;          /* rows of the input that a band sees, and of the ring */
    size_t left, columns;  /* pixels of a row of the ring: those of the padding on its left, all */
    bool weights;          /* dy's band is cut, too */
};

/* What output o of an axis sees. */
struct rn_grouped_sight rn_grouped_sight(const struct rn_grouped_axis *a, int o);

/* An axis has phases: outputs of one see the same taps, of inputs that are `reach` apart. */
static inline int rn_grouped_phases(const struct rn_grouped_axis *a)
{
    return a->back ? a->stride : 1;
}

static inline int rn_grouped_reach(const struct rn_grouped_axis *a)
{
    return a->back ? 1 : a->stride;
}

/* Floats of a row of the ring, of one vector. */
static inline size_t rn_grouped_line(const struct rn_grouped_view *v)
{
    return v->columns * v->nr;
}

/* Floats of a row of dy that is cut. */
static inline size_t rn_grouped_dy_line(const struct rn_grouped_view *v)
{
    return v->weights ? (size_t)v->w.out * v->nr : 0;
}

static inline size_t rn_grouped_filter(const struct rn_grouped_view *v)
{
    return (size_t)(v->h.taps * v->w.taps) * v->width * v->nr;
}

struct rn_grouped_view rn_grouped_view(const struct rn_conv *c, enum rn_pass pass);

/* Taps of an axis in the phases before this one: what lies before its own in the packed filters. */
int rn_grouped_taps_before(const struct rn_grouped_axis *a, int phase);

/* The algorithm's packed() and pack(): the bias [vectors][nr], then [vectors][T][width][nr]. */
size_t rn_grouped_packed(const struct rn_conv *c, enum rn_pass pass);
void rn_grouped_pack(const struct rn_conv *c, enum rn_pass pass, const float *w, const float *bias,
                     void *to, int thread, int threads);

#endif
