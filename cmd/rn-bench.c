/*
 * rn-bench: how fast this machine runs a network, beside what it could do at most. One table for
 * each sub-command on stdout; pictures, labels and weights are random.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "opt.h"
#include "rn.h"
#include "say.h"

enum { LIST_MAX = 32, THREADS_MAX = 1024 };
static const double REPEAT_S = 0.5; /* least duration of a repeat */

static int batches[LIST_MAX], batch_count;
static int threads[LIST_MAX], thread_count;
static int repeats = 5, hw[2];
static char cpu[128];

static const struct opt opts[] = {
    OPT_INTS('b', "batch-size", batches, &batch_count, LIST_MAX, "LIST",
             "pictures at a time (1; train: 32)", 1, 65536),
    OPT_INTS('j', "threads", threads, &thread_count, LIST_MAX, "LIST",
             "threads (as many as this process may use)", 1, THREADS_MAX),
    OPT_INT(0, "repeats", &repeats, "N", "measurements of each, for median, min, max", 1, 10000),
    OPT_HW(0, "size", hw, "N|HxW", "input of the network (the network's default)", 1, 8192),
    OPT_END,
};

static const struct opt_tool tool = {
    .name = "rn-bench",
    .usage = "peak [-j LIST] [--isa NAME] [--repeats N]\n"
             "conv|infer|train [-b LIST] [OPTION]... SPEC...",
    .about = "Measures the machine's peak of fused multiply-adds, each convolution of a network,\n"
             "inference, or training steps.",
    .opts = opts,
    .with = WITH_ISA,
};

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
};

struct spread {
    double median, min, max;
};

static void *allocate(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p)
        die("memory is short");
    return p;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct spread spread(double *v, int n)
{
    qsort(v, n, sizeof *v, ascending);
    return (struct spread){ (v[(n - 1) / 2] + v[n / 2]) / 2, v[0], v[n - 1] };
}

/* ---- the machine ---- */

static void read_cpu(void)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "model name%*[ \t]: %127[^\n]", cpu) == 1)
            break;
    if (f)
        fclose(f);
    struct utsname u;
    if (!*cpu && uname(&u) == 0)
        snprintf(cpu, sizeof cpu, "%s", u.machine);
}

static void put_machine(void)
{
    printf("\t%s\t%ld\t", rn_isa_name(), sysconf(_SC_NPROCESSORS_ONLN));
    put_field(cpu);
    putchar('\n');
    flush_stdout();
}

static struct spread measure_peak(int n)
{
    double *gflops = allocate(repeats, sizeof *gflops);
    for (int i = 0; i < repeats; i++)
        gflops[i] = rn_bench_peak(n);
    struct spread s = spread(gflops, repeats);
    free(gflops);
    return s;
}

/* GFLOP/s of n threads, measured once. */
static double peak(int n)
{
    static double known[THREADS_MAX + 1];
    if (known[n] == 0) {
        known[n] = measure_peak(n).median;
        note("peak of %d threads: %.1f GFLOP/s", n, known[n]);
    }
    return known[n];
}

static void run_peak(void)
{
    puts("threads\tgflops_median\tgflops_min\tgflops_max\tisa\tcores\tcpu");
    for (int i = 0; i < thread_count; i++) {
        const struct spread s = measure_peak(threads[i]);
        printf("%d\t%.9g\t%.9g\t%.9g", threads[i], s.median, s.min, s.max);
        put_machine();
    }
}

/* ---- networks ---- */

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

static void bench_open(struct bench *b, bool train)
{
    const struct rn_prep *p = rn_model_prep(b->model);
    size_t pixels = (size_t)b->batch * p->H * p->W * p->C;
    int classes = rn_model_classes(b->model);
    if (train ? rn_trainer_new(&b->trainer, b->model, b->batch, b->threads)
              : rn_session_new(&b->session, b->model, b->batch, b->threads))
        die("%s", rn_error());
    b->x = allocate(pixels, sizeof *b->x);
    b->label = allocate(b->batch, sizeof *b->label);
    b->logits = allocate((size_t)b->batch * classes, sizeof *b->logits);
    srand48(1);
    for (size_t i = 0; i < pixels; i++)
        b->x[i] = (float)(2 * drand48() - 1);
    for (int i = 0; i < b->batch; i++)
        b->label[i] = (int)(lrand48() % classes);
}

static void bench_close(struct bench *b)
{
    rn_session_free(b->session);
    rn_trainer_free(b->trainer);
    free(b->x);
    free(b->label);
    free(b->logits);
}

/* A rate this small leaves the weights where the kernels meet ordinary numbers. */
static void run_once(struct bench *b)
{
    if (b->trainer)
        rn_trainer_step(b->trainer, b->x, b->label, b->batch, 1e-4, 0.9, false, 1e-4);
    else
        rn_session_run(b->session, b->x, b->batch, b->logits);
}

/* Images/s; a repeat runs for REPEAT_S or one batch. */
static struct spread measure(struct bench *b)
{
    double *rate = allocate(repeats, sizeof *rate);
    run_once(b);
    for (int i = 0; i < repeats; i++) {
        double start = rn_seconds(), now;
        long images = 0;
        do {
            run_once(b);
            images += b->batch;
            now = rn_seconds();
        } while (now - start < REPEAT_S);
        rate[i] = (double)images / (now - start);
        progress("%s  batch %d  %d threads  %.1f images/s", b->network, b->batch, b->threads,
                 rate[i]);
    }
    struct spread s = spread(rate, repeats);
    free(rate);
    return s;
}

static void run_network(struct bench *b, bool train)
{
    bench_open(b, train);
    const struct spread s = measure(b);
    bench_close(b);
    double gflops = 2e-9 * macs(b->model) * (train ? 3 : 1) * s.median;
    printf("rn\t");
    put_field(b->network);
    printf("\tfloat32\t%d\t%d\t%.9g\t%.9g\t%.9g\t%.9g\t%.9g\t%.9g", b->batch, b->threads, s.median,
           s.min, s.max, 1e3 * b->batch / s.median, gflops, 100 * gflops / peak(b->threads));
    put_machine();
}

/* ---- single convolutions ---- */

static void run_layer(const struct bench *b, int index, const struct rn_layer *l, enum rn_pass pass)
{
    static const char *const pass_words[] = { "forward", "backward-data", "backward-weights" };
    struct rn_conv_time t = { .seconds = allocate(repeats, sizeof(double)) };
    if (rn_bench_conv(b->model, index, pass, b->batch, b->threads, repeats, &t))
        die("%s", rn_error());
    const struct spread s = spread(t.seconds, repeats);
    free(t.seconds);
    double gflops = 2e-9 * (double)t.macs / s.median;
    put_field(b->network);
    printf("\t%s\t%s\t%s\t%dx%dx%d\t%s\t%d\t%d\t%.9g\t%.9g\t%.9g", l->name, pass_words[pass],
           l->what, l->C, l->H, l->W, t.algorithm, b->batch, b->threads, 1e3 * s.median, gflops,
           100 * gflops / peak(b->threads));
    put_machine();
}

/* The first layer's gradient of the pictures is never wanted. */
static void run_layers(struct bench *b)
{
    struct rn_layer l;
    bool first = true;
    for (int i = 0; i < rn_model_layers(b->model); i++) {
        rn_model_layer(b->model, i, &l);
        if (strcmp(l.op, "convolution") != 0)
            continue;
        for (enum rn_pass pass = RN_FORWARD; pass <= RN_BACKWARD_WEIGHTS; pass++)
            if (!first || pass != RN_BACKWARD_DATA)
                run_layer(b, i, &l, pass);
        first = false;
    }
}

/* ---- sub-commands ---- */

enum command { PEAK, CONV, INFER, TRAIN };

static void put_header(enum command c)
{
    if (c == CONV)
        puts("network\tlayer\tpass\tshape\toutput\talgorithm\tbatch\tthreads\tms_median\tgflops\t"
             "pct_peak\tisa\tcores\tcpu");
    else
        puts("peer\tnetwork\tmode\tbatch\tthreads\timages_per_s_median\timages_per_s_min\t"
             "images_per_s_max\tms_median\tgflops\tpct_peak\tisa\tcores\tcpu");
}

static void run_spec(enum command c, const char *spec)
{
    struct rn_model *m = new_model(spec);
    for (int i = 0; i < thread_count; i++)
        for (int j = 0; j < batch_count; j++) {
            struct bench b = {
                .network = spec, .model = m, .batch = batches[j], .threads = threads[i]
            };
            if (c == CONV)
                run_layers(&b);
            else
                run_network(&b, c == TRAIN);
        }
    rn_model_free(m);
}

static enum command read_command(const char *name)
{
    static const char *const words[] = { "peak", "conv", "infer", "train" };
    for (int i = PEAK; i <= TRAIN; i++)
        if (strcmp(name, words[i]) == 0)
            return i;
    die("%s: takes peak, conv, infer or train", name);
}

int main(int argc, char **argv)
{
    say_start("rn-bench");
    int first = opt_parse(&tool, argc, argv);
    if (first == argc)
        opt_usage("no sub-command: peak, conv, infer or train");
    enum command c = read_command(argv[first++]);
    if (c == PEAK && (first < argc || batch_count || hw[0]))
        opt_usage("peak takes no SPEC, --batch-size or --size");
    if (c != PEAK && first == argc)
        opt_usage("no SPEC");
    for (int i = first; i < argc; i++)
        if (!rn_spec_valid(argv[i]))
            die("%s", rn_error());
    int all = opt_machine();
    if (thread_count == 0)
        threads[thread_count++] = all;
    if (batch_count == 0)
        batches[batch_count++] = c == TRAIN ? 32 : 1;
    read_cpu();
    if (c == PEAK)
        run_peak();
    else
        put_header(c);
    for (; first < argc; first++)
        run_spec(c, argv[first]);
    close_stdout();
    return 0;
}
