/*
 * rn-train: pictures and a spec in, a model file and a table of losses out. The options fill a
 * struct rn_train_config; the work is rn_train()'s. Here too: what signals mean.
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "opt.h"
#include "rn.h"
#include "say.h"

enum { EXIT_DONE = 0, EXIT_PARTLY = 1, EXIT_NOTHING = 2, EXIT_AGAIN = 75 };

static struct rn_train_config config;
static const char *augment;
static int hw[2], init = -1, sched;
static double gamma_given = -1;

static const struct opt opts[] = {
    OPT_STRING('a', "arch", &config.arch, "SPEC",
               "network, as resnet18 or cifar-resnet20:classes=10 (that of --weights)"),
    OPT_STRING('o', "output", &config.output, "FILE", "the model; state is kept in FILE.ckpt"),
    OPT_STRING(0, "val", &config.val, "DATA", "validate on these (DATA's test part)"),
    OPT_STRING(0, "weights", &config.weights, "FILE", "start from this model (random)"),
    OPT_ENUM(0, "init", &init, "NAME", "random start: xavier, kaiming (the network's authors')",
             rn_init_names + RN_INIT_XAVIER),
    OPT_FLAG(0, "zero-init-residual", &config.zero_residual,
             "residual branches begin as zero: blocks as the identity"),
    OPT_FLAG(0, "resume", &config.resume, "go on from FILE.ckpt, if there is one"),
    OPT_HW(0, "size", hw, "N|HxW", "resize pictures (the data's size, else the network's)", 1,
           8192),
    OPT_STRING(0, "resize", &config.resize, "HOW",
               "squash, or short=N,crop=M: short side, centre (squash, or as --weights)"),
    OPT_INT('b', "batch-size", &config.batch, "N", "pictures a step", 1, 65536),
    OPT_INT('e', "epochs", &config.epochs, "N", "passes over the data", 1, 1000000),
    OPT_LONG(0, "steps", &config.steps, "N", "stop after so many steps (all of the epochs)", 1,
             1e15),
    OPT_DOUBLE(0, "lr", &config.lr, "X", "learning rate", 0, 1000),
    OPT_DOUBLE(0, "momentum", &config.momentum, "X", "momentum of SGD", 0, 1),
    OPT_FLAG(0, "nesterov", &config.nesterov, "Nesterov's momentum"),
    OPT_DOUBLE(0, "weight-decay", &config.weight_decay, "X", "L2 penalty of all parameters", 0, 1),
    OPT_FLAG(0, "decay-weights-only", &config.decay_weights_only,
             "none of biases and batch norm's scales and shifts"),
    OPT_DOUBLE(0, "label-smoothing", &config.smoothing, "X",
               "share of the target that all classes have in common", 0, 1),
    OPT_DOUBLE(0, "drop-path", &config.drop_path, "X",
               "stochastic depth: rate of the last residual block, rising from 0", 0, 0.99),
    OPT_ENUM(0, "sched", &sched, "NAME", "rate over time: const, step, cosine, linear",
             rn_schedule_names),
    OPT_INTS(0, "milestones", config.milestone, &config.milestones, RN_MILESTONES_MAX, "LIST",
             "epochs after which step multiplies the rate by gamma (none)", 1, 1000000),
    OPT_DOUBLE(0, "gamma", &gamma_given, "X", "factor of a step (0.1)", 0, 1000),
    OPT_DOUBLE(0, "warmup-epochs", &config.warmup_epochs, "X", "epochs of linear warm-up", 0,
               1000000),
    OPT_STRING(0, "augment", &augment, "LIST",
               "flip, flip=alternating, crop=N of a border of N zeros, resized-crop (none)"),
    OPT_FLOATS(0, "mean", config.mean, &config.means, RN_CHANNELS_MAX, "LIST",
               "subtracted from pixels of 0..1, by channel (0, or that of --weights)", -1000, 1000),
    OPT_FLOATS(0, "std", config.std, &config.stds, RN_CHANNELS_MAX, "LIST",
               "then divided by, by channel (1, or that of --weights)", 1e-6, 1000),
    OPT_STRING(0, "labels", &config.labels, "FILE", "class names, a line each (those of the data)"),
    OPT_SEED(0, "seed", &config.seed, "N", "of all random numbers"),
    OPT_LONG(0, "save-every", &config.save_every, "N",
             "checkpoint every N steps too (epochs' ends)", 1, 1e15),
    OPT_INT(0, "prefetch", &config.prefetch, "N", "batches made ready ahead; changes no result", 0,
            64),
    OPT_STRING(0, "log", &config.log_path, "FILE", "the table of losses (standard output)"),
    OPT_END,
};

static const struct opt_tool tool = {
    .name = "rn-train",
    .usage = "-a SPEC -o FILE [OPTION]... DATA",
    .about =
        "Trains a residual network on DATA (a folder of class folders of pictures, a tar of\n"
        "KEY.jpg and KEY.cls, IDX or CIFAR), validates it after every epoch and writes it to FILE.",
    .opts = opts,
    .with = WITH_THREADS | WITH_ISA | WITH_FORCE,
};

/* One item of --augment. */
static void augment_item(const char *item)
{
    char *end;
    if ((*item == 'f' && config.flip != RN_FLIP_NONE) || (*item == 'c' && config.crop) ||
        (*item == 'r' && config.area > 0))
        opt_bad("augment", item, "each change once");
    if (strcmp(item, "flip") == 0) {
        config.flip = RN_FLIP_RANDOM;
        return;
    }
    if (strcmp(item, "flip=alternating") == 0) {
        config.flip = RN_FLIP_ALTERNATING;
        return;
    }
    if (strcmp(item, "resized-crop") == 0) {
        config.area = 0.08;
        return;
    }
    if (strncmp(item, "resized-crop=", 13) == 0) {
        config.area = strtod(item + 13, &end);
        if (end == item + 13 || *end || !(config.area > 0 && config.area <= 1))
            opt_bad("augment", item, "resized-crop=AREA, a part of the picture above 0, to 1");
        return;
    }
    long n = strncmp(item, "crop=", 5) == 0 ? strtol(item + 5, &end, 10) : 0;
    if (n < 1 || n > 1024 || *end)
        opt_bad("augment", item,
                "flip, crop=N (N from 1 to 1024), resized-crop[=AREA], flip=alternating, or a "
                "comma list of them");
    config.crop = (int)n;
}

static void read_augment(void)
{
    char *list = strdup(augment), *rest = list, *item;
    while ((item = strsep(&rest, ",")))
        augment_item(item);
    free(list);
}

static void read_options(int argc, char **argv)
{
    rn_train_defaults(&config);
    sched = config.sched;
    int first = opt_parse(&tool, argc, argv);
    if (!config.arch && !config.weights)
        opt_usage("no -a SPEC and no --weights FILE to take it from");
    if (!config.output)
        opt_usage("no -o FILE for the model");
    if (strcmp(config.output, "-") == 0)
        die("-o -: a model in training needs a file, for its checkpoint stands beside it");
    if (argc - first != 1)
        opt_usage(argc > first ? "more than one DATA" : "no DATA");
    config.data = argv[first];
    const char *inputs[] = { config.data, config.val, config.weights, config.labels };
    int stdins = 0;
    for (int i = 0; i < 4; i++)
        stdins += inputs[i] && strcmp(inputs[i], "-") == 0;
    if (stdins > 1)
        die("standard input (-) is given twice");
    if (augment)
        read_augment();
    if (gamma_given >= 0 && sched != RN_SCHED_STEP)
        die("--gamma is for --sched step");
    if (gamma_given >= 0)
        config.gamma = gamma_given;
    if (!config.log_path || strcmp(config.log_path, "-") == 0) {
        config.log_path = NULL;
        config.log = stdout;
    }
    config.init = init < 0 ? RN_INIT_DEFAULT : init + RN_INIT_XAVIER;
    config.sched = sched;
    config.H = hw[0];
    config.W = hw[1];
    config.force = common.force;
    config.threads = opt_machine();
}

/* ---- signals ---- */

static volatile sig_atomic_t stop; /* the signal that asked for it */

static void on_signal(int number)
{
    stop = number;
}

/* SIGINT, SIGTERM and SIGHUP make a checkpoint; a second SIGINT kills at once. What the parent
 * ignores (nohup) stays ignored. */
static void catch_signals(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction old, new = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
        if (numbers[i] == SIGINT)
            new.sa_flags |= SA_RESETHAND;
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(numbers[i], &new, NULL);
    }
}

/* A shell loop ends only when its command dies by SIGINT: whatever else has come of the run. */
static int leave(int status)
{
    if (status == EXIT_DONE || status == EXIT_AGAIN) /* else the sentence has been said */
        close_stdout();
    if (stop != SIGINT)
        return status;
    signal(SIGINT, SIG_DFL);
    raise(SIGINT);
    return 128 + SIGINT; /* blocked by the parent */
}

/* ---- hooks ---- */

static void on_progress(void *arg, const struct rn_progress *p)
{
    (void)arg;
    if (p->evaluating)
        progress("epoch %d/%d  validating", p->epoch, p->epochs);
    else
        progress("epoch %d/%d  step %ld/%ld  loss %.4f  %.0f images/s  %.0f s left", p->epoch,
                 p->epochs, p->step, p->steps, p->loss, p->images_per_s,
                 (double)(p->steps - p->step) * config.batch / fmax(p->images_per_s, 1e-3));
}

static void on_warning(void *arg, const char *sentence)
{
    (void)arg;
    warn("%s", sentence);
}

int main(int argc, char **argv)
{
    say_start("rn-train");
    read_options(argc, argv);
    note("instruction set %s, %d threads", rn_isa_name(), config.threads);
    catch_signals();
    const struct rn_hooks hooks = { on_progress, on_warning, NULL, &stop };
    int status = rn_train(&config, &hooks);
    if (status == RN_ESTOP)
        complain("stopped by SIG%s; the same command with --resume goes on", sigabbrev_np(stop));
    else if (status)
        complain("%s", rn_error());
    return leave(!status                                         ? EXIT_DONE
                 : status == RN_ESTOP                            ? EXIT_AGAIN
                 : status == RN_EDIVERGE || status == RN_EPARTLY ? EXIT_PARTLY
                                                                 : EXIT_NOTHING);
}
