/* Winograd's transforms: channels past a vector, strides with canaries between, tiles that hang
 * over the picture's edge. */
#include "check.h"

#include <stdio.h>

struct shape {
    size_t m; /* outputs on a side of a tile: 2, 3 or 4 */
    size_t C, ld;
    unsigned outside; /* bit i: output pixel i lies outside the picture */
    bool bias, res, relu;
};

enum { GAP = 3 }; /* floats between rows that must stay as they are */

/* Elements of a tile. */
static size_t elements(const struct shape *s)
{
    return (s->m + 2) * (s->m + 2);
}

static size_t rows(const struct shape *s)
{
    return (elements(s) - 1) * s->ld + s->C;
}

static const struct rn_wino *transforms(const struct rn_kernels *k, const struct shape *s)
{
    return s->m == 2 ? &k->wino2 : s->m == 3 ? &k->wino3 : &k->wino4;
}

/* ---- input ---- */

static void run_input(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    const float *x[36];
    size_t E = elements(s);
    for (size_t e = 0; e < E; e++) /* in another order than memory's */
        x[e] = (float *)a[1] + (e * 7 + s->C) % E * s->C;
    transforms(k, s)->input(a[0], s->ld, x, s->C);
}

static struct job input_job(const struct shape *s)
{
    struct job j = {
        run_input, s, { { rows(s), CANARIES, 0 }, { elements(s) * s->C, VALUES, 0 } }, 12, ""
    };
    snprintf(j.what, sizeof j.what, "wino%zu_input C %zu", s->m, s->C);
    return j;
}

static bool check_input(const struct rn_kernels *k, const struct rn_kernels *right, size_t m)
{
    for (size_t C = 1; C <= SIZES; C++) {
        const struct shape s = { .m = m, .C = C, .ld = C + GAP };
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
    transforms(k, s)->filter(a[0], s->ld, a[1], s->C);
}

static struct job filter_job(const struct shape *s)
{
    struct job j = { run_filter, s, { { rows(s), CANARIES, 0 }, { 9 * s->C, VALUES, 0 } }, 12, "" };
    snprintf(j.what, sizeof j.what, "wino%zu_filter K %zu", s->m, s->C);
    return j;
}

static bool check_filter(const struct rn_kernels *k, const struct rn_kernels *right, size_t m)
{
    for (size_t K = 1; K <= SIZES; K++) {
        const struct shape s = { .m = m, .C = K, .ld = K + GAP };
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
    size_t row[16], pixels = s->m * s->m;
    for (size_t i = 0; i < pixels; i++)
        row[i] = s->outside >> i & 1 ? SIZE_MAX : (i * 5 + s->C) % pixels * (s->C + GAP);
    transforms(k, s)->output(a[0], s->res ? a[2] : NULL, row, a[1], s->ld, s->bias ? a[3] : NULL,
                             s->C, s->relu);
}

static struct job output_job(const struct shape *s)
{
    size_t pixels = (s->m * s->m - 1) * (s->C + GAP) + s->C;
    struct job j = { run_output,
                     s,
                     { { pixels, CANARIES, 0 },
                       { rows(s), VALUES, 0 },
                       { pixels, VALUES, 0 },
                       { s->C, VALUES, 0 } },
                     16,
                     "" };
    snprintf(j.what, sizeof j.what, "wino%zu_output K %zu outside %x bias %d res %d relu %d", s->m,
             s->C, s->outside, s->bias, s->res, s->relu);
    return j;
}

static bool check_output(const struct rn_kernels *k, const struct rn_kernels *right, size_t m)
{
    static const unsigned outside[] = { 0, 0x8888, 0xF000, 0xFEEE, 0xFFF0 };
    for (size_t K = 1; K <= SIZES; K++) {
        const struct shape s = {
            m, K, K + GAP, outside[K % 5], K / 2 % 2 == 0, K / 3 % 2 == 0, K / 5 % 2 == 0
        };
        struct job j = output_job(&s);
        if (!agree(k, right, &j))
            return false;
    }
    return true;
}

/* ---- output_grad ---- */

/* The layout depends on the table's panels: compared is what stands in it. */
static void run_output_grad(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    const float *dy[16];
    size_t pixels = s->m * s->m, nr = k->outer_nr, panels = (s->C + nr - 1) / nr;
    size_t E = elements(s), panel = nr + GAP, ld = panels * panel;
    float *d = take(E * ld * sizeof *d), *to = a[0];

    for (size_t i = 0; i < pixels; i++)
        dy[i] = (float *)a[1] + (i * 5 + s->C) % pixels * s->C;
    transforms(k, s)->output_grad(d, ld, panel, dy, s->C);
    for (size_t e = 0; e < E; e++)
        for (size_t j = 0; j < panels * nr; j++) {
            float v = d[e * ld + j / nr * panel + j % nr];
            if (j < s->C)
                to[e * s->C + j] = v;
            else if (v != 0)
                to[E * s->C] = v; /* a canary */
        }
}

/* The call alone, for measuring: s->ld is a multiple of every table's panel. */
static void call_output_grad(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    const float *dy[16];

    for (size_t i = 0; i < s->m * s->m; i++)
        dy[i] = (float *)a[1] + i * s->C;
    transforms(k, s)->output_grad(a[0], s->ld, k->outer_nr, dy, s->C);
}

static struct job output_grad_job(const struct shape *s)
{
    size_t pixels = s->m * s->m;
    struct job j = { s->ld ? call_output_grad : run_output_grad,
                     s,
                     { { elements(s) * s->C + 1, CANARIES, 0 }, { pixels * s->C, VALUES, 0 } },
                     12,
                     "" };
    snprintf(j.what, sizeof j.what, "wino%zu_output_grad K %zu", s->m, s->C);
    return j;
}

static bool check_output_grad(const struct rn_kernels *k, const struct rn_kernels *right, size_t m)
{
    for (size_t K = 1; K <= SIZES; K++) {
        const struct shape s = { .m = m, .C = K };
        struct job j = output_grad_job(&s);
        if (!agree(k, right, &j))
            return false;
    }
    return true;
}

/* ---- filter_grad ---- */

static void run_filter_grad(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    transforms(k, s)->filter_grad(a[0], a[1], s->ld, s->C);
}

static struct job filter_grad_job(const struct shape *s)
{
    struct job j = {
        run_filter_grad, s, { { 9 * s->C, CANARIES, 0 }, { rows(s), VALUES, 0 } }, 16, ""
    };
    snprintf(j.what, sizeof j.what, "wino%zu_filter_grad K %zu", s->m, s->C);
    return j;
}

static bool check_filter_grad(const struct rn_kernels *k, const struct rn_kernels *right, size_t m)
{
    for (size_t K = 1; K <= SIZES; K++) {
        const struct shape s = { .m = m, .C = K, .ld = K + GAP };
        struct job j = filter_grad_job(&s);
        if (!agree(k, right, &j))
            return false;
    }
    return true;
}

/* ---- all schemes ---- */

static const struct shape wide2 = { 2, 128, 128, 0, true, true, true };
static const struct shape wide3 = { 3, 128, 128, 0, true, true, true };
static const struct shape wide4 = { 4, 128, 128, 0, true, true, true };

#define PART(part, m)                                                                              \
    static bool check_wino##m##_##part(const struct rn_kernels *k, const struct rn_kernels *right) \
    {                                                                                              \
        return check_##part(k, right, m);                                                          \
    }                                                                                              \
    static void bench_wino##m##_##part(const struct rn_kernels *k)                                 \
    {                                                                                              \
        struct job j = part##_job(&wide##m);                                                       \
        bench_job(k, &j);                                                                          \
    }                                                                                              \
    const struct test wino##m##_##part##_test = { "wino" #m "_" #part, check_wino##m##_##part,     \
                                                  bench_wino##m##_##part,                          \
                                                  offsetof(struct rn_kernels, wino##m.part),       \
                                                  true };
#define SCHEME(m)                                                                                  \
    PART(input, m)                                                                                 \
    PART(filter, m)                                                                                \
    PART(output, m)                                                                                \
    PART(output_grad, m)                                                                           \
    PART(filter_grad, m)
SCHEME(2)
SCHEME(3)
SCHEME(4)
