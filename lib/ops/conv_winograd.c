/*
 * Convolution 3x3 of stride 1 by Winograd's F(4x4, 3x3) (Lavin and Gray 2016): 36 multiplications
 * for 16 outputs instead of 144. A block of tiles of the input is transformed, 36 small matrix
 * products follow, and the outputs are transformed back with bias, residual and ReLU. Backward-data
 * is the same with the filters turned and transposed. Two ways to share the work, with the same
 * bits: threads take blocks of tiles, or, when tiles are few (a single picture), the team
 * transforms all tiles together and each thread multiplies its own output channels.
 */
#include <string.h>

#include "base/mem.h"
#include "ops/conv.h"
#include "ops/team.h"

enum {
    ELEMENTS = 36,             /* of a transformed tile, 6x6 */
    TILE = 4,                  /* outputs on a side */
    CHANNELS_MIN = 32,         /* below, the transforms cost more than they save */
    MAP_MIN = 12,              /* smaller maps waste too much of their tiles */
    BLOCK_FLOATS = 180 * 1024, /* of the transformed input and output of a block: in L2 */
    BLOCK_TILES = 36,          /* at least, so that the filters are read seldom enough */
    FEW_TILES = 24,            /* for each thread: below, the team works on one block */
    LINE = 16,                 /* floats between the 36 matrices: off power-of-two strides */
};

/* The convolution as this pass sees it: from a map of C channels to one of K. */
struct view {
    int H, W, C, P, Q, K;
    int top, left;
    size_t rows, cols; /* of tiles in a picture */
    size_t panels;     /* of output channels */
};

static struct view make_view(const struct rn_conv *c, enum rn_pass pass)
{
    const struct rn_conv_shape *s = &c->s;
    struct view v = { s->H, s->W, s->C, s->P, s->Q, s->K, s->win.top, s->win.left, 0, 0, 0 };

    if (pass == RN_BACKWARD_DATA)
        v = (struct view){ s->P, s->Q, s->K, s->H, s->W, s->C, 2 - s->win.top, 2 - s->win.left,
                           0,    0,    0 };
    v.rows = rn_divide_up((size_t)v.P, TILE);
    v.cols = rn_divide_up((size_t)v.Q, TILE);
    v.panels = rn_divide_up((size_t)v.K, c->k->igemm_nr);
    return v;
}

static bool fits(const struct rn_conv *c, enum rn_pass pass)
{
    const struct rn_conv_shape *s = &c->s;
    const struct rn_window *w = &s->win;

    return pass != RN_BACKWARD_WEIGHTS && s->G == 1 && w->R == 3 && w->S == 3 && w->stride_h == 1 &&
           w->stride_w == 1 && s->C >= CHANNELS_MIN && s->K >= CHANNELS_MIN && s->P >= MAP_MIN &&
           s->Q >= MAP_MIN && s->H >= MAP_MIN && s->W >= MAP_MIN;
}

/* ---- filters: the bias [panels][nr], then [36][panels][C][nr] ---- */

static size_t packed(const struct rn_conv *c, enum rn_pass pass)
{
    struct view v = make_view(c, pass);
    return v.panels * c->k->igemm_nr * (1 + ELEMENTS * (size_t)v.C) * sizeof(float);
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
        c->k->wino_filter(u + i * nr, v.panels * C * nr, g, nr);
    }
}

/* ---- running ---- */

/* What one thread, or the team together, works on. */
struct job {
    const struct rn_conv *c;
    struct view v;
    const float *x, *u, *bias, *res;
    float *y;
    bool relu;
    size_t block;         /* tiles that in and out have room for */
    size_t ld_in, ld_out; /* floats between the 36 matrices */
    float *in, *out;      /* [36][block][C], [36][block][K] */
    const float *zero;    /* [C] */
};

static size_t block_tiles(const struct view *v, size_t tiles)
{
    size_t block = BLOCK_FLOATS / (ELEMENTS * (size_t)(v->C + v->K));
    block = block < BLOCK_TILES ? BLOCK_TILES : block;
    return block < tiles ? block : tiles;
}

static bool few(const struct view *v, size_t tiles, int threads)
{
    return threads > 1 && tiles < FEW_TILES * (size_t)threads && v->panels > 1;
}

static size_t transform_bytes(size_t block, int channels)
{
    return rn_align((block * (size_t)channels + LINE) * ELEMENTS * sizeof(float));
}

static size_t crew_bytes(const struct view *v, size_t block)
{
    return transform_bytes(block, v->C) + transform_bytes(block, v->K);
}

/* A row of zeros for each thread, in front of the crews' scratch. */
static size_t zero_bytes(const struct view *v)
{
    return rn_align((size_t)v->C * sizeof(float));
}

static size_t scratch(const struct rn_conv *c, enum rn_pass pass, int N, int threads)
{
    struct view v = make_view(c, pass);
    size_t tiles = (size_t)N * v.rows * v.cols, together = FEW_TILES * (size_t)threads;
    size_t each = (size_t)threads * crew_bytes(&v, block_tiles(&v, tiles));
    size_t team = crew_bytes(&v, together < tiles ? together : tiles); /* smaller batches, too */
    return (size_t)threads * zero_bytes(&v) + (each > team ? each : team);
}

/* Points the job at the scratch of one crew. */
static void carve(struct job *j, char *base, size_t block)
{
    j->block = block;
    j->ld_in = block * (size_t)j->v.C + LINE;
    j->ld_out = block * (size_t)j->v.K + LINE;
    j->in = (float *)base;
    j->out = (float *)(base + transform_bytes(block, j->v.C));
}

/* Tile number t of the batch: its picture and the place of its first output. */
struct tile {
    size_t n;
    int p, q;
};

static struct tile tile_at(const struct view *v, size_t t)
{
    size_t in_picture = t % (v->rows * v->cols);
    return (struct tile){ t / (v->rows * v->cols), (int)(in_picture / v->cols) * TILE,
                          (int)(in_picture % v->cols) * TILE };
}

/* Tiles first .. last of the batch into places from `at` on. */
static void transform_input(const struct job *j, struct rn_range r, size_t at)
{
    const struct view *v = &j->v;
    size_t C = (size_t)v->C;

    for (size_t t = r.first; t < r.last; t++, at++) {
        struct tile tile = tile_at(v, t);
        const float *picture = j->x + tile.n * (size_t)v->H * (size_t)v->W * C, *pixel[ELEMENTS];
        for (int e = 0; e < ELEMENTS; e++) {
            int h = tile.p - v->top + e / 6, w = tile.q - v->left + e % 6;
            bool inside = (unsigned)h < (unsigned)v->H && (unsigned)w < (unsigned)v->W;
            pixel[e] = inside ? picture + ((size_t)h * (size_t)v->W + (size_t)w) * C : j->zero;
        }
        j->c->k->wino_input(j->in + at * C, j->ld_in, pixel, C);
    }
}

/* Matrix e of `tiles` tiles, for the panels of r: out[e][t][k] = sum over c of in[e][t][c] *
 * u[e][c][k]. */
static void multiply(const struct job *j, size_t e, size_t tiles, struct rn_range r)
{
    const struct rn_kernels *k = j->c->k;
    size_t C = (size_t)j->v.C, K = (size_t)j->v.K, nr = k->igemm_nr, mr = k->igemm_mr;
    const float *in = j->in + e * j->ld_in, *u = j->u + e * j->v.panels * C * nr;
    float *out = j->out + e * j->ld_out;

    for (size_t p = r.first; p < r.last; p++) {
        size_t columns = K - p * nr < nr ? K - p * nr : nr;
        for (size_t t = 0; t < tiles; t += mr) {
            const float *x[RN_MR_MAX];
            size_t row[RN_MR_MAX], M = tiles - t < mr ? tiles - t : mr;
            for (size_t m = 0; m < M; m++) {
                x[m] = in + (t + m) * C;
                row[m] = (t + m) * K;
            }
            k->igemm(out + p * nr, NULL, row, x, u + p * C * nr, NULL, M, columns, 1, C, false);
        }
    }
}

/* Tiles of the batch from places 0 on, the output channels k0 .. k1. */
static void transform_output(const struct job *j, struct rn_range r, size_t k0, size_t k1)
{
    const struct view *v = &j->v;
    size_t K = (size_t)v->K;

    for (size_t t = r.first; t < r.last; t++) {
        struct tile tile = tile_at(v, t);
        size_t row[TILE * TILE];
        for (int i = 0; i < TILE * TILE; i++) {
            int p = tile.p + i / TILE, q = tile.q + i % TILE;
            size_t pixel = (tile.n * (size_t)v->P + (size_t)p) * (size_t)v->Q + (size_t)q;
            row[i] = p < v->P && q < v->Q ? pixel * K : SIZE_MAX;
        }
        j->c->k->wino_output(j->y + k0, j->res ? j->res + k0 : NULL, row,
                             j->out + (t - r.first) * K + k0, j->ld_out, j->bias + k0, k1 - k0,
                             j->relu);
    }
}

/* Each thread its own tiles, block by block. */
static void run_blocks(const struct job *j, struct rn_range mine)
{
    struct rn_range all = { 0, j->v.panels };

    for (size_t t = mine.first; t < mine.last; t += j->block) {
        size_t left = mine.last - t, tiles = left < j->block ? left : j->block;
        struct rn_range block = { t, t + tiles };
        transform_input(j, block, 0);
        for (size_t e = 0; e < ELEMENTS; e++)
            multiply(j, e, tiles, all);
        transform_output(j, block, 0, (size_t)j->v.K);
    }
}

/* All tiles at once, each thread its own panels. */
static void run_together(const struct job *j, size_t tiles, int thread, int threads)
{
    struct rn_range inputs = rn_share(tiles, thread, threads);
    struct rn_range panels = rn_share(j->v.panels, thread, threads);
    size_t nr = j->c->k->igemm_nr, k0 = panels.first * nr, k1 = panels.last * nr;

    transform_input(j, inputs, inputs.first);
    rn_barrier();
    for (size_t e = 0; e < ELEMENTS; e++)
        multiply(j, e, tiles, panels);
    if (k0 < k1)
        transform_output(j, (struct rn_range){ 0, tiles }, k0,
                         k1 < (size_t)j->v.K ? k1 : (size_t)j->v.K);
}

static void run(const struct rn_conv *c, enum rn_pass pass, const struct rn_conv_run *r, int thread,
                int threads)
{
    bool forward = pass == RN_FORWARD;
    struct job j = { .c = c, .v = make_view(c, pass), .bias = r->packed };
    size_t tiles = (size_t)r->N * j.v.rows * j.v.cols;

    j.x = forward ? r->x : r->dy;
    j.y = forward ? r->y : r->dx;
    j.res = forward ? r->residual : r->add ? r->dx : NULL;
    j.relu = forward && r->relu;
    j.u = j.bias + j.v.panels * c->k->igemm_nr;
    char *zeros = r->scratch, *crews = zeros + (size_t)threads * zero_bytes(&j.v);
    j.zero = memset(zeros + (size_t)thread * zero_bytes(&j.v), 0, zero_bytes(&j.v));
    if (few(&j.v, tiles, threads)) {
        carve(&j, crews, tiles);
        run_together(&j, tiles, thread, threads);
    } else {
        size_t block = block_tiles(&j.v, tiles);
        carve(&j, crews + (size_t)thread * crew_bytes(&j.v, block), block);
        run_blocks(&j, rn_share(tiles, thread, threads));
    }
}

const struct rn_conv_algo rn_conv_winograd = { .name = "winograd 4x4",
                                               .fits = fits,
                                               .packed = packed,
                                               .pack = pack,
                                               .scratch = scratch,
                                               .run = run };
