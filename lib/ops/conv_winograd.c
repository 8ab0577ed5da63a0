/*
 * Convolution 3x3 of stride 1 by Winograd's F(m x m, 3x3) (Lavin and Gray 2016): for m = 4, 3, 2,
 * 36 multiplications for 16 outputs instead of 144, 25 for 9 instead of 81, 16 for 4 instead of 36.
 * A block of tiles of the input is transformed, (m + 2)^2 small matrix products follow, and the
 * outputs are transformed back with bias, residual and ReLU. Backward-data is the same with the
 * filters turned and transposed; backward-weights is in conv_winograd_weights.c. Threads share the
 * tiles, or where those are few the panels of output channels, or are a grid over both; the bits do
 * not depend on it.
 */
#include <string.h>

#include "base/mem.h"
#include "ops/team.h"
#include "ops/winograd.h"

enum {
    BLOCK_FLOATS = 180 * 1024, /* of the transformed input and output of a block: in L2 */
    BLOCK_TILES = 36,          /* at least, so that the filters are read seldom enough */
};

static bool fits4(const struct rn_conv *c, enum rn_pass pass)
{
    return rn_wino_m(c, pass) == 4;
}

static bool fits3(const struct rn_conv *c, enum rn_pass pass)
{
    return rn_wino_m(c, pass) == 3;
}

static bool fits2(const struct rn_conv *c, enum rn_pass pass)
{
    return rn_wino_m(c, pass) == 2;
}

/* ---- filters: the bias [panels][nr], then [elements][panels][C][nr] ---- */

static size_t packed(const struct rn_conv *c, enum rn_pass pass)
{
    struct rn_wino_view v = rn_wino_view(c, pass);
    return v.panels * c->k->igemm_nr * (1 + v.elements * (size_t)v.C) * sizeof(float);
}

/* One channel's filters of one panel as [9][nr], zeros past the last. */
static void gather(const struct rn_conv *c, enum rn_pass pass, const struct rn_wino_view *v,
                   size_t k0, size_t channel, const float *w, float *g)
{
    size_t nr = c->k->igemm_nr, left = (size_t)v->K - k0, columns = left < nr ? left : nr;
    bool forward = pass == RN_FORWARD;
    /* w is [s.K][s.C][9] */
    size_t step_k = forward ? 9 * (size_t)v->C : 9, step_c = forward ? 9 : 9 * (size_t)v->K;

    memset(g, 0, 9 * nr * sizeof *g);
    for (size_t k = 0; k < columns; k++) {
        const float *from = w + (k0 + k) * step_k + channel * step_c;
        for (size_t t = 0; t < 9; t++)
            g[t * nr + k] = from[forward ? t : 8 - t];
    }
}

static void pack(const struct rn_conv *c, enum rn_pass pass, const float *w, const float *bias,
                 void *to, int thread, int threads)
{
    struct rn_wino_view v = rn_wino_view(c, pass);
    size_t nr = c->k->igemm_nr, C = (size_t)v.C, columns = v.panels * nr;
    struct rn_range r = rn_share(v.panels * C, thread, threads);
    float *front = to, *u = front + columns, g[9 * RN_NR_MAX];

    for (size_t k = 0; k < columns && thread == 0; k++)
        front[k] = pass == RN_FORWARD && bias && k < (size_t)v.K ? bias[k] : 0;
    for (size_t i = r.first; i < r.last; i++) {
        gather(c, pass, &v, i / C * nr, i % C, w, g);
        v.k->filter(u + i * nr, v.panels * C * nr, g, nr);
    }
}

/* ---- running ---- */

/* What one thread works on: a block of tiles at a time, for some panels of output channels. */
struct job {
    const struct rn_conv *c;
    struct rn_wino_view v;
    const float *x, *u, *bias, *res;
    float *y;
    bool relu;
    size_t tiles; /* of the batch */
    struct rn_range panels;
    size_t k0, columns;   /* output channels of the panels */
    size_t block;         /* tiles that in and out have room for */
    size_t ld_in, ld_out; /* floats between the matrices */
    float *in, *out;      /* [elements][block][C], [elements][block][columns] */
    const float *zero;    /* [W][C] */
};

static size_t block_tiles(const struct rn_wino_view *v, size_t tiles)
{
    size_t block = BLOCK_FLOATS / (v->elements * (size_t)(v->C + v->K));
    block = block < BLOCK_TILES ? BLOCK_TILES : block;
    return block < tiles ? block : tiles;
}

static size_t transform_bytes(const struct rn_wino_view *v, size_t block, size_t channels)
{
    return rn_align((block * channels + RN_WINO_GAP) * v->elements * sizeof(float));
}

static size_t zero_bytes(const struct rn_wino_view *v)
{
    return rn_align((size_t)v->W * (size_t)v->C * sizeof(float));
}

/* Scratch of one thread: zeros, in, out. */
static size_t thread_bytes(const struct rn_wino_view *v, size_t block)
{
    return zero_bytes(v) + transform_bytes(v, block, (size_t)v->C) +
           transform_bytes(v, block, (size_t)v->K);
}

static size_t scratch(const struct rn_conv *c, enum rn_pass pass, int N, int threads)
{
    struct rn_wino_view v = rn_wino_view(c, pass);
    if (pass == RN_BACKWARD_WEIGHTS)
        return rn_wino_weights_scratch(c, N, threads);
    return (size_t)threads * thread_bytes(&v, block_tiles(&v, (size_t)N * v.rows * v.cols));
}

static void carve(struct job *j, char *base, size_t block)
{
    const struct rn_wino_view *v = &j->v;

    j->block = block;
    j->ld_in = block * (size_t)v->C + RN_WINO_GAP;
    j->zero = memset(base, 0, zero_bytes(v));
    j->in = (float *)(base + zero_bytes(v));
    j->out = (float *)(base + zero_bytes(v) + transform_bytes(v, block, (size_t)v->C));
}

/*
 * How many teams share the panels, while the threads of one share the tiles. A tile costs its
 * transform and five times that for each panel; to read a panel's filters costs 20 times that. So few
 * tiles (a single picture) are transformed by several threads, rather than that they wait for each
 * other.
 */
static size_t count_teams(const struct rn_wino_view *v, size_t tiles, size_t threads)
{
    size_t best = 1, least = SIZE_MAX;

    for (size_t b = 1; b <= threads && b <= v->panels; b++) {
        size_t panels = rn_divide_up(v->panels, b);
        size_t cost = rn_divide_up(tiles, threads / b) * (1 + 5 * panels) + 20 * panels;
        if (cost < least) {
            least = cost;
            best = b;
        }
    }
    return best;
}

static void set_panels(struct job *j, struct rn_range panels)
{
    size_t nr = j->c->k->igemm_nr, end = panels.last * nr, K = (size_t)j->v.K;

    j->panels = panels;
    j->k0 = panels.first * nr;
    j->columns = (end < K ? end : K) - j->k0;
    j->ld_out = j->block * j->columns + RN_WINO_GAP;
}

/* The inputs of a strip into places from `at` on. */
static void transform_input(const struct job *j, const struct rn_wino_strip *s, size_t at)
{
    const struct rn_wino_view *v = &j->v;
    const float *row[RN_WINO_EDGE];

    rn_wino_input_rows(v, s, j->x, j->zero, row);
    v->k->input(j->in + at * (size_t)v->C, j->ld_in, (size_t)v->C, row, s->q - v->left, v->W,
                s->tiles, (size_t)v->C);
}

/* The filters of a panel in matrix e. */
static const float *filters(const struct job *j, size_t e, size_t panel)
{
    return j->u + (e * j->v.panels + panel) * (size_t)j->v.C * j->c->k->igemm_nr;
}

/* out[e][t][k] = sum over c of in[e][t][c] * u[e][c][k], for `tiles` tiles and one e. next: the
 * filters that are read after those of e. */
static void multiply(const struct job *j, size_t e, size_t tiles, const float *next)
{
    const struct rn_kernels *k = j->c->k;
    size_t C = (size_t)j->v.C, nr = k->igemm_nr;
    const float *u = filters(j, e, j->panels.first);

    for (size_t at = 0; at < j->columns; at += nr, u += C * nr) {
        size_t left = j->columns - at;
        k->gemm(j->out + e * j->ld_out + at, j->columns, j->in + e * j->ld_in, C, u,
                left > nr ? u + C * nr : next, tiles, left < nr ? left : nr, C);
    }
}

/* The outputs of a strip from places from `at` on. */
static void transform_output(const struct job *j, const struct rn_wino_strip *s, size_t at)
{
    const struct rn_wino_view *v = &j->v;
    size_t to = rn_wino_output_at(v, s) + j->k0, K = (size_t)v->K;

    v->k->output(j->y + to, j->res ? j->res + to : NULL, (size_t)v->Q * K, K, (size_t)(v->P - s->p),
                 (size_t)(v->Q - s->q), j->out + at * j->columns, j->ld_out, j->columns,
                 j->bias + j->k0, s->tiles, j->columns, j->relu);
}

static void transform_inputs(const struct job *j, struct rn_range tiles)
{
    struct rn_wino_strip s;

    for (size_t t = tiles.first; t < tiles.last; t += s.tiles) {
        s = rn_wino_strip(&j->v, t, tiles.last - t);
        transform_input(j, &s, t - tiles.first);
    }
}

/* The outputs of tiles whose inputs are transformed. next: as in multiply(), after the last e. */
static void make_outputs(const struct job *j, struct rn_range tiles, const float *next)
{
    size_t last = j->v.elements - 1;
    struct rn_wino_strip s;

    for (size_t e = 0; e <= last; e++)
        multiply(j, e, tiles.last - tiles.first,
                 e < last ? filters(j, e + 1, j->panels.first) : next);
    for (size_t t = tiles.first; t < tiles.last; t += s.tiles) {
        s = rn_wino_strip(&j->v, t, tiles.last - t);
        transform_output(j, &s, t - tiles.first);
    }
}

/* Tiles for the panels that are set, shared by a team. */
static void share_tiles(const struct job *j, struct rn_todo *todo, const float *next, int thread,
                        int threads)
{
    struct rn_work w = rn_work_begin(todo, j->tiles, j->c->k->igemm_mr, j->block, thread, threads);
    struct rn_range tiles;

    while (rn_work_next(&w, &tiles)) {
        transform_inputs(j, tiles);
        make_outputs(j, tiles, w.more ? filters(j, 0, j->panels.first) : next);
    }
}

/* All tiles, which each thread transforms, with panels shared by a team. */
static void share_panels(struct job *j, struct rn_todo *todo, const float *next, int thread,
                         int threads)
{
    struct rn_range tiles, panels;

    for (size_t t = 0; t < j->tiles; t = tiles.last) {
        tiles = (struct rn_range){ t, j->tiles - t < j->block ? j->tiles : t + j->block };
        transform_inputs(j, tiles);
        struct rn_work w = rn_work_begin(todo, j->v.panels, 1, j->v.panels, thread, threads);
        const float *after = tiles.last < j->tiles ? filters(j, 0, w.own.first) : next;
        while (rn_work_next(&w, &panels)) {
            set_panels(j, panels);
            make_outputs(j, tiles, w.more ? filters(j, 0, panels.last) : after);
        }
    }
}

/* The threads in teams of `down`, the last one larger where that leaves some: each has its share of
 * the panels, and shares the tiles. Teams of one thread share the panels instead. */
static void share(struct job *j, const struct rn_conv_run *r, int thread, int threads)
{
    int teams = (int)count_teams(&j->v, j->tiles, (size_t)threads), down = threads / teams;
    int team = thread / down < teams ? thread / down : teams - 1, first = team * down;
    int last = team + 1 < teams ? first + down : threads;

    if (teams > 1 && down == 1) {
        share_panels(j, r->todo, r->next, thread, threads);
        return;
    }
    set_panels(j, rn_share(j->v.panels, team, teams));
    share_tiles(j, r->todo ? r->todo + first : NULL, r->next, thread - first, last - first);
}

static void run_outputs(const struct rn_conv *c, enum rn_pass pass, const struct rn_conv_run *r,
                        int thread, int threads)
{
    bool forward = pass == RN_FORWARD;
    struct job j = { .c = c, .v = rn_wino_view(c, pass), .bias = r->packed };

    j.tiles = (size_t)r->N * j.v.rows * j.v.cols;
    j.x = forward ? r->x : r->dy;
    j.y = forward ? r->y : r->dx;
    j.res = forward ? r->residual : r->add ? r->dx : NULL;
    j.relu = forward && r->relu;
    j.u = j.bias + j.v.panels * c->k->igemm_nr;
    size_t block = block_tiles(&j.v, j.tiles);
    carve(&j, (char *)r->scratch + (size_t)thread * thread_bytes(&j.v, block), block);
    share(&j, r, thread, threads);
}

static void run(const struct rn_conv *c, enum rn_pass pass, const struct rn_conv_run *r, int thread,
                int threads)
{
    if (pass == RN_BACKWARD_WEIGHTS)
        rn_wino_weights_run(c, r, thread, threads);
    else
        run_outputs(c, pass, r, thread, threads);
}

#define ALGO(m)                                                                                    \
    const struct rn_conv_algo rn_conv_winograd##m = { .name = "winograd " #m "x" #m,               \
                                                      .fits = fits##m,                             \
                                                      .packed = packed,                            \
                                                      .pack = pack,                                \
                                                      .scratch = scratch,                          \
                                                      .run = run };
ALGO(2)
ALGO(3)
ALGO(4)
