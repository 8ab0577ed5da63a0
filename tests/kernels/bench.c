/* checkkern --bench: how long, at what rate, how far from the machine's limit. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double seconds_of(void (*call)(void *arg), void *arg, long calls)
{
    double start = now();
    for (long i = 0; i < calls; i++)
        call(arg);
    return (now() - start) / (double)calls;
}

double fastest(void (*call)(void *arg), void *arg)
{
    enum { TRIES = 40 };
    long calls = 1;
    while (seconds_of(call, arg, calls) * (double)calls < 0.5e-3)
        calls *= 2;
    double best = 1e9;
    for (int i = 0; i < TRIES; i++) {
        double s = seconds_of(call, arg, calls);
        best = s < best ? s : best;
    }
    return best;
}

enum { ROUNDS = 10000 };

struct peak {
    const struct rn_kernels *k;
    double flops;
};

static void call_peak(void *arg)
{
    struct peak *p = arg;
    p->flops = p->k->peak(ROUNDS);
}

/* What the table at hand is compared with: its own peak, and the reference's rates by line. */
static struct {
    const char *kernel;
    int line;
    double peak, ref[64];
} at;

void report(const struct rn_kernels *k, const char *what, double seconds, double work, bool flops)
{
    double rate = work / seconds;
    if (strcmp(k->isa, "ref") == 0)
        at.ref[at.line] = rate;
    printf("%s\t%s\t%s\t%.0f\t%.2f\t%s\t%.1f\t", at.kernel, k->isa, what, seconds * 1e9,
           rate * 1e-9, flops ? "GFLOP/s" : "GB/s", rate / at.ref[at.line]);
    if (flops)
        printf("%.1f", 100 * rate / at.peak);
    printf("\n");
    at.line++;
}

struct call {
    const struct rn_kernels *k;
    const struct job *j;
    void *a[ARRAYS_MAX];
};

static void call_job(void *arg)
{
    struct call *c = arg;
    c->j->run(c->k, c->a, c->j->arg);
}

void bench_job(const struct rn_kernels *k, const struct job *j)
{
    struct call c = { k, j, { NULL } };
    double bytes = 0;
    for (int i = 0; i < ARRAYS_MAX; i++) {
        const struct array *a = &j->array[i];
        bool narrow = a->content == BYTES || a->content == INDICES;
        size_t n = narrow ? a->n : a->n * sizeof(float);
        if (!(c.a[i] = aligned_alloc(64, (n + 63) / 64 * 64 + 64)))
            abort();
        memset(c.a[i], 0, n);
        bytes += (double)n;
    }
    report(k, j->what, fastest(call_job, &c), bytes, false);
    for (int i = 0; i < ARRAYS_MAX; i++)
        free(c.a[i]);
}

void bench_table(const struct rn_kernels *k, const struct test *const *tests)
{
    struct peak p = { k, 0 };
    double seconds = fastest(call_peak, &p);
    at.line = 0;
    at.kernel = "peak";
    at.peak = p.flops / seconds;
    report(k, "", seconds, p.flops, true);
    for (; *tests; tests++) {
        at.kernel = (*tests)->name;
        (*tests)->bench(k);
    }
}
