/* Winograd's transforms: channels past a vector, strides with canaries between, tiles that hang
 * over the picture's edge. */
#include "check.h"

#include <stdio.h>

struct shape {
    size_t C, ld;
    unsigned outside; /* bit i: output pixel i lies outside the picture */
    bool bias, res, relu;
};

enum { GAP = 3 }; /* floats between rows that must stay as they are */

/* ---- input ---- */

static void run_input(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    const float *x[36];
    for (size_t e = 0; e < 36; e++) /* in another order than memory's */
        x[e] = (float *)a[1] + (e * 7 + s->C) % 36 * s->C;
    k->wino_input(a[0], s->ld, x, s->C);
}

static struct job input_job(const struct shape *s)
{
    size_t rows = 35 * s->ld + s->C;
    struct job j = { run_input, s, { { rows, CANARIES, 0 }, { 36 * s->C, VALUES, 0 } }, 12, "" };
    snprintf(j.what, sizeof j.what, "wino_input C %zu", s->C);
    return j;
}

static bool check_input(const struct rn_kernels *k, const struct rn_kernels *right)
{
    for (size_t C = 1; C <= SIZES; C++) {
        const struct shape s = { .C = C, .ld = C + GAP };
        struct job j = input_job(&s);
        if (!agree(k, right, &j))
            return false;
    }
    return true;
}

/* ---- filter ---- */

static void run_filter(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    k->wino_filter(a[0], s->ld, a[1], s->C);
}

static struct job filter_job(const struct shape *s)
{
    size_t rows = 35 * s->ld + s->C;
    struct job j = { run_filter, s, { { rows, CANARIES, 0 }, { 9 * s->C, VALUES, 0 } }, 12, "" };
    snprintf(j.what, sizeof j.what, "wino_filter K %zu", s->C);
    return j;
}

static bool check_filter(const struct rn_kernels *k, const struct rn_kernels *right)
{
    for (size_t K = 1; K <= SIZES; K++) {
        const struct shape s = { .C = K, .ld = K + GAP };
        struct job j = filter_job(&s);
        if (!agree(k, right, &j))
            return false;
    }
    return true;
}

/* ---- output ---- */

static void run_output(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    size_t row[16];
    for (size_t i = 0; i < 16; i++)
        row[i] = s->outside >> i & 1 ? SIZE_MAX : (i * 5 + s->C) % 16 * (s->C + GAP);
    k->wino_output(a[0], s->res ? a[2] : NULL, row, a[1], s->ld, s->bias ? a[3] : NULL, s->C,
                   s->relu);
}

static struct job output_job(const struct shape *s)
{
    size_t rows = 35 * s->ld + s->C, pixels = 15 * (s->C + GAP) + s->C;
    struct job j = { run_output,
                     s,
                     { { pixels, CANARIES, 0 },
                       { rows, VALUES, 0 },
                       { pixels, VALUES, 0 },
                       { s->C, VALUES, 0 } },
                     16,
                     "" };
    snprintf(j.what, sizeof j.what, "wino_output K %zu outside %x bias %d res %d relu %d", s->C,
             s->outside, s->bias, s->res, s->relu);
    return j;
}

static bool check_output(const struct rn_kernels *k, const struct rn_kernels *right)
{
    static const unsigned outside[] = { 0, 0x8888, 0xF000, 0xFEEE, 0xFFF0 };
    for (size_t K = 1; K <= SIZES; K++) {
        const struct shape s = {
            K, K + GAP, outside[K % 5], K / 2 % 2 == 0, K / 3 % 2 == 0, K / 5 % 2 == 0
        };
        struct job j = output_job(&s);
        if (!agree(k, right, &j))
            return false;
    }
    return true;
}

/* ---- speed ---- */

static const struct shape wide = { 128, 128, 0, true, true, true };

static void bench_input(const struct rn_kernels *k)
{
    struct job j = input_job(&wide);
    bench_job(k, &j);
}

static void bench_filter(const struct rn_kernels *k)
{
    struct job j = filter_job(&wide);
    bench_job(k, &j);
}

static void bench_output(const struct rn_kernels *k)
{
    struct job j = output_job(&wide);
    bench_job(k, &j);
}

const struct test wino_input_test = { "wino_input", check_input, bench_input,
                                      offsetof(struct rn_kernels, wino_input), true };
const struct test wino_filter_test = { "wino_filter", check_filter, bench_filter,
                                       offsetof(struct rn_kernels, wino_filter), true };
const struct test wino_output_test = { "wino_output", check_output, bench_output,
                                       offsetof(struct rn_kernels, wino_output), true };
