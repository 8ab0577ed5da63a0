/*
 * rn-bench: how fast this machine runs a network, beside what it could do at most. One table for
 * each sub-command on stdout; pictures, labels and weights are random.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bench_machine.h"
#include "opt.h"
#include "rn.h"
#include "say.h"

struct bench bench = { .pass = -1 };
static const char *old_path;

const char *const bench_passes[] = { "forward", "backward-data", "backward-weights", NULL };

static const struct opt opts[] = {
    OPT_INTS('b', "batch-size", bench.batches, &bench.batch_count, LIST_MAX, "LIST",
             "pictures at a time (1; train: 32)", 1, 65536),
    OPT_INTS('j', "threads", bench.threads, &bench.thread_count, LIST_MAX, "LIST",
             "threads (as many as this process may use)", 1, THREADS_MAX),
    OPT_INT(0, "repeats", &bench.repeats, "N",
            "measurements of each, for the spread (5; startup: 20)", 1, 10000),
    OPT_HW(0, "size", bench.hw, "N|HxW", "input of the network (the network's default)", 1, 8192),
    OPT_ENUM(0, "pass", &bench.pass, "NAME",
             "conv: forward, backward-data or backward-weights alone (all)", bench_passes),
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
        NETWORK, { "ms_median", PLAIN }, { "gflops", PLAIN }, { "pct_peak", PLAIN },
        { "forward_ms", PLAIN }, { "backward_data_ms", PLAIN }, { "backward_weights_ms", PLAIN },
        { "norm_ms", PLAIN }, { "step_ms", PLAIN }, { "data_ms", PLAIN }, MACHINE } },
    [STARTUP] = { "startup", "ms_median", true, (const struct column[]){
        { "model", KEY }, { "picture", KEY }, { "threads", KEY }, { "ms_median", MEDIAN },
        { "ms_min", LEAST }, { "ms_max", MOST }, { "exit_ms_median", PLAIN }, MACHINE } },
};
/* clang-format on */

static struct rn_model *new_model(const char *spec)
{
    struct rn_model *m;
    if (rn_model_new(&m, spec, 0, bench.hw[0], bench.hw[1], 0))
        die("%s", rn_error());
    rn_model_init(m, RN_INIT_DEFAULT, 1);
    return m;
}

/* Every network at every batch size and number of threads. */
static void run_specs(enum command c, char **spec, int specs)
{
    int n = 0;
    struct network_case *b =
        allocate((size_t)specs * bench.thread_count * bench.batch_count, sizeof *b);
    for (int s = 0; s < specs; s++) {
        struct rn_model *m = new_model(spec[s]);
        for (int i = 0; i < bench.thread_count; i++)
            for (int j = 0; j < bench.batch_count; j++)
                b[n++] = (struct network_case){ .network = spec[s],
                                                .model = m,
                                                .batch = bench.batches[j],
                                                .threads = bench.threads[i] };
    }
    if (c != CONV)
        run_networks(b, n, c == TRAIN);
    else
        for (int i = 0; i < n; i++)
            run_layers(&b[i]);
    for (int i = 0; i < n; i += bench.thread_count * bench.batch_count)
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
    if (c == PEAK && (n || bench.batch_count || bench.hw[0]))
        opt_usage("peak takes no SPEC, --batch-size or --size");
    if (c == STARTUP && (n < 1 || n > 2))
        opt_usage("startup takes a MODEL and at most one PICTURE");
    if (c == STARTUP && (bench.batch_count || bench.hw[0]))
        opt_usage("startup takes no --batch-size or --size");
    if (c == STARTUP && (strcmp(operand[0], "-") == 0 || (n > 1 && strcmp(operand[1], "-") == 0)))
        die("startup reads its files again and again: standard input (-) can't be");
    if (c != CONV && bench.pass >= 0)
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
    if (bench.thread_count == 0)
        bench.threads[bench.thread_count++] = all;
    if (bench.batch_count == 0)
        bench.batches[bench.batch_count++] = c == TRAIN ? 32 : 1;
    if (bench.repeats == 0)
        bench.repeats = c == STARTUP ? 20 : 5;
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
    bench.table = &tables[c];
    if (old_path)
        compare_open(bench.table, old_path);
    quiet_start();
    if (c == PEAK)
        run_peak();
    else if (c == STARTUP)
        run_startup(operand, operands);
    else
        run_specs(c, operand, operands);
    if (bench.repeats > 1) /* one repeat is a glance, not a measurement */
        quiet_check();
    bool slower = compare_close();
    close_stdout();
    return slower ? 1 : 0;
}
