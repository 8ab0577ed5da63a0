/* Single convolutions of a network, each beside the limit that binds it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "say.h"

/* Which limit the layer meets first, and the seconds it sets. */
static const char *find_bound(const struct rn_conv_time *t, int n, double *seconds)
{
    enum rn_level level = rn_level_of(t->bytes, n);
    double compute = 2e-9 * (double)t->macs / peak(n);
    double memory = 1e-9 * (double)t->bytes / bandwidth(level, n);
    *seconds = compute > memory ? compute : memory;
    return compute > memory ? "compute" : rn_level_name(level);
}

static void put_rates(struct row *r, const struct rn_conv_time *t, int n, double median)
{
    double seconds, gflops = 2e-9 * (double)t->macs / median;
    const char *bound = find_bound(t, n, &seconds);
    row_number(r, gflops);
    row_number(r, 100 * gflops / peak(n));
    row_number(r, (double)t->bytes);
    row_number(r, 2 * (double)t->macs / (double)t->bytes);
    row_text(r, bound);
    row_number(r, 100 * seconds / median);
    row_machine(r);
}

static void put_layer(const struct network_case *b, const struct rn_layer *l, enum rn_pass p,
                      struct rn_conv_time *t)
{
    struct row r;
    char shape[64];
    struct spread s = spread(t->seconds, bench.repeats);
    snprintf(shape, sizeof shape, "%dx%dx%d", l->C, l->H, l->W);
    row_start(&r, bench.table);
    row_text(&r, b->network);
    row_text(&r, l->name);
    row_text(&r, bench_passes[p]);
    row_text(&r, l->what);
    row_text(&r, shape);
    row_text(&r, t->algorithm);
    row_number(&r, b->batch);
    row_number(&r, b->threads);
    row_spread(&r, (struct spread){ 1e3 * s.median, 1e3 * s.min, 1e3 * s.max });
    put_rates(&r, t, b->threads, s.median);
}

static void run_layer(const struct network_case *b, int index, const struct rn_layer *l,
                      enum rn_pass p)
{
    struct rn_conv_time t = { .seconds = allocate(bench.repeats, sizeof(double)) };
    progress("%s  batch %d  %d threads  %s %s", b->network, b->batch, b->threads, l->name,
             bench_passes[p]);
    if (rn_bench_conv(b->model, index, p, b->batch, b->threads, bench.repeats, &t))
        die("%s", rn_error());
    put_layer(b, l, p, &t);
    free(t.seconds);
}

/* The first layer's gradient of the pictures is never wanted. */
void run_layers(const struct network_case *b)
{
    struct rn_layer l;
    bool first = true;
    for (int i = 0; i < rn_model_layers(b->model); i++) {
        rn_model_layer(b->model, i, &l);
        if (strcmp(l.op, "convolution") != 0)
            continue;
        for (enum rn_pass p = RN_FORWARD; p <= RN_BACKWARD_WEIGHTS; p++)
            if ((bench.pass < 0 || p == (enum rn_pass)bench.pass) &&
                !(first && p == RN_BACKWARD_DATA))
                run_layer(b, i, &l, p);
        first = false;
    }
}
