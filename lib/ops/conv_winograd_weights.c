/*
 * Backward-weights of a 3x3 convolution of stride 1 by Winograd's algorithm: with the tiles of x
 * and of dy transformed, a tile's part of dw is a product element by element, so that the sum over
 * all tiles is a sum of outer products for each element e,
 *   sum[e][c][k] = sum over tiles t of v[e][t][c] * d[e][t][k],
 * transformed back once at the end. Where the sums are large the team transforms a chunk of tiles
 * together, then its threads share the tiles of the sums. Where they are small there are several, of a group of tiles each, which are joined at the end, and a thread does a group
 * alone. Chunks and groups depend on the layer and the batch alone: the same bits for any team.
 */
#include <string.h>

#include "base/mem.h"
#include "ops/team.h"
#include "ops/winograd.h"

/* Tiles of a chunk: enough outer products for each visit of a sum, and transforms that stay in L2
 * where that leaves enough. */
enum { CHUNK_FLOATS = 128 * 1024, CHUNK_MIN = 128, CHUNK_MAX = 256 };

/* Groups of tiles: as many as their sums have room for, none where they would be few, which leaves
 * threads idle, or small. */
enum { SUM_FLOATS = 384 * 1024, GROUPS_MIN = 8, GROUPS_MAX = 16, GROUP_TILES = 48 };

/* Panels of output channels that one kernel sums up, a tile of registers for each block of input
 * channels. */
struct part {
    rn_outer_fn *outer;
    size_t nr, mr;
    size_t k0, K;         /* output channels */
    size_t panels;        /* of them */
    size_t blocks, block; /* of input channels: how many, channels in each but the last */
    size_t first, tiles;  /* number of the first tile of an element; of tiles */
};

struct job {
    const struct rn_conv *c;
    const struct rn_conv_run *r;
    struct rn_wino_view v;
    size_t tiles, chunk;      /* of the batch; of a chunk */
    struct part wide, narrow; /* narrow: the last channels, where they are few */
    size_t tile;              /* floats of a tile of sums, at most */
    size_t groups, sums;      /* floats of a group's sums */
    size_t ld, ld_v, ld_d;    /* floats between tiles in v; between matrices in v and d */
    float *sum;               /* [groups][elements][tiles of wide and narrow][tile] */
    float *in;                /* v: [elements][chunk][ld] */
    float *out;               /* d: [elements]([wide.panels][chunk][wide.nr], [chunk][narrow.nr]) */
    float *zero;              /* a row of pixels, of x or dy */
    int32_t *off;             /* [chunk] of tiles in v */
};

static void size_part(struct part *p, size_t k0, size_t K, size_t C)
{
    p->k0 = k0;
    p->K = K;
    p->panels = rn_divide_up(K, p->nr);
    p->blocks = rn_divide_up(C, p->mr);
    p->block = rn_divide_up(C, p->blocks);
    p->tiles = p->panels * p->blocks;
}

static size_t part_columns(const struct part *p)
{
    return p->panels * p->nr;
}

static size_t element_tiles(const struct job *j)
{
    return j->wide.tiles + j->narrow.tiles;
}

static void size_groups(struct job *j)
{
    j->sums = j->v.elements * element_tiles(j) * j->tile;
    j->groups = SUM_FLOATS / j->sums;
    j->groups = j->groups < GROUPS_MIN ? 1 : j->groups < GROUPS_MAX ? GROUPS_MIN : GROUPS_MAX;
    if (j->tiles < j->groups * GROUP_TILES)
        j->groups = 1;
}

static void size_chunk(struct job *j)
{
    size_t C = (size_t)j->v.C, columns = part_columns(&j->wide) + part_columns(&j->narrow);
    size_t most = rn_divide_up(j->tiles, j->groups);

    j->ld = C % 64 ? C : C + RN_WINO_GAP;
    j->chunk = CHUNK_FLOATS / (j->v.elements * (j->ld + columns));
    j->chunk = j->chunk < CHUNK_MIN ? CHUNK_MIN : j->chunk > CHUNK_MAX ? CHUNK_MAX : j->chunk;
    j->chunk = j->chunk < most ? j->chunk : most;
    j->ld_v = j->chunk * j->ld + RN_WINO_GAP;
    j->ld_d = j->chunk * columns + RN_WINO_GAP;
}

static struct job make_job(const struct rn_conv *c, int N)
{
    const struct rn_kernels *k = c->k;
    struct job j = { .c = c, .v = rn_wino_view(c, RN_BACKWARD_WEIGHTS) };
    size_t C = (size_t)j.v.C, K = (size_t)j.v.K, left = K % k->outer_nr;

    if (left > k->outer_narrow_nr)
        left = 0;
    j.tiles = (size_t)N * j.v.rows * j.v.cols;
    j.wide = (struct part){ .outer = k->outer, .nr = k->outer_nr, .mr = k->outer_mr };
    j.narrow = (struct part){ .outer = k->outer_narrow,
                              .nr = k->outer_narrow_nr,
                              .mr = k->outer_narrow_mr };
    size_part(&j.wide, 0, K - left, C);
    size_part(&j.narrow, K - left, left, C);
    j.narrow.first = j.wide.tiles;
    j.tile = j.wide.mr * j.wide.nr;
    if (j.tile < j.narrow.mr * j.narrow.nr)
        j.tile = j.narrow.mr * j.narrow.nr;
    size_groups(&j);
    size_chunk(&j);
    return j;
}

static size_t zero_bytes(const struct job *j)
{
    size_t x = (size_t)j->v.W * (size_t)j->v.C, dy = (size_t)j->v.Q * (size_t)j->v.K;
    return rn_align((x > dy ? x : dy) * sizeof(float));
}

/* Room for a chunk: of the team's, or with groups of a thread's own. */
static size_t chunk_bytes(const struct job *j)
{
    return rn_align(j->v.elements * j->ld_v * sizeof(float)) +
           rn_align(j->v.elements * j->ld_d * sizeof(float)) + zero_bytes(j) +
           rn_align(j->chunk * sizeof(int32_t));
}

static size_t sum_bytes(const struct job *j)
{
    return rn_align(j->groups * j->sums * sizeof(float));
}

/* Where the parts of the scratch are: the sums, then the room for a chunk. */
static void carve(struct job *j, char *base, int thread)
{
    j->sum = (float *)base;
    base += sum_bytes(j) + (j->groups > 1 ? (size_t)thread * chunk_bytes(j) : 0);
    j->in = (float *)base;
    base += rn_align(j->v.elements * j->ld_v * sizeof(float));
    j->out = (float *)base;
    base += rn_align(j->v.elements * j->ld_d * sizeof(float));
    j->zero = (float *)base;
    j->off = (int32_t *)(base + zero_bytes(j));
}

size_t rn_wino_weights_scratch(const struct rn_conv *c, int N, int threads)
{
    struct job j = make_job(c, N);
    return sum_bytes(&j) + (j.groups > 1 ? (size_t)threads : 1) * chunk_bytes(&j);
}

/* ---- a chunk ---- */

/* A part's matrices in d. */
static float *part_out(const struct job *j, const struct part *p)
{
    return j->out + j->chunk * p->k0;
}

/* The gradients dy of a strip, a part's channels, into places from `at` on. */
static void transform_gradient(const struct job *j, const struct part *p,
                               const struct rn_wino_strip *s, size_t at)
{
    const struct rn_wino_view *v = &j->v;
    const float *row[RN_WINO_EDGE], *dy = j->r->dy + rn_wino_output_at(v, s) + p->k0;
    size_t K = (size_t)v->K;

    if (!p->panels)
        return;
    for (int i = 0; i < v->m; i++)
        row[i] = s->p + i < v->P ? dy + (size_t)i * (size_t)v->Q * K : j->zero;
    v->k->output_grad(part_out(j, p) + at * p->nr, j->ld_d, p->nr, j->chunk * p->nr, row, K,
                      (size_t)(v->Q - s->q), s->tiles, p->K);
}

/* A strip of x and dy into places from `at` on. */
static void transform_strip(const struct job *j, const struct rn_wino_strip *s, size_t at)
{
    const struct rn_wino_view *v = &j->v;
    const float *row[RN_WINO_EDGE];

    rn_wino_input_rows(v, s, j->r->x, j->zero, row);
    v->k->input(j->in + at * j->ld, j->ld_v, j->ld, row, s->q - v->left, v->W, s->tiles,
                (size_t)v->C);
    transform_gradient(j, &j->wide, s, at);
    transform_gradient(j, &j->narrow, s, at);
}

/* Channels of block b. */
static size_t block_channels(const struct job *j, const struct part *p, size_t b)
{
    size_t left = (size_t)j->v.C - b * p->block;
    return left < p->block ? left : p->block;
}

/* Adds `tiles` transformed tiles to number i of the sums, one tile of registers: block fastest, then
 * panel, then element. */
static void add_tiles(const struct job *j, float *sums, size_t i, size_t tiles, bool first)
{
    size_t e = i / element_tiles(j), at = i % element_tiles(j);
    const struct part *p = at < j->wide.tiles ? &j->wide : &j->narrow;
    size_t b = (at - p->first) % p->blocks, panel = (at - p->first) / p->blocks;

    p->outer(sums + i * j->tile, p->nr, j->in + e * j->ld_v + b * p->block, j->off,
             part_out(j, p) + e * j->ld_d + panel * j->chunk * p->nr, tiles,
             block_channels(j, p, b), first, NULL, 0);
}

/* `tiles` tiles from `at` on to the sums, by threads in step. */
static void add_chunk(const struct job *j, float *sums, size_t at, size_t tiles, bool first,
                      int thread, int threads)
{
    size_t outers = j->v.elements * element_tiles(j);
    struct rn_work w = rn_work_begin(j->r->todo, tiles, 1, tiles, thread, threads);
    struct rn_range r;
    struct rn_wino_strip s;

    while (rn_work_next(&w, &r))
        for (size_t i = r.first; i < r.last; i += s.tiles) {
            s = rn_wino_strip(&j->v, at + i, r.last - i);
            transform_strip(j, &s, i);
        }
    if (threads > 1)
        rn_barrier();
    w = rn_work_begin(j->r->todo, outers, 1, outers, thread, threads);
    while (rn_work_next(&w, &r))
        for (size_t i = r.first; i < r.last; i++)
            add_tiles(j, sums, i, tiles, first);
    if (threads > 1)
        rn_barrier();
}

static void add_group(const struct job *j, size_t g, int thread, int threads)
{
    struct rn_range t = rn_share(j->tiles, (int)g, (int)j->groups);

    for (size_t at = t.first; at < t.last; at += j->chunk) {
        size_t left = t.last - at, tiles = left < j->chunk ? left : j->chunk;
        add_chunk(j, j->sum + g * j->sums, at, tiles, at == t.first, thread, threads);
    }
}

/* ---- from the sums to dw ---- */

/* Adds the groups' tiles number `at` of all elements to the first group's, in their order. */
static void join(const struct job *j, size_t at)
{
    const struct part *p = at < j->wide.tiles ? &j->wide : &j->narrow;
    size_t n = block_channels(j, p, (at - p->first) % p->blocks) * p->nr;

    for (size_t e = 0; e < j->v.elements; e++) {
        float *sum = j->sum + (e * element_tiles(j) + at) * j->tile;
        for (size_t g = 1; g < j->groups; g++)
            j->c->k->add(sum, sum, sum + g * j->sums, n, false);
    }
}

/* Sums of an element's tile number `at`, in all elements, to dw, [K][C][3][3]. */
static void store(const struct job *j, size_t at, float *dw)
{
    const struct part *p = at < j->wide.tiles ? &j->wide : &j->narrow;
    size_t b = (at - p->first) % p->blocks, panel = (at - p->first) / p->blocks, nr = p->nr;
    size_t left = p->K - panel * nr, columns = left < nr ? left : nr;
    size_t C = (size_t)j->v.C, channels = block_channels(j, p, b), ld = element_tiles(j) * j->tile;
    float g[RN_MR_MAX * 9 * RN_NR_MAX];

    for (size_t c = 0; c < channels; c++)
        j->v.k->filter_grad(g + c * 9 * nr, j->sum + at * j->tile + c * nr, ld, nr);
    for (size_t k = 0; k < columns; k++) {
        float *to = dw + ((p->k0 + panel * nr + k) * C + b * p->block) * 9;
        for (size_t i = 0; i < channels * 9; i++)
            to[i] = g[i * nr + k];
    }
}

/* ---- running ---- */

static void prepare(const struct job *j)
{
    memset(j->zero, 0, zero_bytes(j));
    for (size_t t = 0; t < j->chunk; t++)
        j->off[t] = (int32_t)(t * j->ld);
}

/* All sums, complete when the threads have met. */
static void add_all(struct job *j, int thread, int threads)
{
    if (j->groups > 1 || thread == 0)
        prepare(j);
    if (j->groups == 1) {
        rn_barrier();
        add_group(j, 0, thread, threads);
        return;
    }
    struct rn_work w = rn_work_begin(j->r->todo, j->groups, 1, 1, thread, threads);
    for (struct rn_range one; rn_work_next(&w, &one);)
        add_group(j, one.first, 0, 1);
    rn_barrier();
}

void rn_wino_weights_run(const struct rn_conv *c, const struct rn_conv_run *r, int thread,
                         int threads)
{
    struct job j = make_job(c, r->N);
    struct rn_range stored = rn_share(element_tiles(&j), thread, threads);

    j.r = r;
    carve(&j, r->scratch, thread);
    add_all(&j, thread, threads);
    for (size_t i = stored.first; i < stored.last; i++) {
        join(&j, i);
        store(&j, i, r->dw);
    }
    if (r->dbias)
        rn_conv_bias_grad(c, r, thread, threads);
}
