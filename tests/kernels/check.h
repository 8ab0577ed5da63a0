/*
 * checkkern's harness: a kernel runs beside another table that is held to be right, on memory where
 * every stray access shows. Each array lies against a page that can't be touched, before or behind
 * it, or free with canaries around it.
 */
#ifndef CHECK_H
#define CHECK_H

#include "kernels/kernels.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an array holds before the call. */
enum content {
    VALUES,   /* floats */
    NEGATED,  /* floats that are subtracted: minus their size adds up in the run on sizes */
    CANARIES, /* an output: floats that must be written, or stay as they are */
    BYTES,    /* an output of bytes */
    INDICES,  /* bytes below `limit` */
};

struct array {
    size_t n;
    enum content content;
    unsigned limit;
};

enum { ARRAYS_MAX = 10 };

/*
 * One call. `run` calls a kernel of k on the arrays a[], laid out as array[] says and for any tile
 * size of k; arg is its own. `chain` is how many roundings stand between inputs and an output.
 */
struct job {
    void (*run)(const struct rn_kernels *k, void *const *a, const void *arg);
    const void *arg;
    struct array array[ARRAYS_MAX];
    size_t chain;
    char what[96]; /* for the message */
};

/*
 * Runs the job with k and with `right`: at three places, on small integers (where every result is
 * exact), on these with NaN and infinities among them, and on real numbers. All arrays must come
 * out equal bit for bit (any NaN is equal to any), except that chain * epsilon * what the same job
 * gives on absolute values is allowed on real numbers when one of the two has no fused
 * multiply-add. Prints the first difference and returns whether there was none.
 */
bool agree(const struct rn_kernels *k, const struct rn_kernels *right, const struct job *j);

/* Must a * b + c round once in this table? */
bool fused(const struct rn_kernels *k);

/* More memory for a job's run, 64-byte aligned, guarded and watched as the arrays are. */
void *take(size_t bytes);

/* Floats between pixels of K channels that may be streamed, or that may not. */
static inline size_t pixel_floats(size_t K, bool streamed)
{
    return streamed ? (K / RN_LINE + 2) * RN_LINE : K + 3;
}

/* RN_STREAM where y may be streamed, whose pixels lie ld floats apart; else 0. */
int stream(const float *y, size_t ld);

/* The shortest time of call(arg), in seconds. */
double fastest(void (*call)(void *arg), void *arg);

/* Prints a line of --bench: `work` is floating-point operations where `flops`, else bytes. */
void report(const struct rn_kernels *k, const char *what, double seconds, double work, bool flops);

/* The same for an elementwise job, on n floats of arrays that stay in the cache. */
void bench_job(const struct rn_kernels *k, const struct job *j);

/* One kernel's tests, in the file of its family. `bits`: the steps that fuse must agree bit for
 * bit. */
struct test {
    const char *name;
    bool (*check)(const struct rn_kernels *k, const struct rn_kernels *right);
    void (*bench)(const struct rn_kernels *k);
    size_t slot; /* where in struct rn_kernels it stands */
    bool bits;
};

extern const struct test igemm_test, igemm_sparse_test, group_test, group_grad_test, outer_test,
    outer_narrow_test, cut_test, gemm_test, relu_test, relu_grad_test, add_test, affine_test,
    bn_sums_test, bn_grad_sums_test, bn_grad_test, maxpool_test, maxpool_grad_test, colsum_test,
    sgd_test, wino2_input_test, wino2_filter_test, wino2_output_test, wino2_output_grad_test,
    wino2_filter_grad_test, wino3_input_test, wino3_filter_test, wino3_output_test,
    wino3_output_grad_test, wino3_filter_grad_test, wino4_input_test, wino4_filter_test,
    wino4_output_test, wino4_output_grad_test, wino4_filter_grad_test, read_test;

/* Prints the lines of --bench of one table: tests[] up to a NULL. The reference's come first. */
void bench_table(const struct rn_kernels *k, const struct test *const *tests);

bool check_by_hand(const struct rn_kernels *ref); /* the reference, against worked examples */
bool check_ladder(void);                          /* kernels.c: names, selection, errors */

/* Sizes that cross a vector's edges: 0 to past 4 of the widest vectors. */
enum { SIZES = 70 };

#endif
