/*
 * Convolution in groups of 1, 2, 4, 8 or 16 channels, as many out as in (depthwise; ResNeXt): lanes
 * are channels, a vector holds several groups whole. The rows that an output row needs wait in a
 * ring, cut into vectors with the padding's zeros around them, so that a vector's pixels are
 * neighbours and in the nearest cache. Backward-data of stride 1 is the same with the filters
 * turned and transposed. Threads share the output rows of each picture and block of vectors.
 * Backward-weights adds row after row to sums of its own for each strip of pictures; the strips are
 * joined in their order.
 */
#include <string.h>

#include "base/mem.h"
#include "ops/conv.h"
#include "ops/team.h"

enum {
    BLOCK_FLOATS = 64 * 1024, /* weights and ring of a block of vectors: a quarter of an L2 */
    STRIPS = 16,              /* of pictures, in backward-weights */
};

/* The convolution as this pass sees it. */
struct view {
    int H, W, P, Q, C; /* C channels in and out, */
    int width;         /* in groups of so many */
    int R, S, top, left, step_h, step_w;
    size_t vectors, block; /* a block of vectors uses the ring at a time */
    size_t columns;        /* pixels of a row of the ring, its padding included */
};

static size_t divide(size_t a, size_t b)
{
    return a / b ? a / b : 1;
}

/* Floats of a row of the ring, of one vector. */
static size_t line_floats(const struct rn_conv *c, const struct view *v)
{
    return v->columns * c->k->group_nr;
}

static size_t weight_floats(const struct rn_conv *c, const struct view *v)
{
    return (size_t)(v->R * v->S * v->width) * c->k->group_nr;
}

static struct view make_view(const struct rn_conv *c, enum rn_pass pass)
{
    const struct rn_conv_shape *s = &c->s;
    const struct rn_window *w = &s->win;
    struct view v = { .H = s->H,
                      .W = s->W,
                      .P = s->P,
                      .Q = s->Q,
                      .C = s->C,
                      .width = s->C / s->G,
                      .R = w->R,
                      .S = w->S,
                      .top = w->top,
                      .left = w->left,
                      .step_h = w->stride_h,
                      .step_w = w->stride_w,
                      .vectors = rn_divide_up((size_t)s->C, c->k->group_nr) };
    if (pass == RN_BACKWARD_DATA) {
        v.H = s->P, v.W = s->Q, v.P = s->H, v.Q = s->W;
        v.top = w->R - 1 - w->top, v.left = w->S - 1 - w->left;
    }
    v.columns = (size_t)((v.Q - 1) * v.step_w + v.S);
    v.block = divide(BLOCK_FLOATS, weight_floats(c, &v) + (size_t)v.R * line_floats(c, &v));
    v.block = v.block < v.vectors ? v.block : v.vectors;
    return v;
}

static bool fits(const struct rn_conv *c, enum rn_pass pass)
{
    const struct rn_conv_shape *s = &c->s;
    const struct rn_window *w = &s->win;
    size_t width = (size_t)(s->C / s->G);
    bool narrow = width <= RN_GROUP_MAX && width <= c->k->group_nr && !(width & (width - 1));
    bool forth = pass != RN_BACKWARD_DATA || (w->stride_h == 1 && w->stride_w == 1);
    bool padded = w->top >= 0 && w->top < w->R && w->left >= 0 && w->left < w->S;

    return forth && padded && s->G > 1 && s->C == s->K && narrow;
}

/* ---- packed weights: the bias [vectors][nr], then [vectors][T][width][nr] ---- */

static size_t packed(const struct rn_conv *c, enum rn_pass pass)
{
    struct view v = make_view(c, pass);
    if (pass == RN_BACKWARD_WEIGHTS)
        return 0;
    return v.vectors * (c->k->group_nr + weight_floats(c, &v)) * sizeof(float);
}

/* The filter of input `in` for output `out`, channels of one group: w is [K][width][T]. */
static void pack_filter(const struct view *v, enum rn_pass pass, const float *w, size_t in,
                        size_t out, float *to, size_t step)
{
    size_t width = (size_t)v->width, T = (size_t)(v->R * v->S);
    bool forward = pass == RN_FORWARD;
    const float *from = w + (forward ? out * width + in % width : in * width + out % width) * T;

    for (size_t t = 0; t < T; t++)
        to[t * step] = from[forward ? t : T - 1 - t];
}

static void pack(const struct rn_conv *c, enum rn_pass pass, const float *w, const float *bias,
                 void *to, int thread, int threads)
{
    struct view v = make_view(c, pass);
    size_t nr = c->k->group_nr, C = (size_t)v.C, width = (size_t)v.width;
    struct rn_range r = rn_share(v.vectors, thread, threads);

    for (size_t i = r.first; i < r.last; i++) {
        float *front = (float *)to + i * nr;
        float *out = (float *)to + v.vectors * nr + i * weight_floats(c, &v);
        memset(out, 0, weight_floats(c, &v) * sizeof *out);
        for (size_t l = 0; l < nr; l++) {
            size_t in = i * nr + l;
            front[l] = pass == RN_FORWARD && bias && in < C ? bias[in] : 0;
            for (size_t d = 0; d < width && in < C; d++)
                pack_filter(&v, pass, w, in, in ^ d, out + d * nr + l, width * nr);
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
    float *ring;       /* [R][block] lines; row h of the input is the ring's row h % R */
};

static size_t thread_bytes(const struct rn_conv *c, const struct view *v)
{
    return rn_align((1 + (size_t)v->R * v->block) * line_floats(c, v) * sizeof(float));
}

static size_t strips_of(int N)
{
    return N < STRIPS ? (size_t)N : STRIPS;
}

/* Floats of a strip's sums. */
static size_t strip_floats(const struct rn_conv *c, const struct view *v)
{
    return v->vectors * weight_floats(c, v);
}

/* The rings of the threads, then the sums of the strips. */
static size_t scratch(const struct rn_conv *c, enum rn_pass pass, int N, int threads)
{
    struct view v = make_view(c, pass);
    size_t sums = pass == RN_BACKWARD_WEIGHTS ? strips_of(N) * strip_floats(c, &v) : 0;
    return (size_t)threads * thread_bytes(c, &v) + rn_align(sums * sizeof(float));
}

static float *ring_row(const struct job *j, int h)
{
    return j->ring + (size_t)(h % j->v.R) * j->v.block * line_floats(j->c, &j->v);
}

/* The channels c0 .. c0 + C of the rows from `from` below `to` into the ring. Its padding stays. */
static void fill(const struct job *j, const float *picture, size_t c0, size_t C, int from, int to)
{
    const struct view *v = &j->v;
    size_t left = (size_t)v->left, W = (size_t)v->W, ld = (size_t)v->C;
    size_t M = left + W < v->columns ? W : v->columns - left;

    for (int h = from > 0 ? from : 0; h < to && h < v->H; h++)
        j->c->k->group_cut(ring_row(j, h) + left * j->c->k->group_nr, line_floats(j->c, v),
                           picture + (size_t)h * W * ld + c0, ld, M, C);
}

/* Where vector i of the block has the taps of output row p. */
static void find_taps(const struct job *j, size_t i, int p, const float **tap)
{
    const struct view *v = &j->v;
    size_t nr = j->c->k->group_nr, line = line_floats(j->c, v);

    for (int r = 0; r < v->R; r++) {
        int h = p * v->step_h + r - v->top;
        const float *from = (unsigned)h < (unsigned)v->H ? ring_row(j, h) + i * line : j->zero;
        for (int s = 0; s < v->S; s++)
            *tap++ = from + (size_t)s * nr;
    }
}

/* Vector i of the block, `channel` of the network, of output row p; `row` of all rows. */
static void run_line(const struct job *j, size_t i, size_t channel, int p, size_t row)
{
    const struct rn_kernels *k = j->c->k;
    const struct view *v = &j->v;
    size_t nr = k->group_nr, C = (size_t)v->C, at = row * (size_t)v->Q * C + channel;
    size_t K = C - channel < nr ? C - channel : nr, T = (size_t)(v->R * v->S);
    size_t vector = channel / nr * weight_floats(j->c, v), step = (size_t)v->step_w * nr;
    const float *x[RN_TAPS_MAX];

    find_taps(j, i, p, x);
    if (j->dy)
        k->group_grad(j->sum + vector, x, step, j->dy + at, C, (size_t)v->Q, K, T,
                      (size_t)v->width);
    else
        k->group(j->y + at, j->res ? j->res + at : NULL, C, x, step, j->w + vector,
                 j->bias + channel, (size_t)v->Q, K, T, (size_t)v->width, j->relu);
}

/* Output rows r of a picture and a block of vectors. */
static void run_rows(const struct job *j, size_t n, size_t block, struct rn_range r)
{
    const struct view *v = &j->v;
    size_t nr = j->c->k->group_nr, C = (size_t)v->C, first = block * v->block;
    size_t count = v->vectors - first < v->block ? v->vectors - first : v->block;
    size_t channels = C - first * nr < count * nr ? C - first * nr : count * nr;
    int next = 0; /* the first row not in the ring */

    for (size_t row = r.first; row < r.last; row++) {
        int p = (int)row, h = p * v->step_h - v->top;
        fill(j, j->x + n * (size_t)v->H * (size_t)v->W * C, first * nr, channels,
             h > next ? h : next, h + v->R);
        next = h + v->R;
        for (size_t i = 0; i < count; i++)
            run_line(j, i, (first + i) * nr, p, n * (size_t)v->P + row);
    }
}

/* The rows r of all, ordered by picture, block, row of the output. */
static void run_range(const struct job *j, struct rn_range r)
{
    size_t P = (size_t)j->v.P, blocks = rn_divide_up(j->v.vectors, j->v.block);

    for (size_t i = r.first, last; i < r.last; i = last) {
        size_t at = i / P, start = at * P;
        last = start + P < r.last ? start + P : r.last;
        run_rows(j, at / blocks, at % blocks, (struct rn_range){ i - start, last - start });
    }
}

/* ---- backward-weights ---- */

/* Sum of vector i over the strips, to dw [K][width][T]. */
static void store_vector(const struct job *j, size_t strips, size_t i, float *dw)
{
    const struct view *v = &j->v;
    size_t nr = j->c->k->group_nr, width = (size_t)v->width, T = (size_t)(v->R * v->S);
    size_t n = weight_floats(j->c, v), strip = strip_floats(j->c, v);
    float *sum = j->sum + i * n;

    for (size_t s = 1; s < strips; s++)
        for (size_t f = 0; f < n; f++)
            sum[f] += sum[s * strip + f];
    for (size_t f = 0; f < n; f++) {
        size_t in = i * nr + f % nr, d = f / nr % width, t = f / nr / width;
        if (in < (size_t)v->C)
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
        size_t block = i % blocks, first = block * v->block * weight_floats(j->c, v);
        size_t left = strip_floats(j->c, v) - first, most = v->block * weight_floats(j->c, v);
        struct rn_range pictures = rn_share((size_t)r->N, (int)(i / blocks), (int)strips);
        j->sum = sums + i / blocks * strip_floats(j->c, v);
        memset(j->sum + first, 0, (left < most ? left : most) * sizeof *j->sum);
        for (size_t n = pictures.first; n < pictures.last; n++)
            run_rows(j, n, block, (struct rn_range){ 0, (size_t)v->P });
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
    size_t bytes = thread_bytes(c, &j.v);
    float *base = memset((char *)r->scratch + (size_t)thread * bytes, 0, bytes);

    j.zero = base;
    j.ring = base + line_floats(c, &j.v);
    if (pass == RN_BACKWARD_WEIGHTS) {
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
    j.w = j.bias + j.v.vectors * c->k->group_nr;
    run_range(&j, rn_share((size_t)r->N * rn_divide_up(j.v.vectors, j.v.block) * (size_t)j.v.P,
                           thread, threads));
}

const struct rn_conv_algo rn_conv_grouped = {
    .name = "grouped", .fits = fits, .packed = packed, .pack = pack, .scratch = scratch, .run = run
};
