/* The machine's limits: measured for `rn-bench peak`, and once for all that is held against them. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"
#include "bench_machine.h"
#include "opt.h"
#include "say.h"

enum { ISAS_MAX = 8 };

static void row_cpu(struct row *r)
{
    row_number(r, (double)sysconf(_SC_NPROCESSORS_ONLN));
    row_text(r, cpu_name());
    row_end(r);
}

void row_machine(struct row *r)
{
    row_text(r, rn_isa_name());
    row_cpu(r);
}

/* GFLOP/s of n threads. */
static struct spread measure_peak(int n)
{
    double *gflops = allocate(bench.repeats, sizeof *gflops);
    for (int i = 0; i < bench.repeats; i++)
        gflops[i] = rn_bench_peak(n);
    struct spread s = spread(gflops, bench.repeats);
    free(gflops);
    return s;
}

/* GB/s of n threads from a level. */
static struct spread measure_read(enum rn_level level, int n)
{
    double *rate = allocate(bench.repeats, sizeof *rate);
    for (int i = 0; i < bench.repeats; i++)
        if (rn_bench_read(level, n, &rate[i]))
            die("%s", rn_error());
    struct spread s = spread(rate, bench.repeats);
    free(rate);
    return s;
}

double peak(int n)
{
    static double known[THREADS_MAX + 1];
    if (known[n] == 0) {
        known[n] = measure_peak(n).median;
        note("peak of %d threads: %.1f GFLOP/s", n, known[n]);
    }
    return known[n];
}

double bandwidth(enum rn_level level, int n)
{
    static double known[RN_LEVELS][THREADS_MAX + 1];
    if (known[level][n] == 0) {
        known[level][n] = measure_read(level, n).median;
        note("%s read by %d threads: %.1f GB/s", rn_level_name(level), n, known[level][n]);
    }
    return known[level][n];
}

static void put_limit(const char *what, const char *isa, int n, struct spread s, const char *unit,
                      size_t cache)
{
    struct row r;
    row_start(&r, bench.table);
    row_text(&r, what);
    row_text(&r, isa);
    row_number(&r, n);
    row_spread(&r, s);
    row_text(&r, unit);
    if (cache == SIZE_MAX)
        row_empty(&r);
    else
        row_number(&r, (double)cache);
    row_cpu(&r);
}

/* Multiply-adds by each instruction set, or by that of --isa alone. */
static void put_peaks(int n)
{
    const char *names[ISAS_MAX] = { rn_isa_name() };
    int count = common.isa ? 0 : rn_isa_names(names, ISAS_MAX);
    for (int i = 0; i < (count ? count : 1); i++) {
        rn_isa_select(names[i]);
        put_limit("fma", names[i], n, measure_peak(n), "GFLOP/s", SIZE_MAX);
    }
    rn_isa_select(common.isa);
}

void run_peak(void)
{
    for (int i = 0; i < bench.thread_count; i++) {
        int n = bench.threads[i];
        put_peaks(n);
        for (enum rn_level l = RN_L1; l < RN_LEVELS; l++) {
            char what[16];
            snprintf(what, sizeof what, "read_%s", rn_level_name(l));
            if (rn_level_bytes(l))
                put_limit(what, rn_isa_name(), n, measure_read(l, n), "GB/s", rn_level_bytes(l));
        }
    }
}
