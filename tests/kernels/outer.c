/* The tiles of outer products: every I, sums begun and gone on with; the cut into blocks. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shape {
    size_t M, I, J;
    bool first, narrow;
};

enum { GAP = 3, M_MAX = 33 };

/* Offsets out of order; the last pixel lies against a guard page. */
static size_t offset(const struct shape *s, size_t m)
{
    return (s->M - 1 - m) * (s->I + GAP);
}

static size_t tile_mr(const struct rn_kernels *k, bool narrow)
{
    return narrow ? k->outer_narrow_mr : k->outer_mr;
}

static size_t tile_nr(const struct rn_kernels *k, bool narrow)
{
    return narrow ? k->outer_narrow_nr : k->outer_nr;
}

/* The floats between the rows of a tile, which must stay: they show in the result when not. */
static void mark_gaps(float *tile, size_t lda, const struct shape *s, size_t I, float *result)
{
    for (size_t i = 0; i + 1 < I; i++) {
        for (size_t j = lda - GAP; j < lda; j++) {
            if (result && tile[i * lda + j] != (float)s->M)
                *result = NAN;
            tile[i * lda + j] = (float)s->M;
        }
    }
}

static void run_tile(const struct rn_kernels *k, void *const *a, const struct shape *s, size_t i0,
                     size_t j0)
{
    size_t mr = tile_mr(k, s->narrow), nr = tile_nr(k, s->narrow), lda = nr + GAP;
    size_t I = s->I - i0 < mr ? s->I - i0 : mr, J = s->J - j0 < nr ? s->J - j0 : nr;
    size_t size = ((I - 1) * lda + nr) * sizeof(float);
    float *tile = take(size), *dy = take(s->M * nr * sizeof *dy), *acc = a[0];
    int32_t off[M_MAX];
    const struct rn_fetch fetch[] = { { dy, RN_LINE, s->M % 5 }, { tile, lda, I }, { dy, 0, 40 } };
    memset(dy, 0, s->M * nr * sizeof *dy);
    for (size_t m = 0; m < s->M; m++) {
        off[m] = (int32_t)(offset(s, m) + i0);
        memcpy(dy + m * nr, (float *)a[2] + m * s->J + j0, J * sizeof *dy);
    }
    memset(tile, 0, size);
    for (size_t i = 0; i < I; i++)
        memcpy(tile + i * lda, acc + (i0 + i) * s->J + j0, J * sizeof *tile);
    mark_gaps(tile, lda, s, I, NULL);
    (s->narrow ? k->outer_narrow : k->outer)(tile, lda, a[1], off, dy, s->M, I, s->first, fetch,
                                             s->M % 4);
    for (size_t i = 0; i < I; i++)
        memcpy(acc + (i0 + i) * s->J + j0, tile + i * lda, J * sizeof *tile);
    mark_gaps(tile, lda, s, I, acc);
}

static void run(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    for (size_t i0 = 0; i0 < s->I; i0 += tile_mr(k, s->narrow))
        for (size_t j0 = 0; j0 < s->J; j0 += tile_nr(k, s->narrow))
            run_tile(k, a, s, i0, j0);
}

static bool check_shape(const struct rn_kernels *k, const struct rn_kernels *right,
                        const struct shape *s)
{
    struct job j = { run,
                     s,
                     { { s->I * s->J, s->first ? CANARIES : VALUES, 0 },
                       { s->M ? (s->M - 1) * (s->I + GAP) + s->I : 0, VALUES, 0 },
                       { s->M * s->J, VALUES, 0 } },
                     s->M + 4,
                     "" };
    snprintf(j.what, sizeof j.what, "outer%s M %zu I %zu first %d", s->narrow ? "_narrow" : "",
             s->M, s->I, s->first);
    struct rn_kernels single = *k; /* cutting must not change a bit */
    single.outer_mr = single.outer_narrow_mr = s->I > 3 ? 3 : 1;
    return agree(k, right, &j) && agree(k, &single, &j);
}

static bool check_all(const struct rn_kernels *k, const struct rn_kernels *right, bool narrow)
{
    static const size_t rows[] = { 0, 1, 2, 5, M_MAX };
    for (size_t I = 1; I <= tile_mr(k, narrow); I++) {
        for (int i = 0; i < 10; i++) {
            const struct shape s = { rows[i / 2], I, tile_nr(k, narrow), i % 2, narrow };
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

static bool check_narrow(const struct rn_kernels *k, const struct rn_kernels *right)
{
    return check_all(k, right, true);
}

/* ---- bench: pixels packed one after the other, as the weight gradient has them ---- */

struct bench {
    rn_outer_fn *fn;
    float *acc, *x, *dy;
    int32_t *off;
    size_t M, mr, nr;
};

static void call(void *arg)
{
    struct bench *b = arg;
    b->fn(b->acc, b->nr, b->x, b->off, b->dy, b->M, b->mr, false, NULL, 0);
}

static void bench_pixels(const struct rn_kernels *k, size_t M, bool narrow)
{
    size_t mr = tile_mr(k, narrow), nr = tile_nr(k, narrow);
    float *dy = aligned_alloc(64, (M * nr + mr * nr + M * mr) * sizeof *dy);
    int32_t *off = malloc(M * sizeof *off);
    if (!dy || !off)
        abort();
    memset(dy, 0, (M * nr + mr * nr + M * mr) * sizeof *dy);
    for (size_t m = 0; m < M; m++)
        off[m] = (int32_t)(m * mr);
    struct bench b = {
        narrow ? k->outer_narrow : k->outer, dy + M * nr, dy + M * nr + mr * nr, dy, off, M, mr, nr
    };
    char what[32];
    snprintf(what, sizeof what, "M=%zu %zux%zu", M, mr, nr);
    report(k, what, fastest(call, &b), 2.0 * (double)(M * mr * nr), true);
    free(dy);
    free(off);
}

static void bench(const struct rn_kernels *k)
{
    bench_pixels(k, 512, false);
    bench_pixels(k, 1024, false);
}

static void bench_narrow(const struct rn_kernels *k)
{
    bench_pixels(k, 128, true);
    bench_pixels(k, 512, true);
}

const struct test outer_test = { "outer", check, bench, offsetof(struct rn_kernels, outer), true };
const struct test outer_narrow_test = { "outer_narrow", check_narrow, bench_narrow,
                                        offsetof(struct rn_kernels, outer_narrow), true };

/* ---- the cut into blocks ---- */

struct cut {
    size_t M, C, block;
};

static size_t between(const struct cut *s)
{
    return s->M * s->block + GAP;
}

static void run_cut(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct cut *s = arg;
    k->cut(a[0], between(s), s->block, a[1], s->C + GAP, s->M, s->C);
}

static struct job make_cut(const struct cut *s)
{
    size_t blocks = (s->C + s->block - 1) / s->block;
    struct job j = { run_cut,
                     s,
                     { { blocks * between(s) - GAP, CANARIES, 0 },
                       { (s->M - 1) * (s->C + GAP) + s->C, VALUES, 0 } },
                     1,
                     "" };
    snprintf(j.what, sizeof j.what, "cut M %zu C %zu block %zu", s->M, s->C, s->block);
    return j;
}

static bool check_cut(const struct rn_kernels *k, const struct rn_kernels *right)
{
    for (size_t block = 1; block <= RN_NR_MAX; block += block / 5 + 1) {
        for (size_t C = 1; C <= SIZES; C++) {
            const struct cut s = { 1 + C % 4, C, block };
            struct job j = make_cut(&s);
            if (!agree(k, right, &j))
                return false;
        }
    }
    return true;
}

static void bench_cut(const struct rn_kernels *k)
{
    const struct cut s = { 64, 96, k->outer_nr };
    struct job j = make_cut(&s);
    bench_job(k, &j);
}

const struct test cut_test = { "cut", check_cut, bench_cut, offsetof(struct rn_kernels, cut),
                               true };
