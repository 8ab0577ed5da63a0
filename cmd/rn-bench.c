/*
 * rn-bench: how fast this machine runs a network, beside what it could do at most. One table for
 * each sub-command on stdout; pictures, labels and weights are random.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_machine.h"
#include "bench_startup.h"
#include "bench_table.h"
#include "opt.h"
#include "rn.h"
#include "say.h"

enum { LIST_MAX = 32, THREADS_MAX = 1024, ISAS_MAX = 8 };
static const double REPEAT_S = 0.5; /* least duration of a repeat */

static int batches[LIST_MAX], batch_count;
static int threads[LIST_MAX], thread_count;
static int repeats, hw[2], pass = -1;
static const char *old_path;

static const char *const pass_words[] = { "forward", "backward-data", "backward-weights", NULL };

static const struct opt opts[] = {
    OPT_INTS('b', "batch-size", batches, &batch_count, LIST_MAX, "LIST",
             "pictures at a time (1; train: 32)", 1, 65536),
    OPT_INTS('j', "threads", threads, &thread_count, LIST_MAX, "LIST",
             "threads (as many as this process may use)", 1, THREADS_MAX),
    OPT_INT(0, "repeats", &repeats, "N", "measurements of each, for the spread (5; startup: 20)", 1,
            10000),
    OPT_HW(0, "size", hw, "N|HxW", "input of the network (the network's default)", 1, 8192),
    OPT_ENUM(0, "pass", &pass, "NAME",
             "conv: forward, backward-data or backward-weights alone (all)", pass_words),
    OPT_STRING(0, "compare", &old_path, "FILE", "an earlier table: exit 1 if anything got slower"),
    OPT_END,
};

static const struct opt_tool tool = {
    .name = "rn-bench",
    .usage = "peak [OPTION]...\n"
             "conv|infer|train [OPTION]... SPEC...\n"
             "startup [OPTION]... MODEL [PICTURE]",
    .about = "Measures the machine's limits, each convolution of a network, inference, training\n"
             "steps, or how soon rn-infer gives its first label.",
    .opts = opts,
    .with = WITH_ISA | WITH_JSON,
};

enum command { PEAK, CONV, INFER, TRAIN, STARTUP, COMMANDS };

#define MACHINE                                                                                    \
    { "isa", KEY }, { "cores", PLAIN }, { "cpu", CPU },                                            \
    {                                                                                              \
        NULL, PLAIN                                                                                \
    }
#define NETWORK                                                                                    \
    { "peer", KEY }, { "network", KEY }, { "mode", KEY }, { "batch", KEY }, { "threads", KEY },    \
        { "images_per_s_median", MEDIAN }, { "images_per_s_min", LEAST },                          \
    {                                                                                              \
        "images_per_s_max", MOST                                                                   \
    }

/* clang-format off */
static const struct table tables[COMMANDS] = {
    [PEAK] = { "peak", "median", false, (const struct column[]){
        { "what", KEY }, { "isa", KEY }, { "threads", KEY },
        { "median", MEDIAN }, { "min", LEAST }, { "max", MOST }, { "unit", PLAIN },
        { "cache_bytes", PLAIN }, { "cores", PLAIN }, { "cpu", CPU }, { NULL, PLAIN } } },
    [CONV] = { "conv", "ms_median", true, (const struct column[]){
        { "network", KEY }, { "layer", KEY }, { "pass", KEY }, { "shape", PLAIN },
        { "output", PLAIN }, { "algorithm", PLAIN }, { "batch", KEY }, { "threads", KEY },
        { "ms_median", MEDIAN }, { "ms_min", LEAST }, { "ms_max", MOST }, { "gflops", PLAIN },
        { "pct_peak", PLAIN }, { "bytes", PLAIN }, { "flop_per_byte", PLAIN },
        { "bound", PLAIN }, { "pct_bound", PLAIN }, MACHINE } },
    [INFER] = { "infer", "images_per_s_median", false, (const struct column[]){
        NETWORK, { "ms_min", PLAIN }, { "ms_median", PLAIN }, { "ms_p90", PLAIN },
        { "ms_p99", PLAIN }, { "gflops", PLAIN }, { "pct_peak", PLAIN },
        { "session_bytes", PLAIN }, { "peak_bytes", PLAIN }, MACHINE } },
    [TRAIN] = { "train", "images_per_s_median", false, (const struct column[]){
        NETWORK, { "ms_median", PLAIN }, { "gflops", PLAIN }, { "pct_peak", PLAIN }, MACHINE } },
    [STARTUP] = { "startup", "ms_median", true, (const struct column[]){
        { "model", KEY }, { "picture", KEY }, { "threads", KEY }, { "ms_median", MEDIAN },
        { "ms_min", LEAST }, { "ms_max", MOST }, { "exit_ms_median", PLAIN }, MACHINE } },
};
/* clang-format on */

static const struct table *table; /* that of the sub-command */

/* ---- the machine ---- */

static void row_cpu(struct row *r)
{
    row_number(r, (double)sysconf(_SC_NPROCESSORS_ONLN));
    row_text(r, cpu_name());
    row_end(r);
}

static void row_machine(struct row *r)
{
    row_text(r, rn_isa_name());
    row_cpu(r);
}

/* GFLOP/s of n threads. */
static struct spread measure_peak(int n)
{
    double *gflops = allocate(repeats, sizeof *gflops);
    for (int i = 0; i < repeats; i++)
        gflops[i] = rn_bench_peak(n);
    struct spread s = spread(gflops, repeats);
    free(gflops);
    return s;
}

/* GB/s of n threads from a level. */
static struct spread measure_read(enum rn_level level, int n)
{
    double *rate = allocate(repeats, sizeof *rate);
    for (int i = 0; i < repeats; i++)
        if (rn_bench_read(level, n, &rate[i]))
            die("%s", rn_error());
    struct spread s = spread(rate, repeats);
    free(rate);
    return s;
}

/* The medians that shares refer to, measured once. */
static double peak(int n)
{
    static double known[THREADS_MAX + 1];
    if (known[n] == 0) {
        known[n] = measure_peak(n).median;
        note("peak of %d threads: %.1f GFLOP/s", n, known[n]);
    }
    return known[n];
}

static double bandwidth(enum rn_level level, int n)
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
    row_start(&r, table);
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

static void run_peak(void)
{
    for (int i = 0; i < thread_count; i++) {
        put_peaks(threads[i]);
        for (enum rn_level l = RN_L1; l < RN_LEVELS; l++) {
            char what[16];
            snprintf(what, sizeof what, "read_%s", rn_level_name(l));
            if (rn_level_bytes(l))
                put_limit(what, rn_isa_name(), threads[i], measure_read(l, threads[i]), "GB/s",
                          rn_level_bytes(l));
        }
    }
}

/* ---- networks ---- */

/* One network at one batch size and number of threads. */
struct bench {
    const char *network;
    struct rn_model *model;
    int batch, threads;
    struct rn_session *session; /* infer */
    struct rn_trainer *trainer; /* train */
    float *x;                   /* [batch][H][W][C] */
    int *label;                 /* [batch] */
    float *logits;              /* [batch][classes] */
    double *rate;               /* [repeats], images/s */
    double *ms;                 /* [count], of each batch */
    long count, room;
    double peak_bytes; /* what opening and the first batch took; negative: unknown */
};

static struct rn_model *new_model(const char *spec)
{
    struct rn_model *m;
    if (rn_model_new(&m, spec, 0, hw[0], hw[1], 0))
        die("%s", rn_error());
    rn_model_init(m, RN_INIT_DEFAULT, 1);
    return m;
}

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
static void run_once(struct bench *b)
{
    if (b->trainer)
        rn_trainer_step(b->trainer, b->x, b->label, b->batch, 1e-4, 0.9, false, 1e-4);
    else
        rn_session_run(b->session, b->x, b->batch, b->logits);
}

static void open_inputs(struct bench *b)
{
    const struct rn_prep *p = rn_model_prep(b->model);
    size_t pixels = (size_t)b->batch * p->H * p->W * p->C;
    int classes = rn_model_classes(b->model);
    b->x = allocate(pixels, sizeof *b->x);
    b->label = allocate(b->batch, sizeof *b->label);
    b->logits = allocate((size_t)b->batch * classes, sizeof *b->logits);
    b->rate = allocate(repeats, sizeof *b->rate);
    srand48(1);
    for (size_t i = 0; i < pixels; i++)
        b->x[i] = (float)(2 * drand48() - 1);
    for (int i = 0; i < b->batch; i++)
        b->label[i] = (int)(lrand48() % classes);
}

/* Ready, after one batch that is not measured. */
static void bench_open(struct bench *b, bool train)
{
    open_inputs(b);
    memory_start();
    if (train ? rn_trainer_new(&b->trainer, b->model, b->batch, b->threads)
              : rn_session_new(&b->session, b->model, b->batch, b->threads))
        die("%s", rn_error());
    run_once(b);
    b->peak_bytes = memory_rise();
}

static void bench_close(struct bench *b)
{
    rn_session_free(b->session);
    rn_trainer_free(b->trainer);
    free(b->x);
    free(b->label);
    free(b->logits);
    free(b->rate);
    free(b->ms);
}

static void keep_ms(struct bench *b, double ms)
{
    if (b->count == b->room) {
        b->room = b->room ? 2 * b->room : 64;
        if (!(b->ms = realloc(b->ms, (size_t)b->room * sizeof *b->ms)))
            die("memory is short");
    }
    b->ms[b->count++] = ms;
}

/* A repeat: REPEAT_S, or one batch. */
static void measure(struct bench *b, int repeat)
{
    double start = rn_seconds(), begin, now = start;
    long images = 0;
    do {
        begin = now;
        run_once(b);
        images += b->batch;
        now = rn_seconds();
        keep_ms(b, 1e3 * (now - begin));
    } while (now - start < REPEAT_S);
    b->rate[repeat] = (double)images / (now - start);
    progress("%s  batch %d  %d threads  %.1f images/s", b->network, b->batch, b->threads,
             b->rate[repeat]);
}

/* The least of the sorted v that at least this share of all do not exceed. */
static double percentile(const double *v, long n, double share)
{
    return v[(long)ceil(share * (double)n) - 1];
}

static void row_latencies(struct row *r, struct bench *b)
{
    sort_numbers(b->ms, b->count);
    row_number(r, b->ms[0]);
    row_number(r, percentile(b->ms, b->count, 0.5));
    row_number(r, percentile(b->ms, b->count, 0.9));
    row_number(r, percentile(b->ms, b->count, 0.99));
}

static void row_memory(struct row *r, const struct bench *b)
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

static void put_network(struct bench *b, bool train)
{
    struct row r;
    const struct spread s = spread(b->rate, repeats);
    double gflops = 2e-9 * macs(b->model) * (train ? 3 : 1) * s.median;
    row_start(&r, table);
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
    if (!train)
        row_memory(&r, b);
    row_machine(&r);
}

/* The repeats take turns: what disturbs the machine for a while disturbs all a little. */
static void run_networks(struct bench *b, int n, bool train)
{
    for (int i = 0; i < n; i++)
        bench_open(&b[i], train);
    for (int repeat = 0; repeat < repeats; repeat++)
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

/* ---- single convolutions ---- */

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

static void put_layer(const struct bench *b, const struct rn_layer *l, enum rn_pass p,
                      struct rn_conv_time *t)
{
    struct row r;
    char shape[64];
    struct spread s = spread(t->seconds, repeats);
    snprintf(shape, sizeof shape, "%dx%dx%d", l->C, l->H, l->W);
    row_start(&r, table);
    row_text(&r, b->network);
    row_text(&r, l->name);
    row_text(&r, pass_words[p]);
    row_text(&r, l->what);
    row_text(&r, shape);
    row_text(&r, t->algorithm);
    row_number(&r, b->batch);
    row_number(&r, b->threads);
    row_spread(&r, (struct spread){ 1e3 * s.median, 1e3 * s.min, 1e3 * s.max });
    put_rates(&r, t, b->threads, s.median);
}

static void run_layer(const struct bench *b, int index, const struct rn_layer *l, enum rn_pass p)
{
    struct rn_conv_time t = { .seconds = allocate(repeats, sizeof(double)) };
    progress("%s  batch %d  %d threads  %s %s", b->network, b->batch, b->threads, l->name,
             pass_words[p]);
    if (rn_bench_conv(b->model, index, p, b->batch, b->threads, repeats, &t))
        die("%s", rn_error());
    put_layer(b, l, p, &t);
    free(t.seconds);
}

/* The first layer's gradient of the pictures is never wanted. */
static void run_layers(const struct bench *b)
{
    struct rn_layer l;
    bool first = true;
    for (int i = 0; i < rn_model_layers(b->model); i++) {
        rn_model_layer(b->model, i, &l);
        if (strcmp(l.op, "convolution") != 0)
            continue;
        for (enum rn_pass p = RN_FORWARD; p <= RN_BACKWARD_WEIGHTS; p++)
            if ((pass < 0 || p == (enum rn_pass)pass) && !(first && p == RN_BACKWARD_DATA))
                run_layer(b, i, &l, p);
        first = false;
    }
}

/* ---- rn-infer's start ---- */

static void run_startup_threads(struct startup *s)
{
    struct row r;
    double *label = allocate(repeats, sizeof *label), *end = allocate(repeats, sizeof *end);
    startup_run(s); /* brings the files into memory */
    for (int i = 0; i < repeats; i++) {
        startup_run(s);
        label[i] = s->label_ms;
        end[i] = s->exit_ms;
    }
    row_start(&r, table);
    row_text(&r, s->model);
    row_text(&r, s->picture ? s->picture : "");
    row_number(&r, s->threads);
    row_spread(&r, spread(label, repeats));
    row_number(&r, spread(end, repeats).median);
    row_machine(&r);
    free(label);
    free(end);
}

static void run_startup(char **operand, int n)
{
    for (int i = 0; i < thread_count; i++)
        run_startup_threads(&(struct startup){
            .model = operand[0], .picture = n > 1 ? operand[1] : NULL, .threads = threads[i] });
}

/* ---- sub-commands ---- */

/* Every network at every batch size and number of threads. */
static void run_specs(enum command c, char **spec, int specs)
{
    int n = 0;
    struct bench *b = allocate((size_t)specs * thread_count * batch_count, sizeof *b);
    for (int s = 0; s < specs; s++) {
        struct rn_model *m = new_model(spec[s]);
        for (int i = 0; i < thread_count; i++)
            for (int j = 0; j < batch_count; j++)
                b[n++] = (struct bench){
                    .network = spec[s], .model = m, .batch = batches[j], .threads = threads[i]
                };
    }
    if (c != CONV)
        run_networks(b, n, c == TRAIN);
    else
        for (int i = 0; i < n; i++)
            run_layers(&b[i]);
    for (int i = 0; i < n; i += thread_count * batch_count)
        rn_model_free(b[i].model);
    free(b);
}

static enum command read_command(const char *name)
{
    for (int i = PEAK; i < COMMANDS; i++)
        if (strcmp(name, tables[i].command) == 0)
            return i;
    die("%s: takes peak, conv, infer, train or startup", name);
}

static void check_operands(enum command c, char **operand, int n)
{
    bool specs = c == CONV || c == INFER || c == TRAIN;
    if (c == PEAK && (n || batch_count || hw[0]))
        opt_usage("peak takes no SPEC, --batch-size or --size");
    if (c == STARTUP && (n < 1 || n > 2))
        opt_usage("startup takes a MODEL and at most one PICTURE");
    if (c == STARTUP && (batch_count || hw[0]))
        opt_usage("startup takes no --batch-size or --size");
    if (c == STARTUP && (strcmp(operand[0], "-") == 0 || (n > 1 && strcmp(operand[1], "-") == 0)))
        die("startup reads its files again and again: standard input (-) can't be");
    if (c != CONV && pass >= 0)
        opt_usage("--pass goes with conv");
    if (specs && n == 0)
        opt_usage("no SPEC");
    for (int i = 0; specs && i < n; i++)
        if (!rn_spec_valid(operand[i]))
            die("%s", rn_error());
}

static void set_defaults(enum command c)
{
    int all = opt_machine();
    if (thread_count == 0)
        threads[thread_count++] = all;
    if (batch_count == 0)
        batches[batch_count++] = c == TRAIN ? 32 : 1;
    if (repeats == 0)
        repeats = c == STARTUP ? 20 : 5;
}

int main(int argc, char **argv)
{
    say_start("rn-bench");
    int first = opt_parse(&tool, argc, argv);
    if (first == argc)
        opt_usage("no sub-command: peak, conv, infer, train or startup");
    enum command c = read_command(argv[first++]);
    char **operand = argv + first;
    int operands = argc - first;
    check_operands(c, operand, operands);
    set_defaults(c);
    table = &tables[c];
    if (old_path)
        compare_open(table, old_path);
    quiet_start();
    if (c == PEAK)
        run_peak();
    else if (c == STARTUP)
        run_startup(operand, operands);
    else
        run_specs(c, operand, operands);
    if (repeats > 1) /* one repeat is a glance, not a measurement */
        quiet_check();
    bool slower = compare_close();
    close_stdout();
    return slower ? 1 : 0;
}
