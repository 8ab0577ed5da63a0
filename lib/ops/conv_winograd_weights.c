/*
 * Backward-weights of a 3x3 convolution of stride 1 by Winograd's algorithm: with the tiles of x
 * and of dy transformed, a tile's part of dw is a product element by element, so that the sum over
 * all tiles is a sum of outer products for each element e,
 *   sum[e][c][k] = sum over tiles t of v[e][t][c] * d[e][t][k],
 * transformed back once at the end. The team transforms a chunk of tiles together, then each thread
 * adds the chunk to its own part of the sums. Chunks depend on the layer and the batch alone: the
 * same bits for any team.
 */
#include <string.h>

#include "base/mem.h"
#include "ops/team.h"
#include "ops/winograd.h"

enum { CHUNK = 256 }; /* tiles: so many outer products for each visit of a sum */

struct job {
    const struct rn_conv *c;
    const struct rn_conv_run *r;
    struct rn_wino_view v;
    size_t tiles, chunk;   /* of the batch; of a chunk */
    size_t nr, mr, panels; /* of output channels */
    size_t blocks, block;  /* of input channels: how many, channels in each but the last */
    size_t ld, ld_v, ld_d; /* floats between tiles in v; between matrices in v and d */
    float *sum;            /* [elements][panels][blocks][mr][nr] */
    float *in;             /* v: [elements][chunk][ld] */
    float *out;            /* d: [elements][panels][chunk][nr] */
    float *zero;           /* [max(C, K)] */
    int32_t *off;          /* [chunk] of tiles in v */
};

static struct job make_job(const struct rn_conv *c, int N)
{
    const struct rn_kernels *k = c->k;
    struct job j = { .c = c, .v = rn_wino_view(c, RN_BACKWARD_WEIGHTS) };

    j.tiles = (size_t)N * j.v.rows * j.v.cols;
    j.chunk = j.tiles < CHUNK ? j.tiles : CHUNK;
    j.nr = k->outer_nr;
    j.mr = k->outer_mr;
    j.panels = rn_divide_up((size_t)j.v.K, j.nr);
    j.blocks = rn_divide_up((size_t)j.v.C, j.mr);
    j.block = rn_divide_up((size_t)j.v.C, j.blocks);
    j.ld = (size_t)j.v.C + RN_WINO_GAP;
    j.ld_v = j.chunk * j.ld + RN_WINO_GAP;
    j.ld_d = j.panels * j.chunk * j.nr + RN_WINO_GAP;
    return j;
}

/* Lays the parts of the scratch out from `base` on; returns their bytes. */
static size_t carve(struct job *j, char *base)
{
    size_t widest = (size_t)(j->v.C > j->v.K ? j->v.C : j->v.K);
    size_t sum = rn_align(j->v.elements * j->panels * j->blocks * j->mr * j->nr * sizeof(float));
    size_t in = rn_align(j->v.elements * j->ld_v * sizeof(float));
    size_t out = rn_align(j->v.elements * j->ld_d * sizeof(float));
    size_t zero = rn_align(widest * sizeof(float)), off = rn_align(j->chunk * sizeof(int32_t));

    if (base) {
        j->sum = (float *)base;
        j->in = (float *)(base + sum);
        j->out = (float *)(base + sum + in);
        j->zero = (float *)(base + sum + in + out);
        j->off = (int32_t *)(base + sum + in + out + zero);
    }
    return sum + in + out + zero + off;
}

size_t rn_wino_weights_scratch(const struct rn_conv *c, int N)
{
    struct job j = make_job(c, N);
    return carve(&j, NULL);
}

/* ---- a chunk ---- */

/* Tile t of the batch, of x and dy, into place `at`. */
static void transform_tile(const struct job *j, size_t t, size_t at)
{
    const struct rn_wino_view *v = &j->v;
    const float *pixel[RN_WINO_ELEMENTS];
    size_t row[RN_WINO_OUTPUTS];

    rn_wino_input_at(v, j->r->x, j->zero, t, pixel);
    v->k->input(j->in + at * j->ld, j->ld_v, pixel, (size_t)v->C);
    rn_wino_output_at(v, t, row);
    for (int i = 0; i < v->m * v->m; i++)
        pixel[i] = row[i] == SIZE_MAX ? j->zero : j->r->dy + row[i];
    v->k->output_grad(j->out + at * j->nr, j->ld_d, j->chunk * j->nr, pixel, (size_t)v->K);
}

/* Channels of block b. */
static size_t block_channels(const struct job *j, size_t b)
{
    size_t left = (size_t)j->v.C - b * j->block;
    return left < j->block ? left : j->block;
}

/* Adds `tiles` transformed tiles to sum number i, one tile of registers: block fastest, then panel,
 * then element. */
static void add_tiles(const struct job *j, size_t i, size_t tiles, bool first)
{
    size_t b = i % j->blocks, p = i / j->blocks % j->panels, e = i / j->blocks / j->panels;

    j->c->k->outer(j->sum + i * j->mr * j->nr, j->nr, j->in + e * j->ld_v + b * j->block, j->off,
                   j->out + e * j->ld_d + p * j->chunk * j->nr, tiles, block_channels(j, b), first,
                   NULL);
}

static void add_chunk(const struct job *j, size_t first, int thread, int threads)
{
    size_t left = j->tiles - first, tiles = left < j->chunk ? left : j->chunk;
    struct rn_range t = rn_share(tiles, thread, threads);
    struct rn_range sums = rn_share(j->v.elements * j->panels * j->blocks, thread, threads);

    for (size_t i = t.first; i < t.last; i++)
        transform_tile(j, first + i, i);
    rn_barrier();
    for (size_t i = sums.first; i < sums.last; i++)
        add_tiles(j, i, tiles, first == 0);
    rn_barrier();
}

/* ---- from the sums to dw ---- */

/* Sums of one panel and block to dw, [K][C][3][3]. */
static void store(const struct job *j, size_t panel, size_t b, float *dw)
{
    size_t C = (size_t)j->v.C, k0 = panel * j->nr, left = (size_t)j->v.K - k0;
    size_t columns = left < j->nr ? left : j->nr, channels = block_channels(j, b);
    size_t ld = j->panels * j->blocks * j->mr * j->nr;
    const float *sum = j->sum + (panel * j->blocks + b) * j->mr * j->nr;
    float g[RN_MR_MAX * 9 * RN_NR_MAX];

    for (size_t c = 0; c < channels; c++)
        j->v.k->filter_grad(g + c * 9 * j->nr, sum + c * j->nr, ld, j->nr);
    for (size_t k = 0; k < columns; k++) {
        float *to = dw + ((k0 + k) * C + b * j->block) * 9;
        for (size_t i = 0; i < channels * 9; i++)
            to[i] = g[i * j->nr + k];
    }
}

/* ---- running ---- */

static void prepare(const struct job *j)
{
    size_t widest = (size_t)(j->v.C > j->v.K ? j->v.C : j->v.K);

    memset(j->zero, 0, widest * sizeof(float));
    for (size_t t = 0; t < j->chunk; t++)
        j->off[t] = (int32_t)(t * j->ld);
}

void rn_wino_weights_run(const struct rn_conv *c, const struct rn_conv_run *r, int thread,
                         int threads)
{
    struct job j = make_job(c, r->N);
    struct rn_range sets = rn_share(j.panels * j.blocks, thread, threads);

    j.r = r;
    carve(&j, r->scratch);
    if (thread == 0)
        prepare(&j);
    rn_barrier();
    for (size_t t = 0; t < j.tiles; t += j.chunk)
        add_chunk(&j, t, thread, threads);
    for (size_t i = sets.first; i < sets.last; i++)
        store(&j, i / j.blocks, i % j.blocks, r->dw);
    if (r->dbias)
        rn_conv_bias_grad(c, r, thread, threads);
}
