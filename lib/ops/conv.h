/*
 * struct rn_conv: the plan of one convolution, shared by inference and training. For each of the
 * three passes it names the algorithm, chosen by the layer's shape and use alone (never by batch or
 * threads, so that the bits stay the same), and knows how weights are packed for the kernels and
 * how much scratch the pass needs.
 */
#ifndef RN_OPS_CONV_H
#define RN_OPS_CONV_H

#include "base/mem.h"
#include "graph/graph.h"
#include "kernels/kernels.h"

enum { RN_PASSES = 3 };     /* enum rn_pass */
enum { RN_TAPS_MAX = 121 }; /* R * S: up to 11x11 */

struct rn_conv_shape {
    int H, W, C; /* input */
    int P, Q, K; /* output */
    int G;       /* groups */
    struct rn_window win;
};

struct rn_conv;
struct rn_todo;

/* One run of one pass over a batch; which fields are used depends on the pass. */
struct rn_conv_run {
    int N;
    const float *x;        /* [N][H][W][C]       forward, backward-weights */
    const void *packed;    /*                    forward, backward-data */
    const void *next;      /*                    forward: packed weights that are read next; NULL */
    const float *residual; /* [N][P][Q][K]       forward: added before the activation; NULL */
    bool relu;             /*                    forward */
    float *y;              /* [N][P][Q][K]       forward */
    const float *dy;       /* [N][P][Q][K]       backward */
    float *dx;             /* [N][H][W][C]       backward-data */
    bool add;              /*                    backward-data: dx += */
    float *dw;             /* [K][C/G][R][S]     backward-weights */
    float *dbias;          /* [K] or NULL        backward-weights */
    void *scratch;         /* rn_conv_scratch() bytes, shared by the team */
    struct rn_todo *todo;  /* by which threads take over work from each other; or NULL */
};

/* One way to compute a pass. run() is called by the whole team; it may use the team's barrier. */
struct rn_conv_algo {
    const char *name;
    bool (*fits)(const struct rn_conv *c, enum rn_pass pass);
    /* Bytes of the packed weights, and how they are made; never for backward-weights. */
    size_t (*packed)(const struct rn_conv *c, enum rn_pass pass);
    void (*pack)(const struct rn_conv *c, enum rn_pass pass, const float *w, const float *bias,
                 void *packed, int thread, int threads);
    size_t (*scratch)(const struct rn_conv *c, enum rn_pass pass, int N, int threads);
    void (*run)(const struct rn_conv *c, enum rn_pass pass, const struct rn_conv_run *r, int thread,
                int threads);
};

extern const struct rn_conv_algo rn_conv_winograd2; /* all passes: 3x3, stride 1; in inference */
extern const struct rn_conv_algo rn_conv_winograd3; /* only on maps that repay the longer filters */
extern const struct rn_conv_algo rn_conv_winograd4;
extern const struct rn_conv_algo rn_conv_grouped;   /* all passes: groups of 1, 2, 4, 8 or 16 */
extern const struct rn_conv_algo rn_conv_stem;      /* forward: few input channels */
extern const struct rn_conv_algo rn_conv_igemm;     /* forward, backward-data: fits everything */
extern const struct rn_conv_algo rn_conv_pointwise; /* backward-weights: 1x1 without padding */
extern const struct rn_conv_algo rn_conv_outer;     /* backward-weights: fits everything */

/*
 * Weights reach the core while it multiplies by those before them: n calls on a panel fetch the one
 * behind it, `step` floats for each channel. More calls have a smaller part each: the few that asked
 * for a line at each channel would wait for memory, and so for their own operands.
 */
static inline size_t rn_conv_fetch_step(size_t n, size_t nr)
{
    return n * RN_LINE / 4 >= nr ? RN_LINE / 4 : n * RN_LINE / 2 >= nr ? RN_LINE / 2 : RN_LINE;
}

/* Where call number i begins with the `next` panel of T*C rows; NULL when it has no part. */
static inline const float *rn_conv_fetch(const float *next, size_t i, size_t step, size_t nr,
                                         size_t TC)
{
    return next && i * step < nr ? next + i * step * TC : NULL;
}

/* Lines of a stretch of floats that are fetched during n calls: those of call i. */
static inline struct rn_fetch rn_conv_fetch_part(const float *from, size_t floats, size_t i,
                                                 size_t n)
{
    size_t lines = rn_divide_up(floats, RN_LINE), first = i * lines / n;
    return (struct rn_fetch){ from + first * RN_LINE, RN_LINE, (i + 1) * lines / n - first };
}

struct rn_conv {
    struct rn_conv_shape s;
    const struct rn_kernels *k;
    bool training;
    const struct rn_conv_algo *algo[RN_PASSES];
};

/* Plans node n (a convolution or linear layer) for the kernels of k. In training, which reads its
 * filters for a whole batch, an algorithm may have longer ones. */
void rn_conv_plan(struct rn_conv *c, const struct rn_node *n, const struct rn_kernels *k,
                  bool training);

/* The same three, for the algorithm that the plan has chosen. w is [K][C/G][R][S]; bias [K] or
 * NULL. */
size_t rn_conv_packed(const struct rn_conv *c, enum rn_pass pass);
size_t rn_conv_scratch(const struct rn_conv *c, enum rn_pass pass, int N, int threads);
void rn_conv_pack(const struct rn_conv *c, enum rn_pass pass, const float *w, const float *bias,
                  void *packed, int thread, int threads);
/* The second half of the op's backward(), for callers that pack its weights between: dx from dy,
 * whose first half has been through the activation. */
struct rn_call;
void rn_conv_backward_data(const struct rn_call *c, int thread, int threads);

/* What the algorithm of a pass, forward or backward-data, has its kernels do last: RN_RELU,
 * RN_STREAM. */
int rn_conv_end(const struct rn_conv *c, enum rn_pass pass, const struct rn_conv_run *r);

/* r->dbias[k] = sum of r->dy over all pixels; each thread has its channels. */
void rn_conv_bias_grad(const struct rn_conv *c, const struct rn_conv_run *r, int thread,
                       int threads);
void rn_conv_run(const struct rn_conv *c, enum rn_pass pass, const struct rn_conv_run *r,
                 int thread, int threads);

#endif
