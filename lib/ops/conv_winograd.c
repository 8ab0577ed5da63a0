/*
 * Convolution 3x3 of stride 1 by Winograd's F(4x4, 3x3) and F(2x2, 3x3) (Lavin and Gray 2016): 36
 * multiplications for 16 outputs instead of 144, or 16 for 4 instead of 36. A block of tiles of the
 * input is transformed, 36 (or 16) small matrix products follow, and the outputs are transformed
 * back with bias, residual and ReLU. Backward-data is the same with the filters turned and
 * transposed. Threads are a grid over tiles and output channels; the bits do not depend on it.
 */
#include <string.h>

#include "base/mem.h"
#include "ops/conv.h"
#include "ops/team.h"

enum {
    ELEMENTS_MAX = 36,         /* of a transformed tile, 6x6 */
    OUTPUTS_MAX = 16,          /* of a tile, 4x4 */
    CHANNELS_MIN = 32,         /* below, the transforms cost more than they save */
    MAP_MIN = 6,               /* smaller maps waste too much of their tiles */
    MAP_MIN_LARGE = 8,         /* for F(4x4): at 7x7 its filters are too long to be read */
    BLOCK_FLOATS = 180 * 1024, /* of the transformed input and output of a block: in L2 */
    BLOCK_TILES = 36,          /* at least, so that the filters are read seldom enough */
    LINE = 16,                 /* floats between the matrices: off power-of-two strides */
};

/* The convolution as this pass sees it: from a map of C channels to one of K. */
struct view {
    int H, W, C, P, Q, K;
    int top, left;
    int tile, edge;    /* outputs and elements on a side: 4 and 6, or 2 and 4 */
    size_t elements;   /* edge^2 */
    size_t rows, cols; /* of tiles in a picture */
    size_t panels;     /* of output channels */
    const struct rn_wino *k;
};

static struct view make_view(const struct rn_conv *c, enum rn_pass pass)
{
    const struct rn_conv_shape *s = &c->s;
    const struct rn_kernels *k = c->k;
    struct view v = { .H = s->H,
                      .W = s->W,
                      .C = s->C,
                      .P = s->P,
                      .Q = s->Q,
                      .K = s->K,
                      .top = s->win.top,
                      .left = s->win.left,
                      .tile = 4,
                      .k = &k->wino4 };

    if (pass == RN_BACKWARD_DATA) {
        v.H = s->P, v.W = s->Q, v.C = s->K;
        v.P = s->H, v.Q = s->W, v.K = s->C;
        v.top = 2 - s->win.top, v.left = 2 - s->win.left;
    }
    if (c->algo[pass] == &rn_conv_winograd2) {
        v.tile = 2;
        v.k = &k->wino2;
    }
    v.edge = v.tile + 2;
    v.elements = (size_t)(v.edge * v.edge);
    v.rows = rn_divide_up((size_t)v.P, (size_t)v.tile);
    v.cols = rn_divide_up((size_t)v.Q, (size_t)v.tile);
    v.panels = rn_divide_up((size_t)v.K, c->k->igemm_nr);
    return v;
}

static bool fits_map(const struct rn_conv *c, enum rn_pass pass, int least)
{
    const struct rn_conv_shape *s = &c->s;
    const struct rn_window *w = &s->win;

    return pass != RN_BACKWARD_WEIGHTS && s->G == 1 && w->R == 3 && w->S == 3 && w->stride_h == 1 &&
           w->stride_w == 1 && s->C >= CHANNELS_MIN && s->K >= CHANNELS_MIN && s->P >= least &&
           s->Q >= least && s->H >= least && s->W >= least;
}

static bool fits_large(const struct rn_conv *c, enum rn_pass pass)
{
    return fits_map(c, pass, MAP_MIN_LARGE);
}

static bool fits_small(const struct rn_conv *c, enum rn_pass pass)
{
    return fits_map(c, pass, MAP_MIN);
}

/* ---- filters: the bias [panels][nr], then [elements][panels][C][nr] ---- */

static size_t packed(const struct rn_conv *c, enum rn_pass pass)
{
    struct view v = make_view(c, pass);
    return v.panels * c->k->igemm_nr * (1 + v.elements * (size_t)v.C) * sizeof(float);
}

/* One channel's filters of one panel as [9][nr], zeros past the last. */
static void gather(const struct rn_conv *c, enum rn_pass pass, const struct view *v, size_t k0,
                   size_t channel, const float *w, float *g)
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
    struct view v = make_view(c, pass);
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

/* What one thread works on: some tiles, for some panels of output channels. */
struct job {
    const struct rn_conv *c;
    struct view v;
    const float *x, *u, *bias, *res;
    float *y;
    bool relu;
    struct rn_range tiles, panels;
    size_t k0, columns;   /* output channels of the panels */
    size_t block;         /* tiles that in and out have room for */
    size_t ld_in, ld_out; /* floats between the matrices */
    float *in, *out;      /* [elements][block][C], [elements][block][columns] */
    const float **row_in; /* [block] the tiles' rows in one matrix of in, */
    size_t *row_out;      /* [block] and in one of out */
    const float *zero;    /* [C] */
};

static size_t block_tiles(const struct view *v, size_t tiles)
{
    size_t block = BLOCK_FLOATS / (v->elements * (size_t)(v->C + v->K));
    block = block < BLOCK_TILES ? BLOCK_TILES : block;
    return block < tiles ? block : tiles;
}

static size_t transform_bytes(const struct view *v, size_t block, size_t channels)
{
    return rn_align((block * channels + LINE) * v->elements * sizeof(float));
}

/* Scratch of one thread: in, out, rows of both, zeros. */
static size_t thread_bytes(const struct view *v, size_t block)
{
    return transform_bytes(v, block, (size_t)v->C) + transform_bytes(v, block, (size_t)v->K) +
           2 * rn_align(block * sizeof(size_t)) + rn_align((size_t)v->C * sizeof(float));
}

static size_t scratch(const struct rn_conv *c, enum rn_pass pass, int N, int threads)
{
    struct view v = make_view(c, pass);
    return (size_t)threads * thread_bytes(&v, block_tiles(&v, (size_t)N * v.rows * v.cols));
}

static void carve(struct job *j, char *base, size_t block)
{
    const struct view *v = &j->v;
    size_t rows = rn_align(block * sizeof(size_t));

    j->block = block;
    j->ld_in = block * (size_t)v->C + LINE;
    j->ld_out = block * j->columns + LINE;
    j->zero = memset(base, 0, (size_t)v->C * sizeof(float));
    base += rn_align((size_t)v->C * sizeof(float));
    j->row_in = (const float **)base;
    j->row_out = (size_t *)(base + rows);
    j->in = (float *)(base + 2 * rows);
    j->out = (float *)(base + 2 * rows + transform_bytes(v, block, (size_t)v->C));
}

/*
 * How many of the threads share the panels; the others share the tiles. A tile costs its transform
 * and five times that for each panel; to read a panel's filters costs 20 times that. So few tiles
 * (a single picture) are transformed by several threads, rather than that they wait for each other.
 */
static size_t panel_threads(const struct view *v, size_t tiles, size_t threads)
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

/* This thread's place in the grid; one that has none gets no tiles. */
static void share(struct job *j, size_t tiles, int thread, int threads)
{
    const struct view *v = &j->v;
    size_t nr = j->c->k->igemm_nr, end;
    int b = (int)panel_threads(v, tiles, (size_t)threads), a = threads / b;

    if (thread < a * b)
        j->tiles = rn_share(tiles, thread % a, a);
    j->panels = rn_share(v->panels, thread / a % b, b);
    j->k0 = j->panels.first * nr;
    end = j->panels.last * nr;
    j->columns = (end < (size_t)v->K ? end : (size_t)v->K) - j->k0;
}

/* Tile number t of the batch: its picture and the place of its first output. */
struct tile {
    size_t n;
    int p, q;
};

static struct tile tile_at(const struct view *v, size_t t)
{
    size_t in_picture = t % (v->rows * v->cols);
    return (struct tile){ t / (v->rows * v->cols), (int)(in_picture / v->cols) * v->tile,
                          (int)(in_picture % v->cols) * v->tile };
}

/* The inputs of tile t into place `at`. */
static void transform_input(const struct job *j, size_t t, size_t at)
{
    const struct view *v = &j->v;
    size_t C = (size_t)v->C;
    struct tile tile = tile_at(v, t);
    const float *picture = j->x + tile.n * (size_t)v->H * (size_t)v->W * C, *pixel[ELEMENTS_MAX];

    for (int i = 0, e = 0; i < v->edge; i++)
        for (int l = 0; l < v->edge; l++, e++) {
            int h = tile.p - v->top + i, w = tile.q - v->left + l;
            bool inside = (unsigned)h < (unsigned)v->H && (unsigned)w < (unsigned)v->W;
            pixel[e] = inside ? picture + ((size_t)h * (size_t)v->W + (size_t)w) * C : j->zero;
        }
    v->k->input(j->in + at * C, j->ld_in, pixel, C);
}

/* The first of the panels in matrix e. */
static const float *filters(const struct job *j, size_t e)
{
    return j->u + (e * j->v.panels + j->panels.first) * (size_t)j->v.C * j->c->k->igemm_nr;
}

/* out[e][t][k] = sum over c of in[e][t][c] * u[e][c][k], for `tiles` tiles and one e. next: the
 * filters that are read after those of e. */
static void multiply(const struct job *j, size_t e, size_t tiles, const float *next)
{
    const struct rn_kernels *k = j->c->k;
    size_t C = (size_t)j->v.C, nr = k->igemm_nr, parts = rn_divide_up(tiles, k->igemm_mr);
    const float *u = filters(j, e);
    float *out = j->out + e * j->ld_out;

    for (size_t t = 0; t < tiles; t++)
        j->row_in[t] = j->in + e * j->ld_in + t * C;
    for (size_t at = 0; at < j->columns; at += nr, u += C * nr) {
        bool last = j->columns - at <= nr;
        size_t columns = last ? j->columns - at : nr;
        for (size_t i = 0; i < parts; i++) {
            struct rn_range m = rn_share(tiles, (int)i, (int)parts);
            k->igemm(out + at, NULL, j->row_out + m.first, j->row_in + m.first, u, NULL,
                     rn_conv_fetch(last ? next : u + C * nr, i, nr, C), m.last - m.first, columns,
                     1, C, false);
        }
    }
}

/* The outputs of tile t from place `at`. */
static void transform_output(const struct job *j, size_t t, size_t at)
{
    const struct view *v = &j->v;
    struct tile tile = tile_at(v, t);
    size_t row[OUTPUTS_MAX];

    for (int i = 0, e = 0; i < v->tile; i++)
        for (int l = 0; l < v->tile; l++, e++) {
            int p = tile.p + i, q = tile.q + l;
            size_t pixel = (tile.n * (size_t)v->P + (size_t)p) * (size_t)v->Q + (size_t)q;
            row[e] = p < v->P && q < v->Q ? pixel * (size_t)v->K : SIZE_MAX;
        }
    v->k->output(j->y + j->k0, j->res ? j->res + j->k0 : NULL, row, j->out + at * j->columns,
                 j->ld_out, j->bias + j->k0, j->columns, j->relu);
}

/* next: as in multiply(), after the last e. */
static void run_block(const struct job *j, size_t first, size_t tiles, const float *next)
{
    size_t last = j->v.elements - 1;

    for (size_t t = 0; t < tiles; t++) {
        transform_input(j, first + t, t);
        j->row_out[t] = t * j->columns;
    }
    for (size_t e = 0; e <= last; e++)
        multiply(j, e, tiles, e < last ? filters(j, e + 1) : next);
    for (size_t t = 0; t < tiles; t++)
        transform_output(j, first + t, t);
}

static void run(const struct rn_conv *c, enum rn_pass pass, const struct rn_conv_run *r, int thread,
                int threads)
{
    bool forward = pass == RN_FORWARD;
    struct job j = { .c = c, .v = make_view(c, pass), .bias = r->packed };
    size_t tiles = (size_t)r->N * j.v.rows * j.v.cols, block = block_tiles(&j.v, tiles);

    j.x = forward ? r->x : r->dy;
    j.y = forward ? r->y : r->dx;
    j.res = forward ? r->residual : r->add ? r->dx : NULL;
    j.relu = forward && r->relu;
    j.u = j.bias + j.v.panels * c->k->igemm_nr;
    share(&j, tiles, thread, threads);
    carve(&j, (char *)r->scratch + (size_t)thread * thread_bytes(&j.v, block), block);
    for (size_t t = j.tiles.first, left; t < j.tiles.last; t += block) {
        left = j.tiles.last - t;
        run_block(&j, t, left < block ? left : block, left > block ? filters(&j, 0) : r->next);
    }
}

const struct rn_conv_algo rn_conv_winograd = { .name = "winograd 4x4",
                                               .fits = fits_large,
                                               .packed = packed,
                                               .pack = pack,
                                               .scratch = scratch,
                                               .run = run };

const struct rn_conv_algo rn_conv_winograd2 = { .name = "winograd 2x2",
                                                .fits = fits_small,
                                                .packed = packed,
                                                .pack = pack,
                                                .scratch = scratch,
                                                .run = run };
