/* The product of matrices: rows up to past three tiles, every K, columns and rows apart. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 3 };

struct shape {
    size_t M, K, C;
};

/* A panel of columns after the other, packed as the contract wants it. */
static void run(const struct rn_kernels *k, void *const *a, const void *arg)
{
    const struct shape *s = arg;
    size_t nr = k->igemm_nr;
    float *w = take(s->C * nr * sizeof *w);

    for (size_t k0 = 0; k0 < s->K; k0 += nr) {
        size_t K = s->K - k0 < nr ? s->K - k0 : nr;
        memset(w, 0, s->C * nr * sizeof *w);
        for (size_t c = 0; c < s->C; c++)
            memcpy(w + c * nr, (float *)a[2] + c * s->K + k0, K * sizeof *w);
        k->gemm((float *)a[0] + k0, s->K + GAP, a[1], s->C + GAP, w, k0 ? w : NULL, s->M, K, s->C);
    }
}

static bool check(const struct rn_kernels *k, const struct rn_kernels *right)
{
    static const size_t channels[] = { 1, 16, 3, 2, 5, 17, 8 };
    unsigned i = 0;
    for (size_t M = 1; M <= 3 * k->igemm_mr + 1; M++) {
        for (size_t K = 1; K <= k->igemm_nr + 1; K++, i++) {
            const struct shape s = { M, K, channels[i % 7] };
            struct job j = { run,
                             &s,
                             { { (M - 1) * (K + GAP) + K, CANARIES, 0 },
                               { (M - 1) * (s.C + GAP) + s.C, VALUES, 0 },
                               { s.C * K, VALUES, 0 } },
                             s.C + 2,
                             "" };
            snprintf(j.what, sizeof j.what, "gemm M %zu K %zu C %zu", M, K, s.C);
            if (!agree(k, right, &j))
                return false;
        }
    }
    return true;
}

/* ---- bench: the products of a block of Winograd's tiles ---- */

struct bench {
    const struct rn_kernels *k;
    float *y, *x, *w;
    size_t M, K, C;
};

static void call(void *arg)
{
    struct bench *b = arg;
    b->k->gemm(b->y, b->K, b->x, b->C, b->w, NULL, b->M, b->K, b->C);
}

static void bench_channels(const struct rn_kernels *k, size_t C)
{
    size_t M = 144, K = C < k->igemm_nr ? C : k->igemm_nr, n = M * K + C * RN_NR_MAX + M * C;
    float *w = aligned_alloc(64, n * sizeof *w);
    if (!w)
        abort();
    memset(w, 0, n * sizeof *w);
    struct bench b = { k, w + C * k->igemm_nr, w + C * k->igemm_nr + M * K, w, M, K, C };
    char what[32];
    snprintf(what, sizeof what, "C=%zu %zux%zu", C, k->igemm_mr, K);
    report(k, what, fastest(call, &b), 2.0 * (double)(M * C * K), true);
    free(w);
}

static void bench(const struct rn_kernels *k)
{
    for (size_t C = 16; C <= 256; C *= 2)
        bench_channels(k, C);
}

const struct test gemm_test = { "gemm", check, bench, offsetof(struct rn_kernels, gemm), true };
