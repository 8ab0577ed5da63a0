/*
 * Convolution in groups of 1, 2, 4 or 8 channels, as many out as in (depthwise; ResNeXt): lanes are
 * channels, a vector holds several groups whole. As in conv_igemm.c pointers say which pixels a tap
 * reads, and taps in the padding read zeros; a tile's pointers serve all of its vectors.
 * Backward-data of stride 1 is the same with the filters turned and transposed. Threads share the
 * pairs of a tile of pixels and a vector of channels.
 */
#include <string.h>

#include "base/mem.h"
#include "ops/conv.h"
#include "ops/team.h"

enum { TILE = 48 }; /* pixels: a multiple of all the kernels' tiles */

/* The convolution as this pass sees it. */
struct view {
    int H, W, P, Q, C; /* C channels in and out, */
    int width;         /* in groups of so many */
    int top, left;
    size_t T, vectors;
};

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
                      .top = w->top,
                      .left = w->left,
                      .T = (size_t)(w->R * w->S),
                      .vectors = rn_divide_up((size_t)s->C, c->k->group_nr) };
    if (pass == RN_BACKWARD_DATA) {
        v.H = s->P, v.W = s->Q, v.P = s->H, v.Q = s->W;
        v.top = w->R - 1 - w->top, v.left = w->S - 1 - w->left;
    }
    return v;
}

static bool fits(const struct rn_conv *c, enum rn_pass pass)
{
    const struct rn_conv_shape *s = &c->s;
    size_t width = (size_t)(s->C / s->G);
    bool narrow = width == 1 || width == 2 || width == 4 || width == 8;
    bool forth = pass == RN_FORWARD ||
                 (pass == RN_BACKWARD_DATA && s->win.stride_h == 1 && s->win.stride_w == 1);

    return forth && s->G > 1 && s->C == s->K && narrow && width <= c->k->group_nr;
}

/* ---- packed weights: the bias [vectors][nr], then [vectors][T][width][nr] ---- */

static size_t vector_floats(const struct rn_conv *c, const struct view *v)
{
    return v->T * (size_t)v->width * c->k->group_nr;
}

static size_t packed(const struct rn_conv *c, enum rn_pass pass)
{
    struct view v = make_view(c, pass);
    return v.vectors * (c->k->group_nr + vector_floats(c, &v)) * sizeof(float);
}

/* The filter of input `in` for output `out`, channels of one group: w is [K][width][T]. */
static void pack_filter(const struct view *v, enum rn_pass pass, const float *w, size_t in,
                        size_t out, float *to, size_t step)
{
    size_t width = (size_t)v->width;
    bool forward = pass == RN_FORWARD;
    const float *from = w + (forward ? out * width + in % width : in * width + out % width) * v->T;

    for (size_t t = 0; t < v->T; t++)
        to[t * step] = from[forward ? t : v->T - 1 - t];
}

static void pack(const struct rn_conv *c, enum rn_pass pass, const float *w, const float *bias,
                 void *to, int thread, int threads)
{
    struct view v = make_view(c, pass);
    size_t nr = c->k->group_nr, C = (size_t)v.C, width = (size_t)v.width;
    struct rn_range r = rn_share(v.vectors, thread, threads);

    for (size_t i = r.first; i < r.last; i++) {
        float *front = (float *)to + i * nr;
        float *out = (float *)to + v.vectors * nr + i * vector_floats(c, &v);
        memset(out, 0, vector_floats(c, &v) * sizeof *out);
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
    int step_h, step_w;
    size_t rows;           /* N * P * Q */
    const float *zero;     /* [C] */
    const float **pointer; /* [T][TILE] */
    size_t *row;           /* [TILE] */
};

static size_t zero_bytes(const struct view *v)
{
    return rn_align((size_t)v->C * sizeof(float));
}

static size_t pointer_bytes(const struct view *v)
{
    return rn_align(TILE * v->T * sizeof(float *));
}

static size_t thread_bytes(const struct view *v)
{
    return zero_bytes(v) + pointer_bytes(v) + rn_align(TILE * sizeof(size_t));
}

static size_t scratch(const struct rn_conv *c, enum rn_pass pass, int N, int threads)
{
    struct view v = make_view(c, pass);
    (void)N;
    return (size_t)threads * thread_bytes(&v);
}

static void carve(struct job *j, char *base)
{
    j->zero = memset(base, 0, zero_bytes(&j->v));
    j->pointer = (const float **)(base + zero_bytes(&j->v));
    j->row = (size_t *)(base + zero_bytes(&j->v) + pointer_bytes(&j->v));
}

/* The taps of output (p, q) of a picture: pointers M apart. */
static void point_pixel(const struct job *j, const float *picture, int p, int q, size_t M,
                        const float **pointer)
{
    const struct view *v = &j->v;
    const struct rn_window *win = &j->c->s.win;

    for (int r = 0; r < win->R; r++)
        for (int s = 0; s < win->S; s++, pointer += M) {
            int h = p * j->step_h + r - v->top, w = q * j->step_w + s - v->left;
            bool inside = (unsigned)h < (unsigned)v->H && (unsigned)w < (unsigned)v->W;
            size_t pixel = (size_t)h * (size_t)v->W + (size_t)w;
            *pointer = inside ? picture + pixel * (size_t)v->C : j->zero;
        }
}

/* Row offsets and tap pointers of the M outputs from m0 on. */
static void point(const struct job *j, size_t m0, size_t M)
{
    const struct view *v = &j->v;
    size_t C = (size_t)v->C, Q = (size_t)v->Q, PQ = (size_t)v->P * Q;
    size_t picture = (size_t)v->H * (size_t)v->W * C;

    for (size_t m = 0; m < M; m++) {
        size_t n = (m0 + m) / PQ, at = (m0 + m) % PQ;
        j->row[m] = (m0 + m) * C;
        point_pixel(j, j->x + n * picture, (int)(at / Q), (int)(at % Q), M, j->pointer + m);
    }
}

/* Vector i of the M outputs that were pointed at. */
static void run_vector(const struct job *j, size_t i, size_t M)
{
    const struct rn_kernels *k = j->c->k;
    size_t nr = k->group_nr, at = i * nr, left = (size_t)j->v.C - at;

    k->group(j->y + at, j->res ? j->res + at : NULL, j->row, j->pointer, at,
             j->w + i * vector_floats(j->c, &j->v), j->bias + at, M, left < nr ? left : nr, j->v.T,
             (size_t)j->v.width, j->relu);
}

/* Pairs r of (tile, vector), the vectors of a tile one behind the other. */
static void run_pairs(const struct job *j, struct rn_range r)
{
    size_t vectors = j->v.vectors, M = 0;

    for (size_t u = r.first; u < r.last; u++) {
        size_t m0 = u / vectors * TILE;
        if (u == r.first || u % vectors == 0) {
            M = j->rows - m0 < TILE ? j->rows - m0 : TILE;
            point(j, m0, M);
        }
        run_vector(j, u % vectors, M);
    }
}

static void run(const struct rn_conv *c, enum rn_pass pass, const struct rn_conv_run *r, int thread,
                int threads)
{
    bool forward = pass == RN_FORWARD;
    struct job j = { .c = c, .v = make_view(c, pass), .bias = r->packed };

    j.x = forward ? r->x : r->dy;
    j.y = forward ? r->y : r->dx;
    j.res = forward ? r->residual : r->add ? r->dx : NULL;
    j.relu = forward && r->relu;
    j.w = j.bias + j.v.vectors * c->k->group_nr;
    j.step_h = c->s.win.stride_h;
    j.step_w = c->s.win.stride_w;
    j.rows = (size_t)r->N * (size_t)j.v.P * (size_t)j.v.Q;
    carve(&j, (char *)r->scratch + (size_t)thread * thread_bytes(&j.v));
    run_pairs(&j, rn_share(rn_divide_up(j.rows, TILE) * j.v.vectors, thread, threads));
}

const struct rn_conv_algo rn_conv_grouped = {
    .name = "grouped", .fits = fits, .packed = packed, .pack = pack, .scratch = scratch, .run = run
};
