/*
 * Backward-weights: dw[k][c][r][s] = sum over pixels (n, p, q) of dy[n][p][q][k] *
 * x[n][p*stride + r - top][q*stride + s - left][c], as sums of outer products over chunks of pixels.
 * A chunk is some rows of one picture, or some whole pictures. For each chunk the rows of x that it
 * touches are copied (with the zeros of the padding, so that a tap is a shift) and dy is copied in
 * panels; then every tile of dw gets its sum over the chunk. Two ways to share the work, by shape:
 *   small dw  the chunks are cut into STRIPS strips with a dw of their own, added in their order at
 *             the end; a thread does whole strips and waits for nobody
 *   large dw  one strip: the team copies a chunk together, x block by block of channels so that a
 *             tile's part of it is dense, then its threads share the tiles
 * Chunks and strips depend on the layer and the batch alone: the same bits for any team.
 */
#include <string.h>

#include "base/mem.h"
#include "ops/conv.h"
#include "ops/team.h"

enum {
    STRIPS = 16,
    CHUNK_SMALL = 256,     /* pixels of a chunk: dy and x stay in L1 */
    CHUNK_LARGE = 1024,    /* where dw itself is large, it must not be touched too often */
    DW_LARGE = 256 * 1024, /* floats */
};

/* How the work of one layer is cut. */
struct plan {
    int pieces, images,
        rows; /* pieces of a picture, or pictures of a chunk; output rows of a piece */
    int region_h, region_w; /* rows and columns of x that a piece touches, padding included */
    int ld; /* floats between pixels of the region: a line more than they have, off powers of two */
    bool flat;   /* taps of a filter row and channels are one run of floats (few channels) */
    int taps, C; /* as the kernel sees them: R and S*C where flat, else R*S and C of a group */
    size_t blocks, block; /* of channels: how many, channels in each but the last */
    size_t panels;        /* of output channels, in one group */
    size_t tasks;         /* tiles of dw */
    size_t strips;
    bool dense;            /* x is copied block by block of channels, else pixel by pixel */
    size_t chunks, pixels; /* for N pictures; pixels of a chunk at most */
};

static struct plan make_plan(const struct rn_conv *c, int N)
{
    const struct rn_conv_shape *s = &c->s;
    const struct rn_window *w = &s->win;
    size_t Cg = (size_t)(s->C / s->G), dw = (size_t)s->K * Cg * (size_t)(w->R * w->S);
    int chunk = dw > DW_LARGE ? CHUNK_LARGE : CHUNK_SMALL;
    struct plan p = { 0 };

    p.rows = chunk / s->Q > 1 ? chunk / s->Q : 1;
    p.pieces = 1;
    p.images = 1;
    if (p.rows >= s->P) {
        p.images = chunk > s->P * s->Q ? chunk / (s->P * s->Q) : 1;
        p.rows = s->P;
    } else {
        p.pieces = (int)rn_divide_up((size_t)s->P, (size_t)p.rows);
        p.rows = (int)rn_divide_up((size_t)s->P, (size_t)p.pieces);
    }
    p.flat = s->G == 1 && w->S > 1 && Cg < c->k->outer_mr;
    p.taps = p.flat ? w->R : w->R * w->S;
    p.C = p.flat ? w->S * s->C : (int)Cg;
    p.region_h = (p.rows - 1) * w->stride_h + w->R;
    p.region_w = (s->Q - 1) * w->stride_w + w->S;
    p.blocks = rn_divide_up((size_t)p.C, c->k->outer_mr);
    p.block = rn_divide_up((size_t)p.C, p.blocks);
    p.dense = dw > DW_LARGE && !p.flat;
    p.ld = p.flat    ? s->C
           : p.dense ? (int)p.block
                     : (int)(rn_divide_up((size_t)s->C, RN_LINE) + 1) * RN_LINE;
    p.panels = rn_divide_up((size_t)(s->K / s->G), c->k->outer_nr);
    p.tasks = (size_t)s->G * p.panels * p.blocks * (size_t)p.taps;
    p.chunks =
        p.pieces > 1 ? (size_t)N * (size_t)p.pieces : rn_divide_up((size_t)N, (size_t)p.images);
    p.strips = p.dense ? 1 : p.chunks < STRIPS ? p.chunks : STRIPS;
    p.pixels = rn_divide_up((size_t)p.images * (size_t)p.rows * (size_t)s->Q, RN_LINE) * RN_LINE;
    return p;
}

/* The scratch of one strip: its sums, and the copies that its crew works from. */
struct space {
    float *acc;   /* [tasks][outer_mr][outer_nr]: dw while it is summed */
    float *dbias; /* [G][panels][outer_nr] */
    float *x;     /* [slices][images][region_h][region_w][ld] */
    float *dy;    /* [G][panels][pixels][outer_nr] */
    int32_t *off; /* [pixels]: of tap 0 in x, in floats */
};

/* The copy of x: one slice with all channels, or one for each block of channels of each group. */
static size_t slices_of(const struct rn_conv *c, const struct plan *p)
{
    return p->dense ? (size_t)c->s.G * p->blocks : 1;
}

/* Floats of a slice. */
static size_t slice_floats(const struct plan *p)
{
    return (size_t)p->images * (size_t)p->region_h * (size_t)p->region_w * (size_t)p->ld;
}

/* Bytes of its parts. */
struct sizes {
    size_t acc, dbias, x, dy, off;
};

static struct sizes sizes_of(const struct rn_conv *c, const struct plan *p)
{
    size_t mr = c->k->outer_mr, nr = c->k->outer_nr, G = (size_t)c->s.G;
    return (struct sizes){
        .acc = rn_align(p->tasks * mr * nr * sizeof(float)),
        .dbias = rn_align(G * p->panels * nr * sizeof(float)),
        .x = rn_align(slices_of(c, p) * slice_floats(p) * sizeof(float)),
        .dy = rn_align(G * p->panels * p->pixels * nr * sizeof(float)),
        .off = rn_align(p->pixels * sizeof(int32_t)),
    };
}

/* The sums of all strips come first, then the copies of all crews. */
static struct space space_at(const struct rn_conv *c, const struct plan *p, void *scratch,
                             size_t strip, size_t crew)
{
    struct sizes b = sizes_of(c, p);
    char *sums = (char *)scratch + strip * (b.acc + b.dbias);
    char *copies = (char *)scratch + p->strips * (b.acc + b.dbias) + crew * (b.x + b.dy + b.off);
    return (struct space){ (float *)sums, (float *)(sums + b.acc), (float *)copies,
                           (float *)(copies + b.x), (int32_t *)(copies + b.x + b.dy) };
}

/* Which output pixels chunk i covers: rows p0 .. p0 + rows of pictures n0 .. n0 + images, `pixels`
 * one after the other from number `first` of the batch. */
struct chunk {
    int n0, images, p0, rows;
    size_t first, pixels;
};

static struct chunk chunk_at(const struct rn_conv *c, const struct plan *p, int N, size_t i)
{
    struct chunk k = { (int)i * p->images, p->images, 0, c->s.P, 0, 0 };
    if (p->pieces > 1) {
        k.n0 = (int)(i / (size_t)p->pieces);
        k.p0 = (int)(i % (size_t)p->pieces) * p->rows;
        k.rows = c->s.P - k.p0 < p->rows ? c->s.P - k.p0 : p->rows;
    }
    if (k.n0 + k.images > N)
        k.images = N - k.n0;
    k.first = ((size_t)k.n0 * (size_t)c->s.P + (size_t)k.p0) * (size_t)c->s.Q;
    k.pixels = (size_t)k.images * (size_t)k.rows * (size_t)c->s.Q;
    return k;
}

/* One row of all slices: zeros, the part of x's row that lies inside, zeros. */
static void copy_row(const struct rn_conv *c, const struct plan *p, const float *x, int n, int h,
                     float *out)
{
    const struct rn_conv_shape *s = &c->s;
    size_t C = (size_t)s->C, ld = (size_t)p->ld, apart = slice_floats(p);
    size_t region = (size_t)p->region_w, W = (size_t)s->W, left = (size_t)s->win.left;
    bool outside = h < 0 || h >= s->H;
    size_t first = outside || left > region ? region : left;
    size_t inside = W < region - first ? W : region - first, last = region - first - inside;
    size_t G = p->dense ? (size_t)s->G : 1, channels = C / G, blocks = slices_of(c, p) / G;
    const float *row = x + ((size_t)n * (size_t)s->H + (size_t)(outside ? 0 : h)) * W * C;

    for (size_t i = 0; i < slices_of(c, p); i++) {
        memset(out + i * apart, 0, first * ld * sizeof *out);
        memset(out + i * apart + (region - last) * ld, 0, last * ld * sizeof *out);
    }
    if (inside && p->flat)
        memcpy(out + first * ld, row, inside * C * sizeof *out);
    else
        for (size_t g = 0; g < G; g++)
            c->k->cut(out + g * blocks * apart + first * ld, apart, ld, row + g * channels, C,
                      inside, channels);
}

static void copy_x(const struct rn_conv *c, const struct plan *p, const struct chunk *k,
                   const float *x, float *out, int thread, int threads)
{
    size_t region_h = (size_t)p->region_h, row = (size_t)p->region_w * (size_t)p->ld;
    struct rn_range r = rn_share((size_t)k->images * region_h, thread, threads);

    for (size_t i = r.first; i < r.last; i++) {
        int h = k->p0 * c->s.win.stride_h - c->s.win.top + (int)(i % region_h);
        copy_row(c, p, x, k->n0 + (int)(i / region_h), h, out + i * row);
    }
}

/* dy of the chunk's pixels, which lie one after the other, in panels. */
static void copy_dy(const struct rn_conv *c, const struct plan *p, const float *dy, float *out,
                    struct rn_range r)
{
    size_t G = (size_t)c->s.G, K = (size_t)c->s.K, Kg = K / G, nr = c->k->outer_nr;
    size_t panel = p->pixels * nr;

    for (size_t g = 0; g < G; g++)
        c->k->cut(out + g * p->panels * panel + r.first * nr, panel, nr, dy + r.first * K + g * Kg,
                  K, r.last - r.first, Kg);
}

/* Where each pixel's first tap lies in the copy of x. */
static void fill_offsets(const struct rn_conv *c, const struct plan *p, const struct chunk *k,
                         int32_t *off, struct rn_range pixels)
{
    size_t Q = (size_t)c->s.Q, rows = (size_t)k->rows;
    size_t down = (size_t)c->s.win.stride_h, right = (size_t)c->s.win.stride_w;

    for (size_t i = pixels.first; i < pixels.last; i++) {
        size_t q = i % Q, at = i / Q % rows, image = i / Q / rows;
        size_t row = image * (size_t)p->region_h + at * down;
        off[i] = (int32_t)((row * (size_t)p->region_w + q * right) * (size_t)p->ld);
    }
}

/* Tile number i of dw: tap fastest, then panel, block of channels, group: dy's panel and x's block,
 * which is the larger one, stay in cache. */
struct tile {
    size_t group, panel, block, tap, channels;
};

static struct tile tile_at(const struct plan *p, size_t i)
{
    struct tile t;
    t.tap = i % (size_t)p->taps;
    i /= (size_t)p->taps;
    t.panel = i % p->panels;
    i /= p->panels;
    t.block = i % p->blocks;
    t.group = i / p->blocks;
    size_t left = (size_t)p->C - t.block * p->block;
    t.channels = left < p->block ? left : p->block;
    return t;
}

/* next: the next chunk's dy, so many floats, which the tiles fetch meanwhile. */
static void add_tiles(const struct rn_conv *c, const struct plan *p, const struct space *s,
                      size_t pixels, bool first, const float *next, size_t floats,
                      struct rn_range r)
{
    size_t mr = c->k->outer_mr, nr = c->k->outer_nr, S = (size_t)c->s.win.S;
    size_t Cg = (size_t)(c->s.C / c->s.G);

    for (size_t i = r.first; i < r.last; i++) {
        struct tile t = tile_at(p, i);
        size_t row = p->flat ? t.tap : t.tap / S, col = p->flat ? 0 : t.tap % S;
        size_t channels = p->dense ? (t.group * p->blocks + t.block) * slice_floats(p)
                                   : t.group * Cg + t.block * p->block;
        const float *x = s->x + channels + (row * (size_t)p->region_w + col) * (size_t)p->ld;
        const float *dy = s->dy + (t.group * p->panels + t.panel) * p->pixels * nr;
        const struct rn_fetch fetch = rn_conv_fetch_part(next, floats, i, p->tasks);
        c->k->outer(s->acc + i * mr * nr, nr, x, s->off, dy, pixels, t.channels, first, &fetch, 1);
    }
}

static void add_bias(const struct rn_conv *c, const struct plan *p, const struct space *s,
                     size_t pixels, bool first, int thread, int threads)
{
    size_t nr = c->k->outer_nr;
    struct rn_range r = rn_share((size_t)c->s.G * p->panels, thread, threads);

    for (size_t i = r.first; i < r.last; i++) {
        float sum[RN_NR_MAX], *total = s->dbias + i * nr;
        c->k->colsum(sum, s->dy + i * p->pixels * nr, nr, pixels, nr);
        for (size_t k = 0; k < nr; k++)
            total[k] = first ? sum[k] : total[k] + sum[k];
    }
}

/* The chunks of one strip, by a crew: one thread, or the whole team. */
static void run_strip(const struct rn_conv *c, const struct plan *p, const struct rn_conv_run *r,
                      const struct space *s, size_t strip, int thread, int threads)
{
    struct rn_range chunks = rn_share(p->chunks, (int)strip, (int)p->strips), tiles;

    for (size_t i = chunks.first; i < chunks.last; i++) {
        struct chunk k = chunk_at(c, p, r->N, i);
        size_t K = (size_t)c->s.K;
        size_t next = i + 1 < chunks.last ? chunk_at(c, p, r->N, i + 1).pixels * K : 0;
        const float *dy = r->dy + k.first * K;
        struct rn_range pixels = rn_share(k.pixels, thread, threads);
        bool first = i == chunks.first;
        copy_x(c, p, &k, r->x, s->x, thread, threads);
        copy_dy(c, p, dy, s->dy, pixels);
        fill_offsets(c, p, &k, s->off, pixels);
        if (threads > 1)
            rn_barrier();
        struct rn_work w = rn_work_begin(r->todo, p->tasks, 1, p->tasks, thread, threads);
        while (rn_work_next(&w, &tiles))
            add_tiles(c, p, s, k.pixels, first, dy + k.pixels * K, next, tiles);
        if (r->dbias)
            add_bias(c, p, s, k.pixels, first, thread, threads);
        if (threads > 1)
            rn_barrier();
    }
}

/* acc of strip 0 += those of the others, in their order; values first .. last of it. */
static void join_strips(float *sum, size_t strips, size_t stride, struct rn_range r)
{
    for (size_t i = 1; i < strips; i++)
        for (size_t j = r.first; j < r.last; j++)
            sum[j] += sum[i * stride + j];
}

/* Column k of the taps of one panel and block, to where the file has them: [C/G][R][S] of filter k.
 */
static void store_column(const struct rn_conv *c, const struct plan *p, const float *acc,
                         const struct tile *t, size_t k, float *filter)
{
    size_t mr = c->k->outer_mr, nr = c->k->outer_nr, taps = (size_t)p->taps;
    size_t S = (size_t)c->s.win.S, RS = (size_t)c->s.win.R * S, Cg = (size_t)(c->s.C / c->s.G);

    for (size_t j = 0; j < t->channels; j++) {
        size_t channel = t->block * p->block + j;
        float *to = p->flat ? filter + channel % Cg * RS + channel / Cg : filter + channel * RS;
        for (size_t tap = 0; tap < taps; tap++)
            to[p->flat ? tap * S : tap] = acc[(tap * mr + j) * nr + k];
    }
}

/* From tiles to the file's order, [K][C/G][R][S]: sets of tiles that differ in the tap alone. */
static void store_sets(const struct rn_conv *c, const struct plan *p, const struct space *s,
                       float *dw, struct rn_range r)
{
    size_t nr = c->k->outer_nr, Kg = (size_t)(c->s.K / c->s.G), taps = (size_t)p->taps;
    size_t filter = (size_t)(c->s.C / c->s.G) * (size_t)(c->s.win.R * c->s.win.S);

    for (size_t i = r.first; i < r.last; i++) {
        struct tile t = tile_at(p, i * taps);
        size_t k0 = t.panel * nr, columns = Kg - k0 < nr ? Kg - k0 : nr;
        const float *acc = s->acc + i * taps * c->k->outer_mr * nr;
        for (size_t k = 0; k < columns; k++)
            store_column(c, p, acc, &t, k, dw + (t.group * Kg + k0 + k) * filter);
    }
}

static void store_bias(const struct rn_conv *c, const struct plan *p, const struct space *s,
                       float *dbias)
{
    size_t nr = c->k->outer_nr, Kg = (size_t)(c->s.K / c->s.G);

    for (size_t k = 0; k < (size_t)c->s.K; k++)
        dbias[k] = s->dbias[k / Kg * p->panels * nr + k % Kg];
}

static void run(const struct rn_conv *c, enum rn_pass pass, const struct rn_conv_run *r, int thread,
                int threads)
{
    struct plan p = make_plan(c, r->N);
    struct sizes b = sizes_of(c, &p);
    struct space sum = space_at(c, &p, r->scratch, 0, 0);
    struct rn_range mine = rn_share(p.tasks / (size_t)p.taps, thread, threads);
    size_t set = (size_t)p.taps * c->k->outer_mr * c->k->outer_nr;
    size_t stride = (b.acc + b.dbias) / sizeof(float);

    (void)pass;
    if (p.strips == 1) {
        run_strip(c, &p, r, &sum, 0, thread, threads);
    } else {
        struct rn_work w = rn_work_begin(r->todo, p.strips, 1, 1, thread, threads);
        for (struct rn_range one; rn_work_next(&w, &one);) {
            struct space s = space_at(c, &p, r->scratch, one.first, (size_t)thread);
            run_strip(c, &p, r, &s, one.first, 0, 1);
        }
        rn_barrier();
        join_strips(sum.acc, p.strips, stride,
                    (struct rn_range){ mine.first * set, mine.last * set });
    }
    store_sets(c, &p, &sum, r->dw, mine);
    if (r->dbias && thread == 0) {
        join_strips(sum.dbias, p.strips, stride, (struct rn_range){ 0, b.dbias / sizeof(float) });
        store_bias(c, &p, &sum, r->dbias);
    }
}

static bool fits(const struct rn_conv *c, enum rn_pass pass)
{
    (void)c;
    return pass == RN_BACKWARD_WEIGHTS;
}

static size_t scratch(const struct rn_conv *c, enum rn_pass pass, int N, int threads)
{
    struct plan p = make_plan(c, N);
    struct sizes b = sizes_of(c, &p);
    size_t crews = p.strips == 1 ? 1 : (size_t)threads;

    (void)pass;
    return p.strips * (b.acc + b.dbias) + crews * (b.x + b.dy + b.off);
}

const struct rn_conv_algo rn_conv_outer = {
    .name = "outer", .fits = fits, .scratch = scratch, .run = run
};
