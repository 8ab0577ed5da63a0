/*
 * Convolution as an indirect GEMM: no im2col, row pointers say which pixels a tap reads, taps in
 * the padding point to zeros (Dukhan 2019). Forward is one view of the input; backward-data is one
 * view of dy for each output phase of the stride (4 for stride 2), each with the subset of taps
 * that reach it, so that no zero is multiplied.
 */
#include <string.h>

#include "base/mem.h"
#include "ops/conv.h"
#include "ops/team.h"
#include "ops/transpose.h"

enum {
    POINTERS = 48 * 1024 / 8,  /* row pointers held for one block of tiles */
    BLOCK_FLOATS = 128 * 1024, /* source floats that a block of tiles reads: half of a common L2 */
    SMALL_MAP = 5,  /* up to here so many taps lie in the padding that they are left out */
    CHANNELS = 16,  /* packed together: the taps of so many share cache lines */
    BATCH_MIN = 4,  /* pictures that make tiles of one pixel, with the same taps in all */
    GROUPS_MIN = 8, /* for each thread, that make it worth sharing them */
};

/* How output pixels read a source map: output (p, q) of the view reads source row p * step_h +
 * dh[t] at tap t. */
struct view {
    int H, W, ld; /* source map, floats between its pixels */
    int C, K;     /* channels of one group: read, given */
    int P, Q;     /* output pixels of the view */
    int step_h, step_w;
    int out_H, out_W, out_ld;   /* output map, floats between its pixels */
    int out_h, out_w;           /* first output pixel, */
    int out_step_h, out_step_w; /* and the steps between them */
    int T;
    int dh[RN_TAPS_MAX], dw[RN_TAPS_MAX];
    int tap[RN_TAPS_MAX]; /* r * S + s */
};

static int views(const struct rn_conv *c, enum rn_pass pass)
{
    return pass == RN_FORWARD ? 1 : c->s.win.stride_h * c->s.win.stride_w;
}

static void forward_view(const struct rn_conv_shape *s, struct view *v)
{
    const struct rn_window *w = &s->win;
    *v = (struct view){ .H = s->H,
                        .W = s->W,
                        .ld = s->C,
                        .C = s->C / s->G,
                        .K = s->K / s->G,
                        .P = s->P,
                        .Q = s->Q,
                        .step_h = w->stride_h,
                        .step_w = w->stride_w,
                        .out_H = s->P,
                        .out_W = s->Q,
                        .out_ld = s->K,
                        .out_step_h = 1,
                        .out_step_w = 1 };
    for (int r = 0; r < w->R; r++)
        for (int q = 0; q < w->S; q++, v->T++) {
            v->dh[v->T] = r - w->top;
            v->dw[v->T] = q - w->left;
            v->tap[v->T] = v->T;
        }
}

/* The dx pixels with h % stride == phase_h and w % stride == phase_w, and the taps that reach them.
 */
static void phase_view(const struct rn_conv_shape *s, int phase, struct view *v)
{
    const struct rn_window *w = &s->win;
    int ph = phase / w->stride_w, pw = phase % w->stride_w;
    *v = (struct view){ .H = s->P,
                        .W = s->Q,
                        .ld = s->K,
                        .C = s->K / s->G,
                        .K = s->C / s->G,
                        .P = (s->H - ph + w->stride_h - 1) / w->stride_h,
                        .Q = (s->W - pw + w->stride_w - 1) / w->stride_w,
                        .step_h = 1,
                        .step_w = 1,
                        .out_H = s->H,
                        .out_W = s->W,
                        .out_ld = s->C,
                        .out_h = ph,
                        .out_w = pw,
                        .out_step_h = w->stride_h,
                        .out_step_w = w->stride_w };
    for (int r = 0; r < w->R; r++)
        for (int q = 0; q < w->S; q++) {
            int h = ph + w->top - r, x = pw + w->left - q;
            if (h % w->stride_h || x % w->stride_w)
                continue;
            v->dh[v->T] = h / w->stride_h;
            v->dw[v->T] = x / w->stride_w;
            v->tap[v->T++] = r * w->S + q;
        }
}

static void make_view(const struct rn_conv *c, enum rn_pass pass, int i, struct view *v)
{
    if (pass == RN_FORWARD)
        forward_view(&c->s, v);
    else
        phase_view(&c->s, i, v);
}

/* ---- packed weights: for each view, group and panel [T][C][nr] floats; in front, for forward, the
 * bias [G][panels][nr] ---- */

static size_t bias_floats(const struct rn_conv *c, enum rn_pass pass)
{
    size_t nr = c->k->igemm_nr, G = (size_t)c->s.G;
    return pass == RN_FORWARD ? G * rn_divide_up((size_t)c->s.K / G, nr) * nr : 0;
}

static size_t view_floats(const struct rn_conv *c, const struct view *v)
{
    size_t nr = c->k->igemm_nr;
    return (size_t)c->s.G * rn_divide_up((size_t)v->K, nr) * nr * (size_t)v->T * (size_t)v->C;
}

static size_t packed(const struct rn_conv *c, enum rn_pass pass)
{
    size_t floats = bias_floats(c, pass);
    for (int i = 0; i < views(c, pass); i++) {
        struct view v;
        make_view(c, pass, i, &v);
        floats += view_floats(c, &v);
    }
    return floats * sizeof(float);
}

/* One panel: columns k0 .. k0 + nr of group g, zeros past the last. */
static void pack_panel(const struct rn_conv *c, enum rn_pass pass, const struct view *v, int g,
                       int k0, const float *w, float *out)
{
    size_t nr = c->k->igemm_nr, RS = (size_t)(c->s.win.R * c->s.win.S), C = (size_t)v->C;
    size_t Cg = (size_t)(c->s.C / c->s.G), Kg = (size_t)(c->s.K / c->s.G), left;
    /* w is [K][Cg][RS]: how far apart are the view's input and output channels in it? */
    size_t step_c = pass == RN_FORWARD ? RS : Cg * RS, step_k = pass == RN_FORWARD ? Cg * RS : RS;
    const float *from = w + (size_t)g * Kg * Cg * RS + (size_t)k0 * step_k;
    size_t columns = (size_t)(v->K - k0) < nr ? (size_t)(v->K - k0) : nr;

    if (columns < nr)
        memset(out, 0, (size_t)v->T * C * nr * sizeof *out);
    for (size_t i = 0; i < C; i += CHANNELS) {
        left = C - i < CHANNELS ? C - i : CHANNELS;
        for (size_t t = 0; t < (size_t)v->T; t++)
            rn_transpose(out + (t * C + i) * nr, nr, from + i * step_c + v->tap[t], step_k,
                         (ptrdiff_t)step_c, columns, left);
    }
}

static void pack_bias(const struct rn_conv *c, const float *bias, float *out)
{
    int nr = (int)c->k->igemm_nr, Kg = c->s.K / c->s.G;
    int panels = (int)rn_divide_up((size_t)Kg, (size_t)nr);

    for (int g = 0; g < c->s.G; g++)
        for (int k = 0; k < panels * nr; k++)
            *out++ = bias && k < Kg ? bias[g * Kg + k] : 0;
}

static void pack(const struct rn_conv *c, enum rn_pass pass, const float *w, const float *bias,
                 void *to, int thread, int threads)
{
    float *out = to;
    size_t nr = c->k->igemm_nr;

    if (pass == RN_FORWARD && thread == 0)
        pack_bias(c, bias, out);
    out += bias_floats(c, pass);
    for (int i = 0; i < views(c, pass); i++) {
        struct view v;
        make_view(c, pass, i, &v);
        size_t panels = rn_divide_up((size_t)v.K, nr), panel = nr * (size_t)v.T * (size_t)v.C;
        struct rn_range r = rn_share((size_t)c->s.G * panels, thread, threads);
        for (size_t j = r.first; j < r.last; j++)
            pack_panel(c, pass, &v, (int)(j / panels), (int)(j % panels * nr), w, out + j * panel);
        out += view_floats(c, &v);
    }
}

/* ---- running a view ---- */

/* One view of one group, for one thread. */
struct job {
    const struct rn_conv *c;
    const struct view *v;
    const float *x;        /* source, at the group's first channel */
    const float *w;        /* the group's panels, */
    const float *next;     /* and what is read after them; NULL */
    bool streams;          /* rows lie side by side, and are the larger part of the traffic */
    const float *bias;     /* the group's, or NULL */
    const float *res;      /* laid out like y; NULL */
    float *y;              /* output, at the group's first channel */
    int end;               /* RN_RELU, RN_STREAM */
    bool sparse;           /* taps in the padding are left out */
    size_t N, rows;        /* N * P * Q, by pictures, or by pixels when sparse; in */
    size_t run, tiles;     /* runs of so many rows, with so many tiles each */
    size_t shift;          /* the pointers are the last group's, so many floats before; 0: none */
    const float *zero;     /* [C]; NULL when sparse */
    const float **pointer; /* [POINTERS] */
    size_t *row;           /* [POINTERS] */
};

/* Tiles of a run have floor or ceil of run / tiles rows, so that none is a short one. */
static size_t tile_start(const struct job *j, size_t i)
{
    size_t each = j->run / j->tiles, more = j->run % j->tiles, in_run = i % j->tiles;
    return i / j->tiles * j->run + in_run * each + (in_run < more ? in_run : more);
}

/* Small maps have the pixels outermost: those of several pictures share their taps. */
static void order_rows(struct job *j, int N)
{
    const struct view *v = j->v;
    j->N = (size_t)N;
    j->rows = (size_t)N * (size_t)v->P * (size_t)v->Q;
    j->sparse = v->T > 1 && v->P <= SMALL_MAP && v->Q <= SMALL_MAP;
    j->run = j->sparse && N >= BATCH_MIN ? (size_t)N : j->rows;
    j->tiles = rn_divide_up(j->run, j->c->k->igemm_mr);
}

static size_t tiles_of(const struct job *j)
{
    return j->rows ? j->rows / j->run * j->tiles : 0;
}

/* Picture n, output pixel (p, q) of row m, and the row behind it. */
struct place {
    size_t n;
    int p, q;
};

static struct place place_at(const struct job *j, size_t m)
{
    size_t PQ = (size_t)j->v->P * (size_t)j->v->Q, Q = (size_t)j->v->Q;
    size_t pixel = j->sparse ? m / j->N : m % PQ;
    return (struct place){ j->sparse ? m % j->N : m / PQ, (int)(pixel / Q), (int)(pixel % Q) };
}

static void step(const struct job *j, struct place *at)
{
    if (j->sparse && ++at->n < j->N)
        return;
    if (j->sparse)
        at->n = 0;
    if (++at->q < j->v->Q)
        return;
    at->q = 0;
    if (++at->p < j->v->P)
        return;
    at->p = 0;
    at->n++;
}

/* Row offsets and tap pointers of the rows m0 .. m0 + M, pointers as [T][M]. (The zeros are as long
 * as all groups together.) */
static void point(const struct job *j, size_t m0, size_t M, const float **pointer, size_t *row)
{
    const struct view *v = j->v;
    struct place at = place_at(j, m0);

    if (j->shift) {
        for (size_t i = 0; i < (size_t)v->T * M; i++)
            pointer[i] = pointer[i] ? pointer[i] + j->shift : NULL;
        return;
    }
    for (size_t i = 0; i < M; i++, step(j, &at)) {
        const float *image = j->x + at.n * (size_t)v->H * (size_t)v->W * (size_t)v->ld;
        size_t oh = (size_t)(v->out_h + at.p * v->out_step_h);
        size_t ow = (size_t)(v->out_w + at.q * v->out_step_w);
        row[i] = ((at.n * (size_t)v->out_H + oh) * (size_t)v->out_W + ow) * (size_t)v->out_ld;
        for (int t = 0; t < v->T; t++) {
            int h = at.p * v->step_h + v->dh[t], w = at.q * v->step_w + v->dw[t];
            bool inside = (unsigned)h < (unsigned)v->H && (unsigned)w < (unsigned)v->W;
            pointer[(size_t)t * M + i] =
                inside ? image + ((size_t)h * (size_t)v->W + (size_t)w) * (size_t)v->ld : j->zero;
        }
    }
}

/* Are the weights the larger part of the traffic? */
static bool weighs_more(const struct job *j)
{
    size_t nr = j->c->k->igemm_nr, columns = rn_divide_up((size_t)j->v->K, nr) * nr;
    return columns * (size_t)j->v->T > j->rows;
}

/* Are the rows of a tile one stretch of memory, which the next one's follow? */
static bool rows_adjoin(const struct view *v)
{
    return v->T == 1 && v->ld == v->C && v->step_h == 1 && v->step_w == 1 && v->P == v->H &&
           v->Q == v->W;
}

/* How many tiles are pointed at together: as many as pointers fit and source stays in cache, at
 * least one; where filters are so small that they stay as well, the output too, so that memory is
 * written in one sweep. */
static size_t tiles_per_block(const struct job *j)
{
    size_t mr = j->c->k->igemm_mr, T = (size_t)(j->v->T ? j->v->T : 1);
    size_t C = (size_t)j->v->C, K = (size_t)j->v->K, small = BLOCK_FLOATS / 2;
    size_t by_pointers = POINTERS / (mr * T);
    size_t by_source = BLOCK_FLOATS / (mr * (K * T * C <= small ? C + K : C));
    size_t tiles = by_pointers < by_source ? by_pointers : by_source;
    return tiles ? tiles : 1;
}

static const float *panel_at(const struct job *j, size_t panel)
{
    return j->w + panel * j->c->k->igemm_nr * (size_t)j->v->T * (size_t)j->v->C;
}

/*
 * Tiles first .. last with the panels of r; next: what is read after those. The first panel fetches
 * the rows of the tile behind each, the last the first rows of the block behind, the others the
 * weights that follow.
 */
static void run_block(const struct job *j, size_t first, size_t last, struct rn_range r,
                      const float *next)
{
    const struct rn_kernels *k = j->c->k;
    rn_igemm_fn *igemm = j->sparse ? k->igemm_sparse : k->igemm;
    size_t T = (size_t)j->v->T, C = (size_t)j->v->C, K = (size_t)j->v->K, nr = k->igemm_nr;
    size_t start = tile_start(j, first), step = rn_conv_fetch_step(last - first, nr);

    for (size_t i = first; i < last; i++) {
        size_t m = tile_start(j, i), M = tile_start(j, i + 1) - m;
        point(j, m, M, j->pointer + (m - start) * T, j->row + (m - start));
    }
    for (size_t p = r.first; p < r.last; p++) {
        size_t columns = K - p * nr < nr ? K - p * nr : nr;
        const float *w = panel_at(j, p), *bias = j->bias ? j->bias + p * nr : NULL;
        const float *after = p + 1 < r.last ? panel_at(j, p + 1) : next;
        const float *res = j->res ? j->res + p * nr : NULL;
        for (size_t i = first; i < last; i++) {
            size_t m = tile_start(j, i), M = tile_start(j, i + 1) - m;
            bool rows = j->streams && (i + 1 < last ? p == r.first : p + 1 == r.last);
            igemm(j->y + p * nr, res, j->row + (m - start), j->pointer + (m - start) * T, w, bias,
                  rows ? j->x + (m + M) * C : rn_conv_fetch(after, i - first, step, nr, T * C),
                  rows ? RN_LINE : step, M, columns, T, C, j->end);
        }
    }
}

/* All tiles with the panels of r; next: as in run_block(), after the last tile. */
static void run_panels(const struct job *j, struct rn_range r, const float *next)
{
    size_t tiles = tiles_of(j), block = tiles_per_block(j);

    for (size_t i = 0; i < tiles; i += block) {
        bool more = i + block < tiles;
        run_block(j, i, more ? i + block : tiles, r, more ? panel_at(j, r.first) : next);
    }
}

/* Threads share the panels where weights are the larger part of the traffic, else the rows. */
static void run_job(const struct job *j, struct rn_todo *todo, int thread, int threads)
{
    size_t panels = rn_divide_up((size_t)j->v->K, j->c->k->igemm_nr), tiles = tiles_of(j);
    struct rn_range all = { 0, panels }, r;
    struct rn_work w;

    if (weighs_more(j) && panels >= (size_t)threads) {
        w = rn_work_begin(todo, panels, 1, panels, thread, threads);
        while (rn_work_next(&w, &r))
            run_panels(j, r, w.more ? panel_at(j, r.last) : j->next);
    } else {
        w = rn_work_begin(todo, tiles, 1, tiles_per_block(j), thread, threads);
        while (rn_work_next(&w, &r))
            run_block(j, r.first, r.last, all, w.more ? j->w : j->next);
    }
}

/* Scratch of one thread: a row of zeros, pointers, row offsets. */
static size_t thread_scratch(const struct rn_conv *c)
{
    size_t C = (size_t)(c->s.C > c->s.K ? c->s.C : c->s.K);
    size_t tile = RN_MR_MAX * RN_TAPS_MAX, pointers = POINTERS > tile ? POINTERS : tile;
    return rn_align(C * sizeof(float)) + 2 * rn_align(pointers * sizeof(void *));
}

static size_t scratch(const struct rn_conv *c, enum rn_pass pass, int N, int threads)
{
    (void)pass, (void)N;
    return (size_t)threads * thread_scratch(c);
}

/* Returns the row of zeros. */
static const float *carve(struct job *j, char *base)
{
    size_t C = (size_t)(j->c->s.C > j->c->s.K ? j->c->s.C : j->c->s.K);
    size_t zeros = rn_align(C * sizeof(float));
    j->pointer = (const float **)(base + zeros);
    j->row = (size_t *)(base + zeros + (thread_scratch(j->c) - zeros) / 2);
    return memset(base, 0, zeros);
}

/* Group g of view number i, whose panels begin at w. */
static void set_group(struct job *j, enum rn_pass pass, const struct rn_conv_run *r, const float *w,
                      int i, int g)
{
    const struct rn_conv *c = j->c;
    const struct view *v = j->v;
    bool fwd = pass == RN_FORWARD;
    size_t group = view_floats(c, v) / (size_t)c->s.G;
    size_t bias = bias_floats(c, pass) / (size_t)c->s.G;

    j->x = (fwd ? r->x : r->dy) + g * v->C;
    j->y = (fwd ? r->y : r->dx) + g * v->K;
    j->res = fwd ? r->residual ? r->residual + g * v->K : NULL : r->add ? j->y : NULL;
    j->bias = fwd ? (const float *)r->packed + (size_t)g * bias : NULL;
    j->w = w + (size_t)g * group;
    j->next = i + 1 < views(c, pass) || g + 1 < c->s.G ? j->w + group : r->next;
}

/* Some groups of view number i, by a team; todo: by which its threads share the work on a group. */
static void run_groups(struct job *j, enum rn_pass pass, const struct rn_conv_run *r, const float *w,
                       int i, struct rn_range groups, struct rn_todo *todo, int thread,
                       int threads)
{
    bool one_block = tiles_of(j) <= tiles_per_block(j);

    for (size_t g = groups.first; g < groups.last; g++) {
        set_group(j, pass, r, w, i, (int)g);
        j->shift = g > groups.first && one_block ? (size_t)j->v->C : 0;
        run_job(j, todo, thread, threads);
    }
}

/* View number i: threads share the groups where there are many, else the work on each. (The pointers
 * of one group serve the next only when a thread has the same share of both.) */
static void run_view(struct job *j, enum rn_pass pass, const struct rn_conv_run *r, const float *w,
                     int i, int thread, int threads)
{
    size_t G = (size_t)j->c->s.G;
    struct rn_range groups = { 0, G };

    if (G < GROUPS_MIN * (size_t)threads) {
        run_groups(j, pass, r, w, i, groups, G > 1 ? NULL : r->todo, thread, threads);
        return;
    }
    struct rn_work work = rn_work_begin(r->todo, G, 1, G, thread, threads);
    while (rn_work_next(&work, &groups))
        run_groups(j, pass, r, w, i, groups, NULL, 0, 1);
}

static void run(const struct rn_conv *c, enum rn_pass pass, const struct rn_conv_run *r, int thread,
                int threads)
{
    bool fwd = pass == RN_FORWARD;
    const float *w = (const float *)r->packed + bias_floats(c, pass);
    struct job j = { .c = c, .end = rn_conv_end(c, pass, r) };
    const float *zero = carve(&j, (char *)r->scratch + (size_t)thread * thread_scratch(c));

    for (int i = 0; i < views(c, pass); i++) {
        struct view v;
        make_view(c, pass, i, &v);
        j.v = &v;
        order_rows(&j, r->N);
        j.zero = j.sparse ? NULL : zero;
        j.streams = rows_adjoin(&v) && !weighs_more(&j);
        if (j.rows && !(r->add && !v.T && !fwd))
            run_view(&j, pass, r, w, i, thread, threads);
        w += view_floats(c, &v);
    }
}

static bool fits(const struct rn_conv *c, enum rn_pass pass)
{
    (void)c;
    return pass != RN_BACKWARD_WEIGHTS;
}

const struct rn_conv_algo rn_conv_igemm = {
    .name = "igemm", .fits = fits, .packed = packed, .pack = pack, .scratch = scratch, .run = run
};
