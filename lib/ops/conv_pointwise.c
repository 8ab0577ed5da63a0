/*
 * Backward-weights of a 1x1 convolution without padding, and so of a linear layer:
 * dw[k][c] = sum over pixels m of dy[m][k] * x[m][c], where m has strides in x. Sums of outer
 * products over chunks of pixels, added where they lie in dw itself: a tile is a block of output
 * channels by a panel of input channels. A thread copies the panel of x that it works on, so that it
 * lies dense in the first cache. dy, of which a tile reads a few channels of each pixel, is cut into
 * blocks where its pixels are far apart, else read as it lies. Both were fetched into the second
 * cache, a panel during the tiles of the one before, dy during the chunk before. Two ways to share
 * the work, by shape:
 *   small dw  the chunks are cut into STRIPS strips with a dw of their own, added in their order at
 *             the end; a thread does whole strips and waits for nobody
 *   large dw  one strip: the team cuts a chunk's dy together, then shares the tiles
 * Chunks and strips depend on the layer and the batch alone: the same bits for any team.
 */
#include <string.h>

#include "base/mem.h"
#include "ops/conv.h"
#include "ops/team.h"

enum {
    STRIPS = 16,
    CHUNK = 256,           /* pixels at most: a panel of x stays in L1, dy in L2 */
    COPIED = 32,           /* of them whose dy is cut at a time */
    DW_SMALL = 64 * 1024,  /* floats: with more, strips would add more than they save */
    DY_FAR = 512,          /* floats between pixels of dy, that leave them few sets of a cache */
    SUMS_FAR = 256 * 1024, /* floats of sums, that no second cache holds beside the operands */
};

/* How the work of one layer is cut. */
struct plan {
    size_t pixels, chunk, chunks; /* output pixels of the batch; of a chunk at most; chunks */
    size_t strips;
    size_t block, blocks; /* output channels of a tile but the last; how many */
    size_t panels;        /* of outer_nr input channels */
    size_t ld;            /* floats from row to row of the sums: whole panels */
    bool in_place;        /* dw has whole panels too: the first strip adds there */
    bool sums_far;        /* the sums are fetched */
    size_t dy_block;      /* floats of a block of dy: a line more, which keeps them off powers of
                           * two; 0: dy is read as it lies */
};

static struct plan make_plan(const struct rn_conv *c, int N)
{
    const struct rn_conv_shape *s = &c->s;
    size_t C = (size_t)s->C, K = (size_t)s->K, nr = c->k->outer_nr;
    struct plan p = { .pixels = (size_t)N * (size_t)s->P * (size_t)s->Q };

    p.chunks = rn_divide_up(p.pixels, CHUNK);
    p.chunk = rn_divide_up(p.pixels, p.chunks);
    p.strips = C * K <= DW_SMALL && p.chunks >= 2 * STRIPS ? STRIPS : 1;
    p.blocks = rn_divide_up(K, c->k->outer_mr);
    p.block = rn_divide_up(K, p.blocks);
    p.panels = rn_divide_up(C, nr);
    p.ld = p.panels * nr;
    p.in_place = p.ld == C;
    p.sums_far = K * p.ld >= SUMS_FAR;
    p.dy_block = K >= DY_FAR ? p.chunk * p.block + RN_LINE : 0;
    return p;
}

/* One run of the pass, by one thread. */
struct job {
    const struct rn_conv *c;
    const struct rn_conv_run *r;
    struct plan p;
    float *x;           /* a panel, [chunk][outer_nr], the thread's own */
    float *dy;          /* [blocks][chunk][block], its crew's: its own, or the team's */
    int32_t off[CHUNK]; /* of a chunk's pixels in dy, or in a block of it */
};

/* The scratch: the sums of all strips that are not in dw, [K][ld] each, then the panel of each thread
 * and the dy of each crew. */
static size_t sum_floats(const struct rn_conv *c, const struct plan *p)
{
    return (size_t)c->s.K * p->ld;
}

static float *sums_at(const struct job *j, size_t strip)
{
    if (j->p.in_place && strip == 0)
        return j->r->dw;
    return (float *)j->r->scratch + (strip - j->p.in_place) * sum_floats(j->c, &j->p);
}

static size_t panel_floats(const struct rn_conv *c, const struct plan *p)
{
    return p->chunk * c->k->outer_nr;
}

static void carve(struct job *j, int thread, int threads)
{
    const struct plan *p = &j->p;
    size_t me = (size_t)thread, panel = panel_floats(j->c, p);
    float *panels = (float *)j->r->scratch + (p->strips - p->in_place) * sum_floats(j->c, p);

    j->x = panels + me * panel;
    j->dy = panels + (size_t)threads * panel + (p->strips > 1 ? me : 0) * p->blocks * p->dy_block;
}

static bool strided(const struct rn_conv *c)
{
    return c->s.win.stride_h > 1 || c->s.win.stride_w > 1;
}

/* Output pixel m of the batch in x; *run pixels from it on lie stride_w apart. */
static const float *pixel_at(const struct job *j, size_t m, size_t *run)
{
    const struct rn_conv_shape *s = &j->c->s;
    size_t P = (size_t)s->P, Q = (size_t)s->Q, C = (size_t)s->C;

    if (!strided(j->c)) {
        *run = j->p.pixels - m;
        return j->r->x + m * C;
    }
    size_t q = m % Q, p = m / Q % P, n = m / Q / P;
    size_t row = n * (size_t)s->H + p * (size_t)s->win.stride_h;
    *run = Q - q;
    return j->r->x + (row * (size_t)s->W + q * (size_t)s->win.stride_w) * C;
}

/* A chunk's pixels of one panel of x. */
static void copy_panel(const struct job *j, size_t panel, struct rn_range chunk)
{
    size_t C = (size_t)j->c->s.C, nr = j->c->k->outer_nr, at = panel * nr, run;
    size_t ldx = C * (size_t)j->c->s.win.stride_w, channels = C - at < nr ? C - at : nr;

    for (size_t m = chunk.first; m < chunk.last; m += run) {
        const float *x = pixel_at(j, m, &run);
        run = run < chunk.last - m ? run : chunk.last - m;
        j->c->k->cut(j->x + (m - chunk.first) * nr, 0, nr, x + at, ldx, run, channels);
    }
}

/* Pixels r of a chunk's dy, which begins with pixel `first` of the batch. */
static void copy_dy(const struct job *j, size_t first, struct rn_range r)
{
    size_t K = (size_t)j->c->s.K;

    j->c->k->cut(j->dy + r.first * j->p.block, j->p.dy_block, j->p.block,
                 j->r->dy + (first + r.first) * K, K, r.last - r.first, K);
}

/* Tile i of the sums, and its rows. */
static float *tile_at(const struct job *j, float *sums, size_t i)
{
    const struct plan *p = &j->p;
    return sums + i % p->blocks * p->block * p->ld + i / p->blocks * j->c->k->outer_nr;
}

static size_t rows_of(const struct job *j, size_t i)
{
    size_t left = (size_t)j->c->s.K - i % j->p.blocks * j->p.block;
    return left < j->p.block ? left : j->p.block;
}

enum { FETCHES = 1 + 2 * RN_NR_MAX / RN_LINE }; /* stretches, at most */

/* Tile i's part of the panel of x behind its own, of this chunk or the next: the lines of some pixels,
 * those that lie evenly. */
static size_t fetch_panel(const struct job *j, size_t i, struct rn_range chunk,
                          struct rn_fetch *fetch)
{
    const struct plan *p = &j->p;
    size_t panel = i / p->blocks + 1, nr = j->c->k->outer_nr, n = 0, run;
    size_t first = panel < p->panels ? chunk.first : chunk.last;
    struct rn_range r = { i % p->blocks * p->chunk / p->blocks,
                          (i % p->blocks + 1) * p->chunk / p->blocks };

    if (first == p->pixels || first + r.last > p->pixels)
        return 0;
    const float *x = pixel_at(j, first + r.first, &run) + panel % p->panels * nr;
    run = run < r.last - r.first ? run : r.last - r.first;
    for (size_t at = 0; at < nr; at += RN_LINE)
        fetch[n++] = (struct rn_fetch){ x + at, (size_t)(j->c->s.C * j->c->s.win.stride_w), run };
    return n;
}

/* What is fetched during tile i: the sums of the next one, of the next panel of x and the next
 * chunk's dy a part. Returns the number of stretches. */
static size_t fetch_ahead(const struct job *j, float *sums, size_t i, struct rn_range chunk,
                          struct rn_fetch *fetch)
{
    const struct plan *p = &j->p;
    size_t K = (size_t)j->c->s.K, tiles = p->panels * p->blocks, n = 0, next = (i + 1) % tiles;

    for (size_t at = 0; p->sums_far && at < j->c->k->outer_nr; at += RN_LINE)
        fetch[n++] = (struct rn_fetch){ tile_at(j, sums, next) + at, p->ld, rows_of(j, next) };
    n += fetch_panel(j, i, chunk, fetch + n);
    if (chunk.last + p->chunk <= p->pixels)
        fetch[n++] = rn_conv_fetch_part(j->r->dy + chunk.last * K, p->chunk * K, i, tiles);
    return n;
}

/* Adds a chunk to the tiles of `r`: block fastest, then panel. */
static void add_tiles(const struct job *j, float *sums, struct rn_range chunk, bool first,
                      struct rn_range r)
{
    const struct plan *p = &j->p;
    size_t step = p->dy_block ? p->dy_block : p->block;
    const float *dy = p->dy_block ? j->dy : j->r->dy + chunk.first * (size_t)j->c->s.K;
    struct rn_fetch fetch[FETCHES];

    for (size_t i = r.first; i < r.last; i++) {
        size_t b = i % p->blocks, fetches = fetch_ahead(j, sums, i, chunk, fetch);
        if (b == 0 || i == r.first)
            copy_panel(j, i / p->blocks, chunk);
        j->c->k->outer(tile_at(j, sums, i), p->ld, dy + b * step, j->off, j->x,
                       chunk.last - chunk.first, rows_of(j, i), first, fetch, fetches);
    }
}

/* A chunk's dy, by a crew. */
static void share_dy(const struct job *j, struct rn_range chunk, int thread, int threads)
{
    struct rn_work w =
        rn_work_begin(j->r->todo, chunk.last - chunk.first, 1, COPIED, thread, threads);

    for (struct rn_range r; rn_work_next(&w, &r);)
        copy_dy(j, chunk.first, r);
    if (threads > 1)
        rn_barrier();
}

/* The chunks of one strip, by a crew: one thread, or the whole team. */
static void run_strip(const struct job *j, size_t strip, int thread, int threads)
{
    struct rn_range chunks = rn_share(j->p.chunks, (int)strip, (int)j->p.strips), r;
    size_t tiles = j->p.panels * j->p.blocks;

    for (size_t i = chunks.first; i < chunks.last; i++) {
        struct rn_range chunk = rn_share(j->p.pixels, (int)i, (int)j->p.chunks);
        if (j->p.dy_block)
            share_dy(j, chunk, thread, threads);
        struct rn_work w = rn_work_begin(j->r->todo, tiles, 1, tiles, thread, threads);
        while (rn_work_next(&w, &r))
            add_tiles(j, sums_at(j, strip), chunk, i == chunks.first, r);
        if (threads > 1)
            rn_barrier();
    }
}

/* The sums of strip 0 += those of the others, in their order. */
static void join_strips(const struct job *j, struct rn_range r)
{
    float *sum = sums_at(j, 0);

    for (size_t i = 1; i < j->p.strips; i++) {
        const float *part = sums_at(j, i);
        for (size_t at = r.first; at < r.last; at++)
            sum[at] += part[at];
    }
}

static void run_strips(const struct job *j, int thread, int threads)
{
    struct rn_work w = rn_work_begin(j->r->todo, j->p.strips, 1, 1, thread, threads);
    struct rn_range one;

    while (rn_work_next(&w, &one))
        run_strip(j, one.first, 0, 1);
    rn_barrier();
    join_strips(j, rn_share(sum_floats(j->c, &j->p), thread, threads));
    rn_barrier();
}

/* From rows of whole panels to dw's. */
static void store(const struct job *j, struct rn_range rows)
{
    size_t C = (size_t)j->c->s.C;

    for (size_t k = rows.first; k < rows.last; k++)
        memcpy(j->r->dw + k * C, sums_at(j, 0) + k * j->p.ld, C * sizeof(float));
}

static void run(const struct rn_conv *c, enum rn_pass pass, const struct rn_conv_run *r, int thread,
                int threads)
{
    struct job j = { .c = c, .r = r, .p = make_plan(c, r->N) };

    (void)pass;
    carve(&j, thread, threads);
    for (size_t m = 0; m < j.p.chunk; m++)
        j.off[m] = (int32_t)(m * (j.p.dy_block ? j.p.block : (size_t)c->s.K));
    if (j.p.strips > 1)
        run_strips(&j, thread, threads);
    else
        run_strip(&j, 0, thread, threads);
    if (!j.p.in_place)
        store(&j, rn_share((size_t)c->s.K, thread, threads));
    if (r->dbias)
        rn_conv_bias_grad(c, r, thread, threads);
}

static bool fits(const struct rn_conv *c, enum rn_pass pass)
{
    const struct rn_window *w = &c->s.win;
    return pass == RN_BACKWARD_WEIGHTS && c->s.G == 1 && w->R == 1 && w->S == 1 && !w->top &&
           !w->left && !w->bottom && !w->right;
}

static size_t scratch(const struct rn_conv *c, enum rn_pass pass, int N, int threads)
{
    struct plan p = make_plan(c, N);
    size_t team = (size_t)threads, crews = p.strips == 1 ? 1 : team;
    size_t sums = (p.strips - p.in_place) * sum_floats(c, &p);

    (void)pass;
    return (sums + team * panel_floats(c, &p) + crews * p.blocks * p.dy_block) * sizeof(float);
}

const struct rn_conv_algo rn_conv_pointwise = {
    .name = "pointwise", .fits = fits, .scratch = scratch, .run = run
};
