/* Winograd's transforms: channels past a vector, strides with canaries between, strips of one tile
 * and of several that hang over the picture's edges. */
#include "check.h"

#include <stdio.h>

struct shape {
    size_t m;    /* outputs on a side of a tile: 2, 3 or 4 */
    size_t C, T; /* channels, tiles of the strip */
    int left, W; /* columns that an input strip begins before the picture; of the picture */
    size_t P, Q; /* outputs in the picture, from the strip's first one on */
    bool bias, res, relu;
};

enum { GAP = 3 }; /* floats between rows that must stay as they are */

/* Elements of a tile. */
static size_t elements(const struct shape *s)
{
    return (s->m + 2) * (s->m + 2);
}

/* Floats between the tiles of a transformed strip, between its matrices, and of it all. */
static size_t ldt(const struct shape *s)
{
    return s->C + GAP;
}

static size_t ld(const struct shape *s)
{
    return s->T * ldt(s) + GAP;
}

static size_t transformed(const struct shape *s)
{
    return (elements(s) - 1) * ld(s) + (s->T - 1) * ldt(s) + s->C;
}

static const struct rn_wino *transforms(const struct rn_kernels *k, const struct shape *s)
{
    return s->m == 2 ? &k->wino2 : s->m == 3 ? &k->wino3 : &k->wino4;
}

/* Strips of 1, 2, 3 tiles in turn, of which the picture has all, or less on one side or on both. */
static struct shape strip(size_t m, size_t C)
{
    size_t T = 1 + C % 3, columns = T * m + 2, Q = T * m - C / 3 % m;
    int left = (int)(C / 2 % 4), W = (int)(columns - C / 5 % 4) - left;

    return (struct shape){ .m = m,
                           .C = C,
                           .T = T,
                           .left = left,
                           .W = W > 0 ? W : 1,
                           .P = 1 + C % (m + 1),
                           .Q = Q,
                           .bias = C / 2 % 2 == 0,
                           .res = C / 3 % 2 == 0,
                           .relu = C / 5 % 2 == 0 };
}

/* ---- input ---- */

static void run_input(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    const float *row[6];
    size_t edge = s->m + 2;
    for (size_t i = 0; i < edge; i++) /* in another order than memory's */
        row[i] = (float *)a[1] + (s->C + edge - i) % edge * (size_t)s->W * s->C;
    transforms(k, s)->input(a[0], ld(s), ldt(s), row, -s->left, s->W, s->T, s->C);
}

static struct job input_job(const struct shape *s)
{
    struct job j = { run_input,
                     s,
                     { { transformed(s), CANARIES, 0 },
                       { (s->m + 2) * (size_t)s->W * s->C, VALUES, 0 } },
                     12,
                     "" };
    snprintf(j.what, sizeof j.what, "wino%zu_input C %zu T %zu left %d W %d", s->m, s->C, s->T,
             s->left, s->W);
    return j;
}

static bool check_input(const struct rn_kernels *k, const struct rn_kernels *right, size_t m)
{
    for (size_t C = 1; C <= SIZES; C++) {
        const struct shape s = strip(m, C);
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
    transforms(k, s)->filter(a[0], ld(s), a[1], s->C);
}

static struct job filter_job(const struct shape *s)
{
    struct job j = {
        run_filter, s, { { transformed(s), CANARIES, 0 }, { 9 * s->C, VALUES, 0 } }, 12, ""
    };
    snprintf(j.what, sizeof j.what, "wino%zu_filter K %zu", s->m, s->C);
    return j;
}

static bool check_filter(const struct rn_kernels *k, const struct rn_kernels *right, size_t m)
{
    for (size_t K = 1; K <= SIZES; K++) {
        const struct shape s = { .m = m, .C = K, .T = 1 };
        struct job j = filter_job(&s);
        if (!agree(k, right, &j))
            return false;
    }
    return true;
}

/* ---- output ---- */

/* Floats between the pixels and between the rows of outputs. */
static size_t step(const struct shape *s)
{
    return s->C + GAP;
}

static size_t ldy(const struct shape *s)
{
    return s->Q * step(s) + GAP;
}

static void run_output(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    transforms(k, s)->output(a[0], s->res ? a[2] : NULL, ldy(s), step(s), s->P, s->Q, a[1], ld(s),
                             ldt(s), s->bias ? a[3] : NULL, s->T, s->C, s->relu);
}

static struct job output_job(const struct shape *s)
{
    size_t rows = s->P < s->m ? s->P : s->m, n = (rows - 1) * ldy(s) + (s->Q - 1) * step(s) + s->C;
    struct job j = { run_output,
                     s,
                     { { n, CANARIES, 0 },
                       { transformed(s), VALUES, 0 },
                       { n, VALUES, 0 },
                       { s->C, VALUES, 0 } },
                     16,
                     "" };
    snprintf(j.what, sizeof j.what, "wino%zu_output K %zu T %zu P %zu Q %zu bias %d res %d relu %d",
             s->m, s->C, s->T, s->P, s->Q, s->bias, s->res, s->relu);
    return j;
}

static bool check_output(const struct rn_kernels *k, const struct rn_kernels *right, size_t m)
{
    for (size_t K = 1; K <= SIZES; K++) {
        const struct shape s = strip(m, K);
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
    const float *row[4];
    size_t nr = k->outer_nr, narrow = k->outer_narrow_nr, E = elements(s);
    size_t columns = (s->C + narrow - 1) / narrow * narrow, panels = (columns + nr - 1) / nr;
    size_t panel = s->T * nr + GAP, all = panels * panel;
    float *d = take(E * all * sizeof *d), *to = a[0];

    for (size_t i = 0; i < s->m; i++)
        row[i] = (float *)a[1] + (s->C + s->m - i) % s->m * ldy(s);
    transforms(k, s)->output_grad(d, all, nr, panel, row, step(s), s->Q, s->T, s->C);
    for (size_t i = 0; i < E * s->T; i++)
        for (size_t j = 0; j < columns; j++) {
            float v = d[i / s->T * all + i % s->T * nr + j / nr * panel + j % nr];
            if (j < s->C)
                to[i * s->C + j] = v;
            else if (v != 0)
                to[E * s->T * s->C] = v; /* a canary */
        }
}

/* The call alone, for measuring: one tile, whose channels are a multiple of every table's panel. */
static void call_output_grad(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    const float *row[4];

    for (size_t i = 0; i < s->m; i++)
        row[i] = (float *)a[1] + i * ldy(s);
    transforms(k, s)->output_grad(a[0], s->C, k->outer_nr, k->outer_nr, row, step(s), s->Q, s->T,
                                  s->C);
}

static struct job output_grad_job(const struct shape *s)
{
    struct job j = { s->left ? run_output_grad : call_output_grad,
                     s,
                     { { elements(s) * s->T * s->C + 1, CANARIES, 0 },
                       { (s->m - 1) * ldy(s) + (s->Q - 1) * step(s) + s->C, VALUES, 0 } },
                     12,
                     "" };
    snprintf(j.what, sizeof j.what, "wino%zu_output_grad K %zu T %zu Q %zu", s->m, s->C, s->T,
             s->Q);
    return j;
}

static bool check_output_grad(const struct rn_kernels *k, const struct rn_kernels *right, size_t m)
{
    for (size_t K = 1; K <= SIZES; K++) {
        struct shape s = strip(m, K);
        s.left = 1;
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
    transforms(k, s)->filter_grad(a[0], a[1], ld(s), s->C);
}

static struct job filter_grad_job(const struct shape *s)
{
    struct job j = {
        run_filter_grad, s, { { 9 * s->C, CANARIES, 0 }, { transformed(s), VALUES, 0 } }, 16, ""
    };
    snprintf(j.what, sizeof j.what, "wino%zu_filter_grad K %zu", s->m, s->C);
    return j;
}

static bool check_filter_grad(const struct rn_kernels *k, const struct rn_kernels *right, size_t m)
{
    for (size_t K = 1; K <= SIZES; K++) {
        const struct shape s = { .m = m, .C = K, .T = 1 };
        struct job j = filter_grad_job(&s);
        if (!agree(k, right, &j))
            return false;
    }
    return true;
}

/* ---- all schemes ---- */

/* For measuring: a tile in a picture. */
static const struct shape wide2 = { 2, 128, 1, 0, 4, 2, 2, true, true, true };
static const struct shape wide3 = { 3, 128, 1, 0, 5, 3, 3, true, true, true };
static const struct shape wide4 = { 4, 128, 1, 0, 6, 4, 4, true, true, true };

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
