/*
 * Backward-weights of a 1x1 convolution without padding, and so of a linear layer:
 * dw[k][c] = sum over pixels m of dy[m][k] * x[m][c], where m has strides in x. Sums of outer
 * products over chunks of pixels, added where they lie in dw itself: a tile is a block of output
 * channels by a panel of input channels. x is cut into panels, and dy, of which a tile reads a few
 * channels of each pixel, into blocks where its pixels are far apart, else read as it lies; both
 * were fetched into the second cache while the tiles of the chunk before were computed. Two ways to
 * share the work, by shape:
 *   small dw  the chunks are cut into STRIPS strips with a dw of their own, added in their order at
 *             the end; a thread does whole strips and waits for nobody
 *   large dw  one strip: the team cuts a chunk together, then each thread adds to its own tiles
 * Chunks and strips depend on the layer and the batch alone: the same bits for any team.
 */
#include <string.h>

#include "base/mem.h"
#include "ops/conv.h"
#include "ops/team.h"

enum {
    STRIPS = 16,
    CHUNK = 256,          /* pixels at most: a panel of x stays in L1, dy in L2 */
    COPIED = 32,          /* of them at a time, where threads share them */
    DW_SMALL = 64 * 1024, /* floats: with more, strips would add more than they save */
    DY_FAR = 512,         /* floats between pixels of dy, that leave them few sets of a cache */
};

/* How the work of one layer is cut. */
struct plan {
    size_t pixels, chunk, chunks; /* output pixels of the batch; of a chunk at most; chunks */
    size_t strips;
    size_t block, blocks; /* output channels of a tile but the last; how many */
    size_t panels;        /* of outer_nr input channels */
    size_t panel;         /* floats of one: a line more, which keeps them off powers of two */
    size_t ld;            /* floats from row to row of the sums: whole panels */
    bool in_place;        /* dw has whole panels too: the first strip adds there */
    size_t dy_block;      /* floats of a block of dy, as panel; 0: dy is read as it lies */
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
    p.panel = p.chunk * nr + RN_LINE;
    p.ld = p.panels * nr;
    p.in_place = p.ld == C;
    p.dy_block = K >= DY_FAR ? p.chunk * p.block + RN_LINE : 0;
    return p;
}

/* One run of the pass. */
struct job {
    const struct rn_conv *c;
    const struct rn_conv_run *r;
    struct plan p;
    int32_t off[CHUNK]; /* of a chunk's pixels in dy, or in a block of it */
};

/* The scratch: the sums of all strips that are not in dw, [K][ld] each; then the copies of all crews
 * (a thread, or the whole team), of x [panels][chunk][outer_nr] and of dy [blocks][chunk][block]. */
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

static size_t copy_floats(const struct plan *p)
{
    return p->panels * p->panel + p->blocks * p->dy_block;
}

static float *copy_at(const struct job *j, size_t crew)
{
    return (float *)j->r->scratch + (j->p.strips - j->p.in_place) * sum_floats(j->c, &j->p) +
           crew * copy_floats(&j->p);
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

/* Copies pixels `r` of a chunk whose first is number `first` of the batch: x, then dy. */
static void copy(const struct job *j, float *to, size_t first, struct rn_range r)
{
    const struct rn_kernels *k = j->c->k;
    size_t C = (size_t)j->c->s.C, ldx = C * (size_t)j->c->s.win.stride_w, nr = k->outer_nr, run;
    size_t K = (size_t)j->c->s.K, block = j->p.block;

    for (size_t m = r.first; m < r.last; m += run) {
        const float *x = pixel_at(j, first + m, &run);
        run = run < r.last - m ? run : r.last - m;
        k->cut(to + m * nr, j->p.panel, nr, x, ldx, run, C);
    }
    if (j->p.dy_block)
        k->cut(to + j->p.panels * j->p.panel + r.first * block, j->p.dy_block, block,
               j->r->dy + (first + r.first) * K, K, r.last - r.first, K);
}

/* Where the lines begin that tile i of a chunk fetches: the next chunk's, which has `next` as its
 * first pixel, spread over the tiles. Those of x only where it is read without gaps. */
static const float *fetch(const struct job *j, size_t i, size_t next)
{
    size_t C = (size_t)j->c->s.C, K = (size_t)j->c->s.K;
    size_t of_x = strided(j->c) ? 0 : rn_divide_up(C, RN_LINE);
    size_t parts = of_x + rn_divide_up(K, RN_LINE);
    size_t part = rn_conv_part(i, j->p.panels * j->p.blocks, parts);

    if (next == j->p.pixels || part == parts)
        return NULL;
    return part < of_x ? j->r->x + next * C + part * j->p.chunk * RN_LINE
                       : j->r->dy + next * K + (part - of_x) * j->p.chunk * RN_LINE;
}

/* Adds a chunk to the tiles of `r`: block fastest, then panel, which stays in L1. */
static void add_tiles(const struct job *j, const float *x, float *sums, struct rn_range chunk,
                      bool first, struct rn_range r)
{
    const struct plan *p = &j->p;
    size_t nr = j->c->k->outer_nr, K = (size_t)j->c->s.K;
    size_t step = p->dy_block ? p->dy_block : p->block; /* from block to block */
    const float *dy = p->dy_block ? x + p->panels * p->panel : j->r->dy + chunk.first * K;

    for (size_t i = r.first; i < r.last; i++) {
        size_t panel = i / p->blocks, b = i % p->blocks, k = b * p->block;
        j->c->k->outer(sums + k * p->ld + panel * nr, p->ld, dy + b * step, j->off,
                       x + panel * p->panel, chunk.last - chunk.first,
                       K - k < p->block ? K - k : p->block, first, fetch(j, i, chunk.last));
    }
}

/* The chunks of one strip, by a crew: one thread, or the whole team (then each has its tiles). */
static void run_strip(const struct job *j, size_t strip, float *x, int thread, int threads)
{
    struct rn_range chunks = rn_share(j->p.chunks, (int)strip, (int)j->p.strips), r;
    size_t tiles = j->p.panels * j->p.blocks;

    for (size_t i = chunks.first; i < chunks.last; i++) {
        struct rn_range chunk = rn_share(j->p.pixels, (int)i, (int)j->p.chunks);
        size_t pixels = chunk.last - chunk.first;
        struct rn_work w = rn_work_begin(j->r->todo, pixels, 1, COPIED, thread, threads);
        while (rn_work_next(&w, &r))
            copy(j, x, chunk.first, r);
        if (threads > 1)
            rn_barrier();
        w = rn_work_begin(j->r->todo, tiles, 1, tiles, thread, threads);
        while (rn_work_next(&w, &r))
            add_tiles(j, x, sums_at(j, strip), chunk, i == chunks.first, r);
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
        run_strip(j, one.first, copy_at(j, (size_t)thread), 0, 1);
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
    for (size_t m = 0; m < j.p.chunk; m++)
        j.off[m] = (int32_t)(m * (j.p.dy_block ? j.p.block : (size_t)c->s.K));
    if (j.p.strips > 1)
        run_strips(&j, thread, threads);
    else
        run_strip(&j, 0, copy_at(&j, 0), thread, threads);
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
    size_t crews = p.strips == 1 ? 1 : (size_t)threads;

    (void)pass;
    return ((p.strips - p.in_place) * sum_floats(c, &p) + crews * copy_floats(&p)) * sizeof(float);
}

const struct rn_conv_algo rn_conv_pointwise = {
    .name = "pointwise", .fits = fits, .scratch = scratch, .run = run
};
