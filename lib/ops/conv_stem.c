/*
 * Forward of a convolution with few input channels. Bands of the picture's rows are copied between
 * borders of zeros; there the S taps of a filter row are S * C floats in a run, so that it is an
 * indirect GEMM of R taps of S * C "channels", as long as its loops need to be. The terms come in
 * conv_igemm.c's order, the borders are its rows of zeros: the bits are the same.
 */
#include <string.h>

#include "base/mem.h"
#include "ops/conv.h"
#include "ops/team.h"

enum {
    RUN_MAX = 64,            /* floats of a filter row above which nothing is won */
    BAND_FLOATS = 32 * 1024, /* copied at a time, about: a part of L2 */
    BAND_PIXELS = 2 * 1024,  /* given at a time at most: their pointers stay in cache, too */
};

/* One thread's work. A band's copy stands still, so pointers into it serve every band. */
struct stem {
    const struct rn_conv *c;
    const struct rn_conv_run *r;
    int end;               /* RN_RELU, RN_STREAM */
    size_t ld;             /* floats of a copied row */
    size_t rows;           /* output rows of a band */
    size_t pointed;        /* output rows that pointer and at are for */
    float *copy;           /* [(rows - 1) * stride_h + R][ld] */
    const float **pointer; /* for each tile of m pixels [R][m] */
    size_t *at;            /* [rows * Q] offsets of the pixels in y */
};

static size_t copied_rows(const struct rn_conv *c, size_t rows)
{
    return (rows - 1) * (size_t)c->s.win.stride_h + (size_t)c->s.win.R;
}

/* Sizes of a band, and how much scratch they need. */
static size_t plan(const struct rn_conv *c, struct stem *s)
{
    const struct rn_window *w = &c->s.win;
    size_t Q = (size_t)c->s.Q, C = (size_t)c->s.C;

    *s = (struct stem){ .c = c };
    s->ld = ((Q - 1) * (size_t)w->stride_w + (size_t)w->S) * C;
    size_t by_floats = BAND_FLOATS / (s->ld * (size_t)w->stride_h), by_pixels = BAND_PIXELS / Q;
    s->rows = by_floats < by_pixels ? by_floats : by_pixels;
    s->rows = s->rows > (size_t)c->s.P ? (size_t)c->s.P : s->rows ? s->rows : 1;
    return rn_align(copied_rows(c, s->rows) * s->ld * sizeof *s->copy) +
           rn_align(s->rows * Q * (size_t)w->R * sizeof *s->pointer) +
           rn_align(s->rows * Q * sizeof *s->at);
}

static void carve(struct stem *s, char *base)
{
    size_t pixels = s->rows * (size_t)s->c->s.Q;
    s->copy = (float *)base;
    base += rn_align(copied_rows(s->c, s->rows) * s->ld * sizeof *s->copy);
    s->pointer = (const float **)base;
    s->at = (size_t *)(base + rn_align(pixels * (size_t)s->c->s.win.R * sizeof *s->pointer));
}

/* Input row h, where there is one, with zeros on both sides. */
static void copy_row(const struct stem *s, float *to, const float *picture, long h)
{
    const struct rn_conv_shape *d = &s->c->s;
    size_t C = (size_t)d->C, left = (size_t)d->win.left * C, width = (size_t)d->W * C;

    if (h < 0 || h >= d->H || left >= s->ld) {
        memset(to, 0, s->ld * sizeof *to);
        return;
    }
    if (width > s->ld - left)
        width = s->ld - left;
    memset(to, 0, left * sizeof *to);
    memcpy(to + left, picture + (size_t)h * (size_t)d->W * C, width * sizeof *to);
    memset(to + left + width, 0, (s->ld - left - width) * sizeof *to);
}

static size_t tiles_of(const struct stem *s, size_t pixels)
{
    return rn_divide_up(pixels, s->c->k->igemm_mr);
}

/* Where the pixels of a band of `rows` output rows read the copy and go to. */
static void point(struct stem *s, size_t rows)
{
    const struct rn_conv_shape *d = &s->c->s;
    size_t Q = (size_t)d->Q, pixels = rows * Q, R = (size_t)d->win.R;
    size_t down = (size_t)d->win.stride_h * s->ld, right = (size_t)d->win.stride_w * (size_t)d->C;

    for (size_t i = 0, tiles = tiles_of(s, pixels); i < tiles; i++) {
        struct rn_range m = rn_share(pixels, (int)i, (int)tiles);
        const float **pointer = s->pointer + m.first * R;
        for (size_t j = m.first; j < m.last; j++) {
            const float *x = s->copy + j / Q * down + j % Q * right;
            for (size_t t = 0; t < R; t++)
                pointer[t * (m.last - m.first) + (j - m.first)] = x + t * s->ld;
            s->at[j] = j * (size_t)d->K;
        }
    }
    s->pointed = rows;
}

/* The tiles of a band, from its copy. y and res: its first output pixel. */
static void multiply(const struct stem *s, float *y, const float *res)
{
    const struct rn_kernels *k = s->c->k;
    const struct rn_conv_shape *d = &s->c->s;
    size_t K = (size_t)d->K, R = (size_t)d->win.R, run = (size_t)(d->win.S * d->C);
    size_t nr = k->igemm_nr, panels = rn_divide_up(K, nr), pixels = s->pointed * (size_t)d->Q;
    const float *bias = s->r->packed, *w = bias + panels * nr;

    for (size_t i = 0, tiles = tiles_of(s, pixels); i < tiles; i++) {
        struct rn_range m = rn_share(pixels, (int)i, (int)tiles);
        for (size_t p = 0; p < panels; p++)
            k->igemm(y + p * nr, res ? res + p * nr : NULL, s->at + m.first,
                     s->pointer + m.first * R, w + p * nr * R * run, bias + p * nr, NULL, 0,
                     m.last - m.first, K - p * nr < nr ? K - p * nr : nr, R, run, s->end);
    }
}

/* Output rows p .. p + rows of picture n. */
static void run_band(struct stem *s, size_t n, size_t p, size_t rows)
{
    const struct rn_conv_shape *d = &s->c->s;
    const float *picture = s->r->x + n * (size_t)d->H * (size_t)d->W * (size_t)d->C;
    size_t y = (n * (size_t)d->P + p) * (size_t)d->Q * (size_t)d->K;
    long top = (long)p * d->win.stride_h - d->win.top;

    if (rows != s->pointed)
        point(s, rows);
    for (size_t i = 0; i < copied_rows(s->c, rows); i++)
        copy_row(s, s->copy + i * s->ld, picture, top + (long)i);
    multiply(s, s->r->y + y, s->r->residual ? s->r->residual + y : NULL);
}

/* Output rows r of all pictures. */
static void run_rows(struct stem *s, struct rn_range r)
{
    size_t P = (size_t)s->c->s.P;

    for (size_t i = r.first, rows; i < r.last; i += rows) {
        size_t p = i % P;
        rows = r.last - i < P - p ? r.last - i : P - p;
        rows = rows < s->rows ? rows : s->rows;
        run_band(s, i / P, p, rows);
    }
}

/* Threads share the output rows of all pictures; each copies what its own rows read. */
static void run(const struct rn_conv *c, enum rn_pass pass, const struct rn_conv_run *r, int thread,
                int threads)
{
    struct stem s;
    size_t bytes = plan(c, &s), all = (size_t)r->N * (size_t)c->s.P;
    struct rn_work w = rn_work_begin(r->todo, all, 1, all, thread, threads);
    struct rn_range rows;

    s.r = r;
    s.end = rn_conv_end(c, pass, r);
    carve(&s, (char *)r->scratch + (size_t)thread * bytes);
    while (rn_work_next(&w, &rows))
        run_rows(&s, rows);
}

static size_t scratch(const struct rn_conv *c, enum rn_pass pass, int N, int threads)
{
    struct stem s;
    (void)pass, (void)N;
    return (size_t)threads * plan(c, &s);
}

/* [bias][panel][R][S * C][nr] is [bias][panel][R * S][C][nr]. */
static size_t packed(const struct rn_conv *c, enum rn_pass pass)
{
    return rn_conv_igemm.packed(c, pass);
}

static void pack(const struct rn_conv *c, enum rn_pass pass, const float *w, const float *bias,
                 void *to, int thread, int threads)
{
    rn_conv_igemm.pack(c, pass, w, bias, to, thread, threads);
}

static bool fits(const struct rn_conv *c, enum rn_pass pass)
{
    const struct rn_conv_shape *s = &c->s;
    return pass == RN_FORWARD && s->G == 1 && s->win.S > 1 && s->win.S * s->C <= RUN_MAX;
}

const struct rn_conv_algo rn_conv_stem = {
    .name = "stem", .fits = fits, .packed = packed, .pack = pack, .scratch = scratch, .run = run
};
