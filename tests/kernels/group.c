/* The convolution in groups: every width and number of pixels, vectors that are not full. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAPS_MAX = 9, M_MAX = 27, ROWS_MAX = 3 };

struct shape {
    size_t M, K, T, width, step; /* step: in pixels */
    bool bias, res, accumulate, relu, stream;
    size_t rows; /* the gradient's */
};

/* Pixels of x, [pixels][K]: tap t of output pixel m is pixel t + m * step. */
static size_t pixels(const struct shape *s)
{
    return (s->M - 1) * s->step + s->T;
}

/* The table's vector of channels from k0 on; a[3] is [T][width][K] in the order of the contract. */
static void run_vector(const struct rn_kernels *k, float *y, const float *res, void *const *a,
                       const struct shape *s, size_t k0)
{
    size_t nr = k->group_nr, K = s->K - k0 < nr ? s->K - k0 : nr;
    float *w = take(s->T * s->width * nr * sizeof *w), *bias = take(nr * sizeof *bias);
    float *in = take(pixels(s) * nr * sizeof *in);
    const float *x[TAPS_MAX];
    memset(w, 0, s->T * s->width * nr * sizeof *w);
    memset(bias, 0, nr * sizeof *bias);
    memset(in, 0, pixels(s) * nr * sizeof *in);
    for (size_t i = 0; i < s->T * s->width; i++)
        memcpy(w + i * nr, (float *)a[3] + i * s->K + k0, K * sizeof *w);
    for (size_t i = 0; i < pixels(s); i++)
        memcpy(in + i * nr, (float *)a[2] + i * s->K + k0, K * sizeof *in);
    for (size_t t = 0; t < s->T; t++)
        x[t] = in + t * nr;
    memcpy(bias, (float *)a[4] + k0, K * sizeof *bias);
    k->group(y + k0, res ? res + k0 : NULL, pixel_floats(s->K, s->stream), x, s->step * nr, w,
             s->bias ? bias : NULL, s->M, K, s->T, s->width,
             (s->relu ? RN_RELU : 0) | stream(y, pixel_floats(s->K, s->stream)));
}

static void run(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    float *y = a[0];
    const float *res = s->accumulate ? y : s->res ? a[1] : NULL;
    for (size_t k0 = 0; k0 < s->K; k0 += k->group_nr)
        run_vector(k, y, res, a, s, k0);
}

static bool check_shape(const struct rn_kernels *k, const struct rn_kernels *right,
                        const struct shape *s)
{
    size_t n = (s->M - 1) * pixel_floats(s->K, s->stream) + s->K;
    struct job j = { run,
                     s,
                     { { n, s->accumulate ? VALUES : CANARIES, 0 },
                       { n, VALUES, 0 },
                       { pixels(s) * s->K, VALUES, 0 },
                       { s->T * s->width * s->K, VALUES, 0 },
                       { s->K, VALUES, 0 } },
                     s->T * s->width + 8,
                     "" };
    snprintf(j.what, sizeof j.what, "group M %zu K %zu T %zu width %zu step %zu %d %d %d %d %d",
             s->M, s->K, s->T, s->width, s->step, s->bias, s->res, s->accumulate, s->relu,
             s->stream);
    return agree(k, right, &j);
}

static size_t widest(const struct rn_kernels *k)
{
    return k->group_nr < RN_GROUP_MAX ? k->group_nr : RN_GROUP_MAX;
}

static bool check(const struct rn_kernels *k, const struct rn_kernels *right)
{
    static const size_t taps[] = { 9, 1, 4, 3, 0 };
    unsigned i = 0;
    for (size_t width = 1; width <= widest(k) && width <= widest(right); width *= 2) {
        size_t last = 4 * width < SIZES ? SIZES : 4 * width;
        for (size_t K = width; K <= last; K += width)
            for (size_t M = 1 + K / width % 3; M <= M_MAX; M += K < 2 * width ? 1 : 7, i++) {
                const struct shape s = {
                    M,          K,          taps[i % 5], width,     1 + i / 5 % 2,
                    i % 4 != 1, i % 3 == 1, i % 3 == 2,  i / 3 % 2, i / 4 % 2,
                    1
                };
                if (!check_shape(k, right, &s))
                    return false;
            }
    }
    return true;
}

/* ---- the gradient of the weights ---- */

/* Floats from one row of dy to the next. */
static size_t dy_row(const struct shape *s)
{
    return s->M * pixel_floats(s->K, s->stream) + 1;
}

/* One of the table's vectors of channels from k0 on; a[0] is [T][width][K]. */
static void grad_vector(const struct rn_kernels *k, void *const *a, const struct shape *s,
                        size_t k0)
{
    size_t nr = k->group_nr, K = s->K - k0 < nr ? s->K - k0 : nr, sums = s->T * s->width;
    size_t n = s->rows * pixels(s);
    float *acc = take(sums * nr * sizeof *acc), *in = take(n * nr * sizeof *in);
    const float *x[ROWS_MAX * TAPS_MAX];
    memset(acc, 0, sums * nr * sizeof *acc);
    memset(in, 0, n * nr * sizeof *in);
    for (size_t i = 0; i < sums; i++)
        memcpy(acc + i * nr, (float *)a[0] + i * s->K + k0, K * sizeof *acc);
    for (size_t i = 0; i < n; i++)
        memcpy(in + i * nr, (float *)a[1] + i * s->K + k0, K * sizeof *in);
    for (size_t i = 0; i < s->rows * s->T; i++) /* the last row first */
        x[i] = in + ((s->rows - 1 - i / s->T) * pixels(s) + i % s->T) * nr;
    k->group_grad(acc, x, s->step * nr, (float *)a[2] + k0, pixel_floats(s->K, s->stream),
                  dy_row(s), s->rows, s->M, K, s->T, s->width);
    for (size_t i = 0; i < sums; i++)
        memcpy((float *)a[0] + i * s->K + k0, acc + i * nr, K * sizeof *acc);
}

static void run_grad(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    for (size_t k0 = 0; k0 < s->K; k0 += k->group_nr)
        grad_vector(k, a, s, k0);
}

static bool check_grad(const struct rn_kernels *k, const struct rn_kernels *right)
{
    static const size_t taps[] = { 9, 1, 4, 3, 9 };
    unsigned i = 0;
    for (size_t width = 1; width <= widest(k) && width <= widest(right); width *= 2)
        for (size_t K = width; K <= (4 * width < SIZES ? SIZES : 4 * width); K += width, i++) {
            const struct shape s = { .M = 1 + i % 13,
                                     .K = K,
                                     .T = taps[i % 5],
                                     .width = width,
                                     .step = 1 + i / 5 % 2,
                                     .rows = 1 + i % ROWS_MAX };
            struct job j = { run_grad,
                             &s,
                             { { s.T * width * K, VALUES, 0 },
                               { s.rows * pixels(&s) * K, VALUES, 0 },
                               { (s.rows - 1) * dy_row(&s) +
                                     (s.M - 1) * pixel_floats(s.K, s.stream) + K,
                                 VALUES, 0 } },
                             s.rows * s.M + 1,
                             "" };
            snprintf(j.what, sizeof j.what,
                     "group_grad rows %zu M %zu K %zu T %zu width %zu step %zu", s.rows, s.M, K,
                     s.T, s.width, s.step);
            if (!agree(k, right, &j))
                return false;
        }
    return true;
}

/* ---- bench: a row of 48 pixels by a vector, everything in the caches ---- */

enum { BENCH_M = 48 };

struct bench {
    const struct rn_kernels *k;
    float *y, *w, *in;
    const float *x[TAPS_MAX];
    size_t width;
};

static void call(void *arg)
{
    struct bench *b = arg;
    size_t nr = b->k->group_nr;
    b->k->group(b->y, NULL, nr, b->x, nr, b->w, b->w, BENCH_M, nr, TAPS_MAX, b->width, RN_RELU);
}

static void bench_with(const struct rn_kernels *k, void (*measure)(struct bench *b))
{
    size_t nr = k->group_nr, x = (BENCH_M + 2) * 3 * nr, w = TAPS_MAX * RN_GROUP_MAX * nr;
    float *all = aligned_alloc(64, (x + w + BENCH_M * nr) * sizeof *all);
    if (!all)
        abort();
    memset(all, 0, (x + w + BENCH_M * nr) * sizeof *all);
    struct bench b = { .k = k, .in = all, .w = all + x, .y = all + x + w };
    for (size_t t = 0; t < TAPS_MAX; t++)
        b.x[t] = all + (t / 3 * (BENCH_M + 2) + t % 3) * nr;
    measure(&b);
    free(all);
}

static void measure_widths(struct bench *b)
{
    for (b->width = 1; b->width <= widest(b->k); b->width *= 2) {
        char what[32];
        snprintf(what, sizeof what, "3x3 width=%zu", b->width);
        double work = 2.0 * (double)(TAPS_MAX * b->width * BENCH_M * b->k->group_nr);
        report(b->k, what, fastest(call, b), work, true);
    }
}

static void call_grad(void *arg)
{
    struct bench *b = arg;
    size_t nr = b->k->group_nr;
    b->k->group_grad(b->w, b->x, nr, b->y, nr, 0, 1, BENCH_M, nr, TAPS_MAX, b->width);
}

static void measure_grad(struct bench *b)
{
    for (b->width = 1; b->width <= widest(b->k); b->width *= 2) {
        char what[32];
        snprintf(what, sizeof what, "3x3 width=%zu", b->width);
        double work = 2.0 * (double)(TAPS_MAX * b->width * BENCH_M * b->k->group_nr);
        report(b->k, what, fastest(call_grad, b), work, true);
    }
}

static void bench(const struct rn_kernels *k)
{
    bench_with(k, measure_widths);
}

static void bench_grad(const struct rn_kernels *k)
{
    bench_with(k, measure_grad);
}

const struct test group_test = { "group", check, bench, offsetof(struct rn_kernels, group), true };
const struct test group_grad_test = { "group_grad", check_grad, bench_grad,
                                      offsetof(struct rn_kernels, group_grad), true };
