/* The tile of a convolution: every M and K, residual apart, in place and none. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS = 5, TAPS_MAX = 9 };

struct shape {
    size_t M, K, T, C;
    bool bias, res, accumulate, relu, sparse, stream;
};

/* Any of a few pixels, so that most rows come to the last one, which lies against a guard page. */
static const float *pixel(const float *x, size_t C, size_t t, size_t m)
{
    return x + (t * 7 + m * 3 + t * m) % PIXELS * C;
}

/* Taps that no row has, that all have, that some have. */
static bool left_out(const struct shape *s, size_t t, size_t m)
{
    return s->sparse && (t % 4 == 1 || (t % 4 == 3 && (m + t) % 3));
}

/* One tile of the table's size from (m0, k0) on, packed as the contract wants it. */
static void run_tile(const struct rn_kernels *k, float *y, const float *res, void *const *a,
                     const struct shape *s, size_t m0, size_t k0)
{
    size_t M = s->M - m0 < k->igemm_mr ? s->M - m0 : k->igemm_mr;
    size_t nr = k->igemm_nr, K = s->K - k0 < nr ? s->K - k0 : nr;
    float *w = take(s->T * s->C * nr * sizeof *w), *bias = take(nr * sizeof *bias);
    const float *x[TAPS_MAX * RN_MR_MAX];
    size_t row[RN_MR_MAX];
    for (size_t m = 0; m < M; m++) {
        row[m] = (s->M - 1 - m0 - m) * pixel_floats(s->K, s->stream) + k0;
        for (size_t t = 0; t < s->T; t++)
            x[t * M + m] = left_out(s, t, m0 + m) ? NULL : pixel(a[2], s->C, t, m0 + m);
    }
    memset(w, 0, s->T * s->C * nr * sizeof *w);
    memset(bias, 0, nr * sizeof *bias);
    for (size_t i = 0; i < s->T * s->C; i++)
        memcpy(w + i * nr, (float *)a[3] + i * s->K + k0, K * sizeof *w);
    memcpy(bias, (float *)a[4] + k0, K * sizeof *bias);
    (s->sparse ? k->igemm_sparse : k->igemm)(
        y, res, row, x, w, s->bias ? bias : NULL, M % 2 ? w : NULL, RN_LINE >> K % 3, M, K, s->T,
        s->C, (s->relu ? RN_RELU : 0) | stream(y, pixel_floats(s->K, s->stream)));
}

static void run(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    float *y = a[0];
    const float *res = s->accumulate ? y : s->res ? a[1] : NULL;
    for (size_t m0 = 0; m0 < s->M; m0 += k->igemm_mr)
        for (size_t k0 = 0; k0 < s->K; k0 += k->igemm_nr)
            run_tile(k, y, res, a, s, m0, k0);
}

static bool check_shape(const struct rn_kernels *k, const struct rn_kernels *right,
                        const struct shape *s)
{
    size_t n = (s->M - 1) * pixel_floats(s->K, s->stream) + s->K;
    struct job j = { run,
                     s,
                     { { n, s->accumulate ? VALUES : CANARIES, 0 },
                       { n, VALUES, 0 },
                       { PIXELS * s->C, VALUES, 0 },
                       { s->T * s->C * s->K, VALUES, 0 },
                       { s->K, VALUES, 0 } },
                     s->T * s->C + 4,
                     "" };
    snprintf(j.what, sizeof j.what,
             "igemm%s M %zu K %zu T %zu C %zu bias %d res %d %d relu %d stream %d",
             s->sparse ? "_sparse" : "", s->M, s->K, s->T, s->C, s->bias, s->res, s->accumulate,
             s->relu, s->stream);
    /* The same rows one by one: cutting must not change a bit. */
    struct rn_kernels single = *k;
    single.igemm_mr = 1;
    return agree(k, right, &j) && agree(k, &single, &j);
}

static bool check_all(const struct rn_kernels *k, const struct rn_kernels *right, bool sparse)
{
    static const size_t taps[] = { 1, 9, 2, 3, 1 }, channels[] = { 1, 16, 3, 2, 5, 17, 8 };
    unsigned i = 0;
    for (size_t M = 1; M <= k->igemm_mr; M++) {
        for (size_t K = 1; K <= k->igemm_nr; K++, i++) {
            const struct shape s = { M,          K,          taps[i % 5], channels[i % 7],
                                     i % 4 != 1, i % 3 == 1, i % 3 == 2,  i / 3 % 2,
                                     sparse,     M % 2 == 0 };
            if (!check_shape(k, right, &s))
                return false;
        }
    }
    return true;
}

static bool check(const struct rn_kernels *k, const struct rn_kernels *right)
{
    return check_all(k, right, false);
}

static bool check_sparse(const struct rn_kernels *k, const struct rn_kernels *right)
{
    return check_all(k, right, true);
}

/* ---- bench: a 3x3 tile with everything in the caches ---- */

struct bench {
    const struct rn_kernels *k;
    rn_igemm_fn *fn;
    float *y, *w;
    const float *x[TAPS_MAX * RN_MR_MAX];
    size_t row[RN_MR_MAX], C;
};

static void call(void *arg)
{
    struct bench *b = arg;
    b->fn(b->y, NULL, b->row, b->x, b->w, b->w, NULL, 0, b->k->igemm_mr, b->k->igemm_nr, TAPS_MAX,
          b->C, true);
}

static void bench_channels(const struct rn_kernels *k, rn_igemm_fn *fn, size_t C)
{
    enum { PIXELS_WIDE = RN_MR_MAX + 3 };
    size_t wide = PIXELS_WIDE * 3 * C, panel = TAPS_MAX * C * k->igemm_nr;
    float *x = aligned_alloc(64, (wide + panel + RN_MR_MAX * RN_NR_MAX) * sizeof *x);
    if (!x)
        abort();
    memset(x, 0, (wide + panel) * sizeof *x);
    struct bench b = { .k = k, .fn = fn, .y = x + wide + panel, .w = x + wide, .C = C };
    for (size_t m = 0; m < k->igemm_mr; m++) {
        b.row[m] = m * k->igemm_nr;
        for (size_t t = 0; t < TAPS_MAX; t++)
            b.x[t * k->igemm_mr + m] = x + (t / 3 * PIXELS_WIDE + m + t % 3) * C;
    }
    char what[32];
    snprintf(what, sizeof what, "3x3 C=%zu %zux%zu", C, k->igemm_mr, k->igemm_nr);
    double work = 2.0 * (double)(TAPS_MAX * C * k->igemm_mr * k->igemm_nr);
    report(k, what, fastest(call, &b), work, true);
    free(x);
}

static void bench(const struct rn_kernels *k)
{
    for (size_t C = 64; C <= 512; C *= 2)
        bench_channels(k, k->igemm, C);
}

/* With every tap in every row: what it costs that one could be missing. */
static void bench_sparse(const struct rn_kernels *k)
{
    for (size_t C = 64; C <= 512; C *= 2)
        bench_channels(k, k->igemm_sparse, C);
}

const struct test igemm_test = { "igemm", check, bench, offsetof(struct rn_kernels, igemm), true };
const struct test igemm_sparse_test = { "igemm_sparse", check_sparse, bench_sparse,
                                        offsetof(struct rn_kernels, igemm_sparse), true };
