/* Measuring single convolutions, on random data that stay in the cache where they fit, and what
 * makes pictures ready. */
#include <omp.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/augment.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "ops/conv.h"
#include "ops/team.h"

static const double REPEAT_S = 0.005; /* a run of a small layer is too short to measure */

/* What one pass of one convolution works on. */
struct bench {
    struct rn_conv conv;
    struct rn_conv_run run;
    struct rn_arena arena;
};

static size_t floats(const struct rn_node *n, int N, bool output)
{
    return (size_t)N * rn_shape_count(output ? n->y : n->x);
}

static size_t weights(const struct rn_node *n)
{
    return (size_t)n->macs / ((size_t)n->y.H * (size_t)n->y.W);
}

static float *random_floats(struct rn_arena *a, size_t n, uint64_t sample)
{
    float *v = rn_arena_take(a, n * sizeof *v);
    struct rn_rng r;

    rn_rng_init(&r, 1, RN_RNG_BENCH, 0, sample);
    for (size_t i = 0; v && i < n; i++)
        v[i] = (float)rn_rng_uniform(&r) - 0.5f;
    return v;
}

static int bench_init(struct bench *b, const struct rn_node *n, enum rn_pass pass, int N,
                      int threads)
{
    size_t wn = weights(n);
    size_t x = floats(n, N, false), y = floats(n, N, true);

    rn_conv_plan(&b->conv, n, rn_kernels_get(), pass != RN_FORWARD);
    size_t packed = rn_conv_packed(&b->conv, pass);
    size_t scratch = rn_conv_scratch(&b->conv, pass, N, threads);
    size_t todo = (size_t)threads * sizeof *b->run.todo;
    int status =
        rn_arena_init(&b->arena, 2 * rn_align(x * 4) + 2 * rn_align(y * 4) + 2 * rn_align(wn * 4) +
                                     rn_align(packed) + rn_align(scratch) + todo + RN_ALIGN);
    if (status)
        return status;
    float *w = random_floats(&b->arena, wn, 2);
    void *to = rn_arena_take(&b->arena, packed);
    if (packed)
        rn_conv_pack(&b->conv, pass, w, NULL, to, 0, 1);
    b->run = (struct rn_conv_run){ .N = N,
                                   .x = random_floats(&b->arena, x, 0),
                                   .dy = random_floats(&b->arena, y, 1),
                                   .y = rn_arena_take(&b->arena, y * sizeof(float)),
                                   .dx = rn_arena_take(&b->arena, x * sizeof(float)),
                                   .dw = rn_arena_take(&b->arena, wn * sizeof(float)),
                                   .packed = to,
                                   .scratch = rn_arena_take(&b->arena, scratch),
                                   .todo = rn_arena_take(&b->arena, todo) };
    return 0;
}

/* Seconds of a run, the mean of as many as REPEAT_S takes. */
static double time_runs(struct bench *b, enum rn_pass pass, int threads)
{
    double begin = rn_seconds(), now;
    long runs = 0;

    do {
#pragma omp parallel num_threads(threads)
        {
            rn_team_join(b->run.todo, omp_get_thread_num());
            rn_conv_run(&b->conv, pass, &b->run, omp_get_thread_num(), omp_get_num_threads());
        }
        runs++;
        now = rn_seconds();
    } while (now - begin < REPEAT_S);
    return (now - begin) / (double)runs;
}

int rn_bench_conv(const struct rn_model *m, int layer, enum rn_pass pass, int batch, int threads,
                  int repeats, struct rn_conv_time *out)
{
    struct bench b = { 0 };

    if (layer < 0 || layer >= rn_model_layers(m))
        return rn_fail(RN_EUSAGE, "%s: has no layer %d", m->text, layer);
    const struct rn_node *n = &m->graph.node[layer + 1];
    if (n->op != &rn_op_conv)
        return rn_fail(RN_EUSAGE, "%s: not a convolution", n->name);
    int status = bench_init(&b, n, pass, batch, threads);
    for (int i = -1; i < repeats && !status; i++) { /* the first warms up */
        double seconds = time_runs(&b, pass, threads);
        if (i >= 0)
            out->seconds[i] = seconds;
    }
    out->algorithm = b.conv.algo[pass]->name;
    out->macs = n->macs * (uint64_t)batch;
    out->bytes = sizeof(float) * (floats(n, batch, false) + floats(n, batch, true) + weights(n));
    rn_arena_release(&b.arena);
    return status;
}

int rn_bench_data(const struct rn_model *m, int batch, double *seconds)
{
    const struct rn_augment augment = { .flip = RN_FLIP_RANDOM, .crop = 1 };
    size_t size = (size_t)m->prep.H * (size_t)m->prep.W * (size_t)m->prep.C;
    uint8_t *pixel = rn_alloc((size_t)batch, size);
    float *x = rn_alloc((size_t)batch * size, sizeof *x);
    struct rn_rng r;
    long runs = 0;

    rn_rng_init(&r, 1, RN_RNG_BENCH, 0, 3);
    for (size_t i = 0; pixel && i < (size_t)batch * size; i++)
        pixel[i] = (uint8_t)rn_rng_u32(&r);
    double begin = rn_seconds(), now = begin;
    for (; pixel && x && now - begin < REPEAT_S; runs++, now = rn_seconds())
        for (size_t i = 0; i < (size_t)batch; i++)
            rn_augment_apply(&m->prep, rn_augment_draw(&augment, 1, (int)runs, (long)i),
                             pixel + i * size, x + i * size);
    *seconds = runs ? (now - begin) / (double)runs : 0;
    rn_free(pixel);
    rn_free(x);
    return runs ? 0 : RN_EMEM;
}
