/*
 * Convolution in groups of 1, 2, 4, 8 or 16 channels, as many out as in (depthwise; ResNeXt): lanes
 * are channels, a vector holds several groups whole. The rows that a band of output rows needs wait
 * in a ring, cut into vectors with the padding's zeros around them, so that a vector's pixels are
 * neighbours and in the nearest cache. Backward-data is the same with the filters turned and
 * transposed; under a stride, the outputs of each phase (row and column modulo the stride) meet
 * taps of their own, with gradients that are neighbours. Threads share the output rows of each
 * picture and block of vectors. Backward-weights adds row after row to sums of its own for each
 * strip of pictures; the strips are joined in their order.
 */
#include <string.h>

#include "base/mem.h"
#include "ops/conv.h"
#include "ops/team.h"

enum {
    BLOCK_FLOATS = 128 * 1024, /* weights and ring of a block of vectors: half an L2 */
    BAND_FLOATS = 6 * 1024,    /* of the ring that a vector's band uses: half an L1 */
    STRIPS = 16,               /* of pictures, in backward-weights */
};

/* The convolution as this pass sees it along one axis. */
struct axis {
    int in, out, taps, pad, stride;
    bool back; /* from outputs of the network's convolution to its inputs */
};

/* What an output sees along an axis: input first + i meets tap at + i * by of the filter, i < n. */
struct sight {
    int first, n, at, by;
};

struct view {
    struct axis h, w;
    size_t C, width;       /* C channels in and out, in groups of so many */
    size_t nr;             /* lanes */
    size_t vectors, block; /* a block of vectors is run at a time, */
    size_t band;           /* a band of output rows at a time: one vector, the rows, the next one */
    size_t depth;          /* rows of the input that a band sees, and of the ring */
    size_t left, columns;  /* pixels of a row of the ring: those of the padding on its left, all */
    bool weights;          /* dy's band is cut, too */
};

static struct sight sight(const struct axis *a, int o)
{
    if (!a->back)
        return (struct sight){ o * a->stride - a->pad, a->taps, 0, 1 };
    int rest = (o + a->pad) % a->stride;
    int n = rest < a->taps ? (a->taps - rest - 1) / a->stride + 1 : 0;
    return (struct sight){ (o + a->pad) / a->stride - n + 1, n, rest + (n - 1) * a->stride,
                           -a->stride };
}

/* An axis has phases: outputs of one see the same taps, of inputs that are `reach` apart. */
static int phases(const struct axis *a)
{
    return a->back ? a->stride : 1;
}

static int reach(const struct axis *a)
{
    return a->back ? 1 : a->stride;
}

/* Inputs that `n` outputs see, wherever they begin. */
static int seen(const struct axis *a, int n)
{
    int most = 0;
    for (int o = 0; o < phases(a); o++) {
        struct sight first = sight(a, o), last = sight(a, o + n - 1);
        int all = last.first + last.n - first.first;
        most = all > most ? all : most;
    }
    return most;
}

static size_t divide(size_t a, size_t b)
{
    return a / b ? a / b : 1;
}

/* Floats of a row of the ring, of one vector. */
static size_t line_floats(const struct view *v)
{
    return v->columns * v->nr;
}

/* Floats of a row of dy that is cut. */
static size_t dy_floats(const struct view *v)
{
    return v->weights ? (size_t)v->w.out * v->nr : 0;
}

static size_t weight_floats(const struct view *v)
{
    return (size_t)(v->h.taps * v->w.taps) * v->width * v->nr;
}

/* What a vector's band uses of the ring and of dy. */
static size_t band_floats(const struct view *v, int band)
{
    return (size_t)seen(&v->h, band) * line_floats(v) + (size_t)band * dy_floats(v);
}

/* A band may be high as long as its rows pass whole: pieces of pixels come slowly from memory. */
static bool fits_caches(const struct view *v, int band)
{
    size_t n = band_floats(v, band);
    return n <= BAND_FLOATS && v->vectors * (weight_floats(v) + n) <= BLOCK_FLOATS;
}

static void make_blocks(struct view *v)
{
    int band = 1;
    while (band < v->h.out && fits_caches(v, band + 1))
        band++;
    v->band = (size_t)band;
    v->depth = (size_t)seen(&v->h, band);
    v->block = divide(BLOCK_FLOATS, weight_floats(v) + band_floats(v, band));
    v->block = v->block < v->vectors ? v->block : v->vectors;
}

static struct view make_view(const struct rn_conv *c, enum rn_pass pass)
{
    const struct rn_conv_shape *s = &c->s;
    const struct rn_window *w = &s->win;
    bool back = pass == RN_BACKWARD_DATA;
    struct view v = { .h = { s->H, s->P, w->R, w->top, w->stride_h, back },
                      .w = { s->W, s->Q, w->S, w->left, w->stride_w, back },
                      .C = (size_t)s->C,
                      .width = (size_t)(s->C / s->G),
                      .nr = c->k->group_nr,
                      .vectors = rn_divide_up((size_t)s->C, c->k->group_nr),
                      .weights = pass == RN_BACKWARD_WEIGHTS };
    if (back) {
        v.h.in = s->P, v.h.out = s->H;
        v.w.in = s->Q, v.w.out = s->W;
    }
    struct sight first = sight(&v.w, 0), last = sight(&v.w, v.w.out - 1);
    v.left = first.first < 0 ? (size_t)-first.first : 0;
    v.columns = v.left + (size_t)(last.first + last.n);
    make_blocks(&v);
    return v;
}

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

/* ---- packed weights: the bias [vectors][nr], then [vectors][T][width][nr] ---- */

static size_t packed(const struct rn_conv *c, enum rn_pass pass)
{
    struct view v = make_view(c, pass);
    return v.weights ? 0 : v.vectors * (v.nr + weight_floats(&v)) * sizeof(float);
}

/* The filter's taps in the order in which they are packed: those of one phase side by side. */
static void order_taps(const struct view *v, int *tap)
{
    for (int i = 0; i < phases(&v->h) * phases(&v->w); i++) {
        struct sight h = sight(&v->h, i / phases(&v->w)), w = sight(&v->w, i % phases(&v->w));
        for (int r = 0; r < h.n; r++)
            for (int s = 0; s < w.n; s++)
                *tap++ = (h.at + r * h.by) * v->w.taps + w.at + s * w.by;
    }
}

/* Taps of the phases before this one. */
static int taps_before(const struct axis *a, int phase)
{
    int n = 0;
    for (int i = 0; i < phase; i++)
        n += sight(a, i).n;
    return n;
}

static void pack(const struct rn_conv *c, enum rn_pass pass, const float *w, const float *bias,
                 void *to, int thread, int threads)
{
    struct view v = make_view(c, pass);
    size_t nr = v.nr, width = v.width, T = (size_t)(v.h.taps * v.w.taps);
    bool forward = pass == RN_FORWARD;
    struct rn_range r = rn_share(v.vectors, thread, threads);
    int tap[RN_TAPS_MAX];

    order_taps(&v, tap);
    for (size_t i = r.first; i < r.last; i++) {
        float *front = (float *)to + i * nr;
        float *out = (float *)to + v.vectors * nr + i * weight_floats(&v);
        memset(front, 0, nr * sizeof *front);
        memset(out, 0, weight_floats(&v) * sizeof *out);
        for (size_t l = 0, in = i * nr; l < nr && in < v.C; l++, in++) {
            front[l] = forward && bias ? bias[in] : 0;
            for (size_t d = 0; d < width; d++) {
                /* input `in` meets output in ^ d of its group; w is [K][width][T] */
                size_t at = forward ? (in ^ d) * width + in % width : in * width + (in ^ d) % width;
                for (size_t t = 0; t < T; t++)
                    out[(t * width + d) * nr + l] = w[at * T + (size_t)tap[t]];
            }
        }
    }
}

/* ---- running ---- */

/* What one thread works with. */
struct job {
    const struct rn_conv *c;
    struct view v;
    const float *x, *w, *bias, *res;
    float *y;
    bool relu;
    const float *dy;   /* backward-weights, which adds to */
    float *sum;        /* [vectors][T][width][nr] */
    const float *zero; /* a line of the ring in the padding */
    float *ring;       /* [depth][block] lines; row h of the input is the ring's row h % depth */
    float *dys;        /* [band][block][Q][nr] of dy */
};

static size_t thread_bytes(const struct view *v)
{
    size_t rows = v->depth * line_floats(v) + v->band * dy_floats(v);
    return rn_align((line_floats(v) + v->block * rows) * sizeof(float));
}

static size_t strips_of(int N)
{
    return N < STRIPS ? (size_t)N : STRIPS;
}

/* Floats of a strip's sums. */
static size_t strip_floats(const struct view *v)
{
    return v->vectors * weight_floats(v);
}

/* What the threads have, then the sums of the strips. */
static size_t scratch(const struct rn_conv *c, enum rn_pass pass, int N, int threads)
{
    struct view v = make_view(c, pass);
    size_t sums = v.weights ? strips_of(N) * strip_floats(&v) : 0;
    return (size_t)threads * thread_bytes(&v) + rn_align(sums * sizeof(float));
}

static float *ring_row(const struct job *j, int h)
{
    return j->ring + (size_t)h % j->v.depth * j->v.block * line_floats(&j->v);
}

static float *dy_row(const struct job *j, size_t p)
{
    return j->dys + p % j->v.band * j->v.block * dy_floats(&j->v);
}

/* A block of vectors of one picture. */
struct part {
    size_t n, vector, vectors; /* from vector on, so many */
};

static size_t part_channels(const struct view *v, const struct part *of)
{
    size_t left = v->C - of->vector * v->nr, most = of->vectors * v->nr;
    return left < most ? left : most;
}

/* The part's rows from `from` below `to` into the ring. Its padding stays. */
static void fill(const struct job *j, const struct part *of, int from, int to)
{
    const struct view *v = &j->v;
    size_t W = (size_t)v->w.in, M = v->left + W < v->columns ? W : v->columns - v->left;

    for (int h = from > 0 ? from : 0; h < to && h < v->h.in; h++) {
        size_t row = of->n * (size_t)v->h.in + (size_t)h;
        j->c->k->group_cut(ring_row(j, h) + v->left * v->nr, line_floats(v),
                           j->x + row * W * v->C + of->vector * v->nr, v->C, M,
                           part_channels(v, of));
    }
}

/* The part's rows of dy. */
static void fill_dy(const struct job *j, const struct part *of, struct rn_range rows)
{
    const struct view *v = &j->v;
    size_t Q = (size_t)v->w.out, first = of->n * (size_t)v->h.out;

    for (size_t p = rows.first; p < rows.last; p++)
        j->c->k->group_cut(dy_row(j, p), dy_floats(v),
                           j->dy + (first + p) * Q * v->C + of->vector * v->nr, v->C, Q,
                           part_channels(v, of));
}

/* Where vector i of the part has the taps of one phase's first output. Returns how many. */
static size_t find_taps(const struct job *j, size_t i, struct sight h, struct sight w,
                        const float **tap)
{
    const struct view *v = &j->v;
    size_t n = 0;

    for (int r = h.first; r < h.first + h.n; r++) {
        bool inside = (unsigned)r < (unsigned)v->h.in;
        const float *line = inside ? ring_row(j, r) + i * line_floats(v) : j->zero;
        for (int s = w.first; s < w.first + w.n; s++)
            tap[n++] = line + (v->left + (size_t)s) * v->nr;
    }
    return n;
}

/* Vector i of the part, row p of the output: phase by phase of its columns. */
static void run_line(const struct job *j, const struct part *of, size_t i, size_t p)
{
    const struct view *v = &j->v;
    size_t nr = v->nr, channel = (of->vector + i) * nr, step = (size_t)reach(&v->w) * nr;
    size_t K = v->C - channel < nr ? v->C - channel : nr, each = (size_t)phases(&v->w);
    size_t Q = (size_t)v->w.out, row = (of->n * (size_t)v->h.out + p) * Q;
    int before = taps_before(&v->h, (int)p % phases(&v->h)) * v->w.taps;
    const float *w = j->w + (of->vector + i) * weight_floats(v) + (size_t)before * v->width * nr;
    const float *x[RN_TAPS_MAX];

    for (size_t q = 0; q < each && q < Q; q++) {
        size_t at = (row + q) * v->C + channel, M = rn_divide_up(Q - q, each);
        size_t T = find_taps(j, i, sight(&v->h, (int)p), sight(&v->w, (int)q), x);
        j->c->k->group(j->y + at, j->res ? j->res + at : NULL, each * v->C, x, step, w,
                       j->bias + channel, M, K, T, v->width, j->relu);
        w += T * v->width * nr;
    }
}

/* What vector i of the part adds to the sums in row p. */
static void add_line(const struct job *j, const struct part *of, size_t i, size_t p)
{
    const struct view *v = &j->v;
    const float *x[RN_TAPS_MAX];
    size_t T = find_taps(j, i, sight(&v->h, (int)p), sight(&v->w, 0), x);

    j->c->k->group_grad(j->sum + (of->vector + i) * weight_floats(v), x,
                        (size_t)v->w.stride * v->nr, dy_row(j, p) + i * dy_floats(v), v->nr,
                        (size_t)v->w.out, v->nr, T, v->width);
}

/* Rows r of a part's output. */
static void run_rows(const struct job *j, const struct part *of, struct rn_range r)
{
    const struct axis *h = &j->v.h;
    int next = 0; /* the first row not in the ring */

    for (struct rn_range band = r; band.first < r.last; band.first = band.last) {
        band.last = r.last - band.first < j->v.band ? r.last : band.first + j->v.band;
        struct sight first = sight(h, (int)band.first), last = sight(h, (int)band.last - 1);
        fill(j, of, first.first > next ? first.first : next, last.first + last.n);
        next = last.first + last.n;
        if (j->v.weights)
            fill_dy(j, of, band);
        for (size_t i = 0; i < of->vectors; i++)
            for (size_t p = band.first; p < band.last; p++)
                (j->v.weights ? add_line : run_line)(j, of, i, p);
    }
}

/* Block number i of a picture's. */
static struct part make_part(const struct view *v, size_t n, size_t i)
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

/* ---- backward-weights ---- */

/* Sum of vector i over the strips, to dw [K][width][T]. */
static void store_vector(const struct job *j, size_t strips, size_t i, float *dw)
{
    const struct view *v = &j->v;
    size_t nr = v->nr, width = v->width, T = (size_t)(v->h.taps * v->w.taps);
    size_t n = weight_floats(v), strip = strip_floats(v);
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
    const struct view *v = &j->v;
    size_t strips = strips_of(r->N), blocks = rn_divide_up(v->vectors, v->block);
    struct rn_range mine = rn_share(strips * blocks, thread, threads);
    struct rn_range vectors = rn_share(v->vectors, thread, threads);
    float *sums = j->sum;

    for (size_t i = mine.first; i < mine.last; i++) {
        struct rn_range pictures = rn_share((size_t)r->N, (int)(i / blocks), (int)strips);
        struct part of = make_part(v, 0, i % blocks);
        j->sum = sums + i / blocks * strip_floats(v);
        memset(j->sum + of.vector * weight_floats(v), 0,
               of.vectors * weight_floats(v) * sizeof *j->sum);
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
    struct job j = { .c = c, .v = make_view(c, pass), .bias = r->packed };
    const struct view *v = &j.v;
    size_t bytes = thread_bytes(v);
    float *base = memset((char *)r->scratch + (size_t)thread * bytes, 0, bytes);

    j.zero = base;
    j.ring = base + line_floats(v);
    j.dys = j.ring + v->depth * v->block * line_floats(v);
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
    j.relu = forward && r->relu;
    j.w = j.bias + v->vectors * v->nr;
    run_range(&j, rn_share((size_t)r->N * rn_divide_up(v->vectors, v->block) * (size_t)v->h.out,
                           thread, threads));
}

const struct rn_conv_algo rn_conv_grouped = {
    .name = "grouped", .fits = fits, .packed = packed, .pack = pack, .scratch = scratch, .run = run
};
