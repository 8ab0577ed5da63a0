/*
 * Whole networks: images/s, the time of each batch, memory. Cases take turns, so that what disturbs
 * the machine for a while disturbs all of them a little.
 */
#include <math.h>
#include <stdlib.h>

#include "bench.h"
#include "bench_machine.h"
#include "say.h"

static const double REPEAT_S = 0.5; /* least duration of a repeat */

/* Multiply-accumulates of one picture. */
static double macs(const struct rn_model *m)
{
    struct rn_layer l;
    uint64_t sum = 0;
    for (int i = 0; i < rn_model_layers(m); i++) {
        rn_model_layer(m, i, &l);
        sum += l.macs;
    }
    return (double)sum;
}

/* A rate this small leaves the weights where the kernels meet ordinary numbers. */
static void run_once(struct network_case *b)
{
    if (b->trainer)
        rn_trainer_step(b->trainer, b->x, b->label, b->batch, 1e-4, 0.9, false, 1e-4);
    else
        rn_session_run(b->session, b->x, b->batch, b->logits);
}

static void open_inputs(struct network_case *b)
{
    const struct rn_prep *p = rn_model_prep(b->model);
    size_t pixels = (size_t)b->batch * p->H * p->W * p->C;
    int classes = rn_model_classes(b->model);
    b->x = allocate(pixels, sizeof *b->x);
    b->label = allocate(b->batch, sizeof *b->label);
    b->logits = allocate((size_t)b->batch * classes, sizeof *b->logits);
    b->rate = allocate(bench.repeats, sizeof *b->rate);
    srand48(1);
    for (size_t i = 0; i < pixels; i++)
        b->x[i] = (float)(2 * drand48() - 1);
    for (int i = 0; i < b->batch; i++)
        b->label[i] = (int)(lrand48() % classes);
}

/* Ready, after one batch that is not measured. */
static void bench_open(struct network_case *b, bool train)
{
    open_inputs(b);
    memory_start();
    if (train ? rn_trainer_new(&b->trainer, b->model, b->batch, b->threads)
              : rn_session_new(&b->session, b->model, b->batch, b->threads))
        die("%s", rn_error());
    run_once(b);
    b->peak_bytes = memory_rise();
}

static void bench_close(struct network_case *b)
{
    rn_session_free(b->session);
    rn_trainer_free(b->trainer);
    free(b->x);
    free(b->label);
    free(b->logits);
    free(b->rate);
    free(b->ms);
}

static void keep_ms(struct network_case *b, double ms)
{
    if (b->count == b->room) {
        b->room = b->room ? 2 * b->room : 64;
        if (!(b->ms = realloc(b->ms, (size_t)b->room * sizeof *b->ms)))
            die("memory is short");
    }
    b->ms[b->count++] = ms;
}

/* A repeat: REPEAT_S, or one batch. */
static void measure(struct network_case *b, int repeat)
{
    double start = rn_seconds(), begin, now = start;
    long images = 0;
    if (b->trainer)
        rn_trainer_measure(b->trainer, b->spent);
    do {
        begin = now;
        run_once(b);
        images += b->batch;
        now = rn_seconds();
        keep_ms(b, 1e3 * (now - begin));
    } while (now - start < REPEAT_S);
    if (b->trainer)
        rn_trainer_measure(b->trainer, NULL);
    b->rate[repeat] = (double)images / (now - start);
    progress("%s  batch %d  %d threads  %.1f images/s", b->network, b->batch, b->threads,
             b->rate[repeat]);
}

/* The least of the sorted v that at least this share of all do not exceed. */
static double percentile(const double *v, long n, double share)
{
    return v[(long)ceil(share * (double)n) - 1];
}

static void row_latencies(struct row *r, struct network_case *b)
{
    sort_numbers(b->ms, b->count);
    row_number(r, b->ms[0]);
    row_number(r, percentile(b->ms, b->count, 0.5));
    row_number(r, percentile(b->ms, b->count, 0.9));
    row_number(r, percentile(b->ms, b->count, 0.99));
}

static void row_memory(struct row *r, const struct network_case *b)
{
    size_t bytes;
    if (rn_session_bytes(b->model, b->batch, b->threads, &bytes))
        die("%s", rn_error());
    row_number(r, (double)bytes);
    if (b->peak_bytes < 0)
        row_empty(r);
    else
        row_number(r, b->peak_bytes);
}

/* Where a batch's time goes, and what its pictures take in the background. */
static void row_phases(struct row *r, const struct network_case *b)
{
    double data;
    for (int i = 0; i < RN_PHASES; i++)
        row_number(r, 1e3 * b->spent[i] / (double)b->count);
    if (rn_bench_data(b->model, b->batch, &data))
        die("%s", rn_error());
    row_number(r, 1e3 * data);
}

static void put_network(struct network_case *b, bool train)
{
    struct row r;
    const struct spread s = spread(b->rate, bench.repeats);
    double gflops = 2e-9 * macs(b->model) * (train ? 3 : 1) * s.median;
    row_start(&r, bench.table);
    row_text(&r, "rn");
    row_text(&r, b->network);
    row_text(&r, "float32");
    row_number(&r, b->batch);
    row_number(&r, b->threads);
    row_spread(&r, s);
    if (train)
        row_number(&r, 1e3 * b->batch / s.median);
    else
        row_latencies(&r, b);
    row_number(&r, gflops);
    row_number(&r, 100 * gflops / peak(b->threads));
    if (train)
        row_phases(&r, b);
    else
        row_memory(&r, b);
    row_machine(&r);
}

void run_networks(struct network_case *b, int n, bool train)
{
    for (int i = 0; i < n; i++)
        bench_open(&b[i], train);
    for (int repeat = 0; repeat < bench.repeats; repeat++)
        for (int i = 0; i < n; i++) {
            if (n > 1)
                run_once(&b[i]); /* brings the caches and the threads back */
            measure(&b[i], repeat);
        }
    for (int i = 0; i < n; i++) {
        put_network(&b[i], train);
        bench_close(&b[i]);
    }
}
