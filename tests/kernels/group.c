/* The convolution in groups: every width and number of pixels, vectors that are not full. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS = 5, TAPS_MAX = 9, ROW_GAP = 3, M_MAX = 27 };

struct shape {
    size_t M, K, T, width;
    bool bias, res, accumulate, relu;
};

/* The table's vector of channels from k0 on; a[3] is [T][width][K] in the order of the contract. */
static void run_vector(const struct rn_kernels *k, float *y, const float *res, void *const *a,
                       const struct shape *s, size_t k0)
{
    size_t nr = k->group_nr, K = s->K - k0 < nr ? s->K - k0 : nr;
    float *w = take(s->T * s->width * nr * sizeof *w), *bias = take(nr * sizeof *bias);
    const float *x[TAPS_MAX * M_MAX];
    size_t row[M_MAX];
    for (size_t m = 0; m < s->M; m++) {
        row[m] = (s->M - 1 - m) * (s->K + ROW_GAP) + k0;
        for (size_t t = 0; t < s->T; t++)
            x[t * s->M + m] = (float *)a[2] + (t * 7 + m * 3 + t * m) % PIXELS * s->K;
    }
    memset(w, 0, s->T * s->width * nr * sizeof *w);
    memset(bias, 0, nr * sizeof *bias);
    for (size_t i = 0; i < s->T * s->width; i++)
        memcpy(w + i * nr, (float *)a[3] + i * s->K + k0, K * sizeof *w);
    memcpy(bias, (float *)a[4] + k0, K * sizeof *bias);
    k->group(y, res, row, x, k0, w, s->bias ? bias : NULL, s->M, K, s->T, s->width, s->relu);
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
    size_t n = (s->M - 1) * (s->K + ROW_GAP) + s->K;
    struct job j = { run,
                     s,
                     { { n, s->accumulate ? VALUES : CANARIES, 0 },
                       { n, VALUES, 0 },
                       { PIXELS * s->K, VALUES, 0 },
                       { s->T * s->width * s->K, VALUES, 0 },
                       { s->K, VALUES, 0 } },
                     s->T * s->width + 8,
                     "" };
    snprintf(j.what, sizeof j.what, "group M %zu K %zu T %zu width %zu bias %d res %d %d relu %d",
             s->M, s->K, s->T, s->width, s->bias, s->res, s->accumulate, s->relu);
    return agree(k, right, &j);
}

static bool check(const struct rn_kernels *k, const struct rn_kernels *right)
{
    static const size_t taps[] = { 9, 1, 4, 3, 9 };
    unsigned i = 0;
    for (size_t width = 1; width <= RN_GROUP_MAX && width <= k->group_nr; width *= 2) {
        for (size_t K = width; K <= SIZES; K += width, i++) {
            const struct shape s = { 1 + i * 5 % M_MAX, K,          taps[i % 5], width,
                                     i % 4 != 1,        i % 3 == 1, i % 3 == 2,  i / 3 % 2 };
            if (!check_shape(k, right, &s))
                return false;
        }
    }
    return true;
}

/* ---- bench: 48 pixels by a vector, everything in the caches ---- */

enum { BENCH_M = 48 };

struct bench {
    const struct rn_kernels *k;
    float *y, *w;
    const float *x[TAPS_MAX * BENCH_M];
    size_t row[BENCH_M], width;
};

static void call(void *arg)
{
    struct bench *b = arg;
    b->k->group(b->y, NULL, b->row, b->x, 0, b->w, b->w, BENCH_M, b->k->group_nr, TAPS_MAX,
                b->width, true);
}

static void bench(const struct rn_kernels *k)
{
    size_t nr = k->group_nr, x = (BENCH_M + 2) * 3 * nr, w = TAPS_MAX * RN_GROUP_MAX * nr;
    float *all = aligned_alloc(64, (x + w + BENCH_M * nr) * sizeof *all);
    if (!all)
        abort();
    memset(all, 0, (x + w) * sizeof *all);
    struct bench b = { .k = k, .w = all + x, .y = all + x + w };
    for (size_t m = 0; m < BENCH_M; m++) {
        b.row[m] = m * nr;
        for (size_t t = 0; t < TAPS_MAX; t++)
            b.x[t * BENCH_M + m] = all + (t / 3 * (BENCH_M + 2) + m + t % 3) * nr;
    }
    for (b.width = 1; b.width <= RN_GROUP_MAX && b.width <= nr; b.width *= 2) {
        char what[32];
        snprintf(what, sizeof what, "3x3 width=%zu", b.width);
        double work = 2.0 * (double)(TAPS_MAX * b.width * BENCH_M * nr);
        report(k, what, fastest(call, &b), work, true);
    }
    free(all);
}

const struct test group_test = { "group", check, bench, offsetof(struct rn_kernels, group), true };
