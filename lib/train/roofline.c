/*
 * The limits of the machine (Williams et al. 2009, "Roofline"): how fast it multiplies and adds
 * from registers, and how fast it reads from each cache and from memory.
 */
#include <omp.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "kernels/kernels.h"
#include "rn.h"

enum { PEAK_TRIES = 5, READ_TRIES = 3 };
static const double TRY_S = 0.02; /* a shorter try says nothing */

double rn_bench_peak(int threads)
{
    const struct rn_kernels *k = rn_kernels_get();
    size_t rounds = 1 << 16;
    double best = 0, seconds = 0;

    for (int i = 0; i < PEAK_TRIES || seconds < TRY_S; i++) {
        double flops = 0, begin = rn_seconds();
#pragma omp parallel num_threads(threads) reduction(+ : flops)
        flops += k->peak(rounds);
        seconds = rn_seconds() - begin;
        if (seconds < TRY_S)
            rounds *= 2; /* too short to measure: forget it */
        else if (flops / seconds > best)
            best = flops / seconds;
    }
    return best * 1e-9;
}

/* ---- caches ---- */

static const struct {
    const char *name;
    int parameter;   /* of sysconf(3) */
    size_t fallback; /* where the system does not say */
} levels[] = {
    [RN_L1] = { "L1", _SC_LEVEL1_DCACHE_SIZE, 32 << 10 },
    [RN_L2] = { "L2", _SC_LEVEL2_CACHE_SIZE, 512 << 10 },
    [RN_L3] = { "L3", _SC_LEVEL3_CACHE_SIZE, 8 << 20 },
    [RN_DRAM] = { "DRAM", 0, SIZE_MAX },
};

const char *rn_level_name(enum rn_level level)
{
    return levels[level].name;
}

/* A system that knows its first cache and no third has none. */
size_t rn_level_bytes(enum rn_level level)
{
    if (level == RN_DRAM)
        return SIZE_MAX;
    long bytes = sysconf(levels[level].parameter);
    if (bytes > 0)
        return (size_t)bytes;
    return sysconf(_SC_LEVEL1_DCACHE_SIZE) > 0 ? 0 : levels[level].fallback;
}

enum rn_level rn_level_of(size_t bytes, int threads)
{
    for (enum rn_level l = RN_L1; l < RN_DRAM; l++) {
        size_t share = l < RN_L3 ? rn_divide_up(bytes, (size_t)threads) : bytes;
        if (share <= rn_level_bytes(l))
            return l;
    }
    return RN_DRAM;
}

/*
 * Bytes that each thread reads. L3 is what several cores share, and what virtual machines say of it
 * is their host's: 4 times L2 is past L2 and safely inside. DRAM is past twice L3, within reason.
 */
static size_t share_bytes(enum rn_level level, int threads)
{
    const size_t least = (size_t)64 << 20, most = (size_t)1 << 30;
    size_t bytes = rn_level_bytes(level);
    if (level == RN_L3) {
        size_t l2 = 4 * rn_level_bytes(RN_L2), half = bytes / 2 / (size_t)threads;
        return l2 && l2 < half ? l2 : half;
    }
    if (level == RN_DRAM) {
        bytes = rn_level_bytes(RN_L3) < most / 2 ? 2 * rn_level_bytes(RN_L3) : most;
        bytes = bytes < least ? least : bytes;
        return bytes / (size_t)threads;
    }
    return bytes / 2;
}

/* ---- bandwidth ---- */

/* Each thread's own memory; the first touch, by its reader, decides where it lies. */
static bool take_shares(float **share, size_t n, int threads)
{
    bool good = true;
#pragma omp parallel num_threads(threads) reduction(&& : good)
    {
        float *x = rn_alloc(n, sizeof *x);
        for (size_t i = 0; x && i < n; i += 16) /* a float of each line: no page is shared zeros */
            x[i] = 1;
        share[omp_get_thread_num()] = x;
        good = good && x;
    }
    return good;
}

/* Bytes a second of all threads, each reading its n floats `rounds` times. */
static double read_shares(float *const *share, size_t n, int threads, long rounds, double *seconds)
{
    const struct rn_kernels *k = rn_kernels_get();
    volatile uint32_t sink = 0; /* the readings are wanted */
    double begin = rn_seconds();
#pragma omp parallel num_threads(threads)
    {
        uint32_t all = 0;
        for (long r = 0; r < rounds; r++)
            all ^= k->read(share[omp_get_thread_num()], n);
#pragma omp critical
        sink ^= all;
    }
    *seconds = rn_seconds() - begin;
    return (double)n * sizeof(float) * threads * (double)rounds / *seconds;
}

int rn_bench_read(enum rn_level level, int threads, double *gbytes_per_s)
{
    size_t n = share_bytes(level, threads) / sizeof(float);
    float **share = rn_alloc((size_t)threads, sizeof *share);
    double best = 0, seconds = 0;
    long rounds = 1;

    if (n && share && take_shares(share, n, threads)) /* else there is no such cache */
        for (int i = 0; i < READ_TRIES || seconds < TRY_S; i++) {
            double rate = read_shares(share, n, threads, rounds, &seconds);
            if (seconds < TRY_S)
                rounds *= 2;
            else if (rate > best)
                best = rate;
        }
    for (int i = 0; share && i < threads; i++)
        rn_free(share[i]);
    rn_free(share);
    *gbytes_per_s = best * 1e-9;
    return n == 0 || best > 0 ? 0 : RN_EMEM;
}
