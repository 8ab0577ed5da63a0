/*
 * Convolution in groups of 1, 2, 4, 8 or 16 channels, as many out as in (depthwise; ResNeXt): lanes
 * are channels, a vector holds several groups whole. The rows that a band of output rows needs wait
 * in a ring, cut into vectors with the padding's zeros around them, so that a vector's pixels are
 * neighbours and in the nearest cache. Backward-data is the same with the filters turned and
 * transposed; under a stride, the outputs of each phase (row and column modulo the stride) meet
 * taps of their own, with gradients that are neighbours. Threads share the output rows of each
 * picture and block of vectors. Backward-weights adds a few rows at a time to sums of its own for
 * each strip of pictures; the strips are joined in their order.
 */
#include <string.h>

#include "base/mem.h"
#include "ops/grouped.h"
#include "ops/team.h"

enum {
    STRIPS = 16, /* of pictures, in backward-weights */
    ROWS = 8,    /* of the output, that the kernel adds at a time there */
};

static bool fits(const struct rn_conv *c, enum rn_pass pass)
{
    const struct rn_conv_shape *s = &c->s;
    const struct rn_window *w = &s->win;
    size_t width = (size_t)(s->C / s->G);
    bool narrow = width <= RN_GROUP_MAX && width <= c->k->group_nr && !(width & (width - 1));
    bool padded = w->top >= 0 && w->top < w->R && w->left >= 0 && w->left < w->S;

    (void)pass;
    return padded && s->G > 1 && s->C == s->K && narrow;
}

/* ---- running ---- */

/* What one thread works with. */
struct job {
    const struct rn_conv *c;
    struct rn_grouped_view v;
    const float *x, *w, *bias, *res;
    float *y;
    int end;           /* RN_RELU, RN_STREAM */
    const float *dy;   /* backward-weights, which adds to */
    float *sum;        /* [vectors][T][width][nr] */
    const float *zero; /* a line of the ring in the padding */
    float *ring;       /* [depth][block] lines; row h of the input is the ring's row h % depth */
    float *dys;        /* [band][block][Q][nr] of dy */
};

static size_t thread_bytes(const struct rn_grouped_view *v)
{
    size_t rows = v->depth * rn_grouped_line(v) + v->band * rn_grouped_dy_line(v);
    return rn_align((rn_grouped_line(v) + v->block * rows) * sizeof(float));
}

static size_t strips_of(int N)
{
    return N < STRIPS ? (size_t)N : STRIPS;
}

/* Floats of a strip's sums. */
static size_t strip_floats(const struct rn_grouped_view *v)
{
    return v->vectors * rn_grouped_filter(v);
}

/* What the threads have, then the sums of the strips. */
static size_t scratch(const struct rn_conv *c, enum rn_pass pass, int N, int threads)
{
    struct rn_grouped_view v = rn_grouped_view(c, pass);
    size_t sums = v.weights ? strips_of(N) * strip_floats(&v) : 0;
    return (size_t)threads * thread_bytes(&v) + rn_align(sums * sizeof(float));
}

static float *ring_row(const struct job *j, int h)
{
    return j->ring + (size_t)h % j->v.depth * j->v.block * rn_grouped_line(&j->v);
}

/* Row r of the band's dy. */
static float *dy_row(const struct job *j, size_t r)
{
    return j->dys + r * j->v.block * rn_grouped_dy_line(&j->v);
}

/* A block of vectors of one picture. */
struct part {
    size_t n, vector, vectors; /* from vector on, so many */
};

static size_t part_channels(const struct rn_grouped_view *v, const struct part *of)
{
    size_t left = v->C - of->vector * v->nr, most = of->vectors * v->nr;
    return left < most ? left : most;
}

/* The part's rows from `from` below `to` into the ring. Its padding stays. */
static void fill(const struct job *j, const struct part *of, int from, int to)
{
    const struct rn_grouped_view *v = &j->v;
    size_t W = (size_t)v->w.in, M = v->left + W < v->columns ? W : v->columns - v->left;

    for (int h = from > 0 ? from : 0; h < to && h < v->h.in; h++) {
        size_t row = of->n * (size_t)v->h.in + (size_t)h;
        j->c->k->cut(ring_row(j, h) + v->left * v->nr, rn_grouped_line(v), v->nr,
                     j->x + row * W * v->C + of->vector * v->nr, v->C, M, part_channels(v, of));
    }
}

/* The part's rows of dy, a band's. */
static void fill_dy(const struct job *j, const struct part *of, struct rn_range rows)
{
    const struct rn_grouped_view *v = &j->v;
    size_t Q = (size_t)v->w.out, first = of->n * (size_t)v->h.out;

    for (size_t p = rows.first; p < rows.last; p++)
        j->c->k->cut(dy_row(j, p - rows.first), rn_grouped_dy_line(v), v->nr,
                     j->dy + (first + p) * Q * v->C + of->vector * v->nr, v->C, Q,
                     part_channels(v, of));
}

/* Where vector i of the part has the taps of one phase's first output. Returns how many. */
static size_t find_taps(const struct job *j, size_t i, struct rn_grouped_sight h,
                        struct rn_grouped_sight w, const float **tap)
{
    const struct rn_grouped_view *v = &j->v;
    size_t n = 0;

    for (int r = h.first; r < h.first + h.n; r++) {
        bool inside = (unsigned)r < (unsigned)v->h.in;
        const float *line = inside ? ring_row(j, r) + i * rn_grouped_line(v) : j->zero;
        for (int s = w.first; s < w.first + w.n; s++)
            tap[n++] = line + (v->left + (size_t)s) * v->nr;
    }
    return n;
}

/* Vector i of the part, row p of the output: phase by phase of its columns. */
static void run_line(const struct job *j, const struct part *of, size_t i, size_t p)
{
    const struct rn_grouped_view *v = &j->v;
    size_t nr = v->nr, channel = (of->vector + i) * nr, step = (size_t)rn_grouped_reach(&v->w) * nr;
    size_t K = v->C - channel < nr ? v->C - channel : nr, each = (size_t)rn_grouped_phases(&v->w);
    size_t Q = (size_t)v->w.out, row = (of->n * (size_t)v->h.out + p) * Q;
    int before = rn_grouped_taps_before(&v->h, (int)p % rn_grouped_phases(&v->h)) * v->w.taps;
    const float *w =
        j->w + (of->vector + i) * rn_grouped_filter(v) + (size_t)before * v->width * nr;
    const float *x[RN_TAPS_MAX];

    for (size_t q = 0; q < each && q < Q; q++) {
        size_t at = (row + q) * v->C + channel, M = rn_divide_up(Q - q, each);
        size_t T =
            find_taps(j, i, rn_grouped_sight(&v->h, (int)p), rn_grouped_sight(&v->w, (int)q), x);
        j->c->k->group(j->y + at, j->res ? j->res + at : NULL, each * v->C, x, step, w,
                       j->bias + channel, M, K, T, v->width, j->end);
        w += T * v->width * nr;
    }
}

static void run_band(const struct job *j, const struct part *of, size_t i, struct rn_range band)
{
    for (size_t p = band.first; p < band.last; p++)
        run_line(j, of, i, p);
}

/* What vector i of the part adds to the sums in the rows of a band. */
static void add_band(const struct job *j, const struct part *of, size_t i, struct rn_range band)
{
    const struct rn_grouped_view *v = &j->v;
    const float *x[ROWS * RN_TAPS_MAX];
    size_t T = (size_t)(v->h.taps * v->w.taps), line = rn_grouped_dy_line(v);

    for (size_t p = band.first, rows; p < band.last; p += rows) {
        rows = band.last - p < ROWS ? band.last - p : ROWS;
        for (size_t r = 0; r < rows; r++)
            find_taps(j, i, rn_grouped_sight(&v->h, (int)(p + r)), rn_grouped_sight(&v->w, 0),
                      x + r * T);
        j->c->k->group_grad(j->sum + (of->vector + i) * rn_grouped_filter(v), x,
                            (size_t)v->w.stride * v->nr, dy_row(j, p - band.first) + i * line,
                            v->nr, v->block * line, rows, (size_t)v->w.out, v->nr, T, v->width);
    }
}

/* Rows r of a part's output. */
static void run_rows(const struct job *j, const struct part *of, struct rn_range r)
{
    const struct rn_grouped_axis *h = &j->v.h;
    int next = 0; /* the first row not in the ring */

    for (struct rn_range band = r; band.first < r.last; band.first = band.last) {
        band.last = r.last - band.first < j->v.band ? r.last : band.first + j->v.band;
        struct rn_grouped_sight first = rn_grouped_sight(h, (int)band.first),
                                last = rn_grouped_sight(h, (int)band.last - 1);
        fill(j, of, first.first > next ? first.first : next, last.first + last.n);
        next = last.first + last.n;
        if (j->v.weights)
            fill_dy(j, of, band);
        for (size_t i = 0; i < of->vectors; i++)
            (j->v.weights ? add_band : run_band)(j, of, i, band);
    }
}

/* Block number i of a picture's. */
static struct part make_part(const struct rn_grouped_view *v, size_t n, size_t i)
{
    size_t first = i * v->block, left = v->vectors - first;
    return (struct part){ n, first, left < v->block ? left : v->block };
}

/* The rows r of all, ordered by picture, block, row of the output. */
static void run_range(const struct job *j, struct rn_range r)
{
    size_t P = (size_t)j->v.h.out, blocks = rn_divide_up(j->v.vectors, j->v.block);

    for (size_t i = r.first, last; i < r.last; i = last) {
        size_t at = i / P, start = at * P;
        struct part of = make_part(&j->v, at / blocks, at % blocks);
        last = start + P < r.last ? start + P : r.last;
        run_rows(j, &of, (struct rn_range){ i - start, last - start });
    }
}

static void share_rows(const struct job *j, const struct rn_conv_run *r, int thread, int threads)
{
    size_t rows = (size_t)r->N * rn_divide_up(j->v.vectors, j->v.block) * (size_t)j->v.h.out;
    struct rn_work w = rn_work_begin(r->todo, rows, 1, rows, thread, threads);
    struct rn_range some;

    while (rn_work_next(&w, &some))
        run_range(j, some);
}

/* ---- backward-weights ---- */

/* Sum of vector i over the strips, to dw [K][width][T]. */
static void store_vector(const struct job *j, size_t strips, size_t i, float *dw)
{
    const struct rn_grouped_view *v = &j->v;
    size_t nr = v->nr, width = v->width, T = (size_t)(v->h.taps * v->w.taps);
    size_t n = rn_grouped_filter(v), strip = strip_floats(v);
    float *sum = j->sum + i * n;

    for (size_t s = 1; s < strips; s++)
        for (size_t f = 0; f < n; f++)
            sum[f] += sum[s * strip + f];
    for (size_t f = 0; f < n; f++) {
        size_t in = i * nr + f % nr, d = f / nr % width, t = f / nr / width;
        if (in < v->C)
            dw[((in ^ d) * width + in % width) * T + t] = sum[f];
    }
}

static void run_weights(struct job *j, const struct rn_conv_run *r, int thread, int threads)
{
    const struct rn_grouped_view *v = &j->v;
    size_t strips = strips_of(r->N), blocks = rn_divide_up(v->vectors, v->block);
    struct rn_work w = rn_work_begin(r->todo, strips * blocks, 1, 1, thread, threads);
    struct rn_range vectors = rn_share(v->vectors, thread, threads), one;
    float *sums = j->sum;

    while (rn_work_next(&w, &one)) {
        size_t strip = one.first / blocks;
        struct rn_range pictures = rn_share((size_t)r->N, (int)strip, (int)strips);
        struct part of = make_part(v, 0, one.first % blocks);
        j->sum = sums + strip * strip_floats(v);
        memset(j->sum + of.vector * rn_grouped_filter(v), 0,
               of.vectors * rn_grouped_filter(v) * sizeof *j->sum);
        for (of.n = pictures.first; of.n < pictures.last; of.n++)
            run_rows(j, &of, (struct rn_range){ 0, (size_t)v->h.out });
    }
    j->sum = sums;
    rn_barrier();
    for (size_t i = vectors.first; i < vectors.last; i++)
        store_vector(j, strips, i, r->dw);
    if (r->dbias)
        rn_conv_bias_grad(j->c, r, thread, threads);
}

static void run(const struct rn_conv *c, enum rn_pass pass, const struct rn_conv_run *r, int thread,
                int threads)
{
    bool forward = pass == RN_FORWARD;
    struct job j = { .c = c, .v = rn_grouped_view(c, pass), .bias = r->packed };
    const struct rn_grouped_view *v = &j.v;
    size_t bytes = thread_bytes(v);
    float *base = memset((char *)r->scratch + (size_t)thread * bytes, 0, bytes);

    j.zero = base;
    j.ring = base + rn_grouped_line(v);
    j.dys = j.ring + v->depth * v->block * rn_grouped_line(v);
    if (v->weights) {
        j.x = r->x;
        j.dy = r->dy;
        j.sum = (float *)((char *)r->scratch + (size_t)threads * bytes);
        run_weights(&j, r, thread, threads);
        return;
    }
    j.x = forward ? r->x : r->dy;
    j.y = forward ? r->y : r->dx;
    j.res = forward ? r->residual : r->add ? r->dx : NULL;
    j.end = rn_conv_end(c, pass, r);
    j.w = j.bias + v->vectors * v->nr;
    share_rows(&j, r, thread, threads);
}

const struct rn_conv_algo rn_conv_grouped = { .name = "grouped",
                                              .fits = fits,
                                              .packed = rn_grouped_packed,
                                              .pack = rn_grouped_pack,
                                              .scratch = scratch,
                                              .run = run };
