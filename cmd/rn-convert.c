/*
 * rn-convert: weight files in, one out. Other programs' tensors become models of ours; on the way
 * a table of steps changes them. Or, instead, a table of what is in a file or between two.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert.h"
#include "convert_grow.h"
#include "opt.h"
#include "say.h"

enum { DTYPE_F32, DTYPE_F16, DTYPE_BF16 };

struct convert_options convert = { .dtype = -1, .tolerance = -1 };
static struct grow_options grow = { .behind = -1 };
static const char *const dtype_words[] = { "f32", "f16", "bf16", NULL };

static const struct opt opts[] = {
    OPT_STRING(0, "to", &convert.format, "FORMAT",
               "safetensors (that of FILE's suffix, else safetensors)"),
    OPT_STRING('o', "output", &convert.output, "FILE",
               "the result, whole or not at all (standard output)"),
    OPT_STRING('a', "arch", &convert.arch, "SPEC",
               "the network (that of the file, else what its tensors tell)"),
    OPT_STRING(0, "names", &convert.names, "DIALECT",
               "names to write: torchvision, huggingface, ...; keep (those of ours)"),
    OPT_STRING(0, "labels", &convert.labels, "FILE",
               "class names, a line each (those of the file)"),
    OPT_FLOATS(0, "mean", convert.mean, &convert.means, RN_CHANNELS_MAX, "LIST",
               "subtracted from pixels of 0..1, by channel (0, or that of the file)", -1000, 1000),
    OPT_FLOATS(0, "std", convert.std, &convert.stds, RN_CHANNELS_MAX, "LIST",
               "then divided by, by channel (1, or that of the file)", 1e-6, 1000),
    OPT_HW(0, "size", convert.size, "N|HxW", "pixels of the input (the file's, else the network's)",
           1, 8192),
    OPT_STRING(0, "resize", &convert.resize, "HOW",
               "squash, or short=N,crop=M: short side, centre (squash)"),
    OPT_STRING(0, "preset", &convert.preset, "NAME",
               "all of these as usual for: imagenet, cifar10, ... (none)"),
    OPT_FLAG(0, "ema", &convert.ema, "the averaged parameters of a checkpoint"),
    OPT_FLAG(0, "strip", &convert.strip, "the model alone, without the state of training"),
    OPT_FLAG(0, "average", &convert.average, "the mean of several INs"),
    OPT_INT(0, "head", &convert.head, "N", "a fresh classifier of N classes (that of the file)", 1,
            1000000),
    OPT_FLAG(0, "fold", &convert.fold, "batch norms into the convolutions before them"),
    OPT_ENUM(0, "dtype", &convert.dtype, "NAME", "numbers as f32, f16 or bf16 (f32)", dtype_words),
    OPT_STRING(0, "grow", &grow.spec, "SPEC",
               "the same network with more blocks, the new ones the identity"),
    OPT_INT(0, "behind", &grow.behind, "N",
            "new blocks stand behind block N of their stage, from 0 (the last)", 0, 1000),
    OPT_FLAG(0, "ungroup", &grow.ungroup, "grouped convolutions as dense, block-diagonal ones"),
    OPT_FLAG(0, "verify", &grow.verify,
             "print how much the outputs of random pictures differ; -o only if by rounding"),
    OPT_FLAG(0, "list", &convert.list, "a table of the tensors instead"),
    OPT_FLAG(0, "diff", &convert.diff, "a table of what differs between two files instead"),
    OPT_STRING(0, "compare", &convert.compare, "FILE",
               "activations beside those of the model FILE, block by block"),
    OPT_DOUBLE(0, "tol", &convert.tolerance, "X",
               "relative difference from which on the exit code is 1 (0)", 0, 1e30),
    OPT_END,
};

static const struct opt_tool tool = {
    .name = "rn-convert",
    .usage = "[OPTION]... IN\n--average [OPTION]... IN...\n--grow SPEC [--behind N] [--verify] [-o "
             "FILE] MODEL\n"
             "--ungroup [--verify] [-o FILE] MODEL\n--list IN\n--diff IN IN\n--compare FILE IN",
    .about =
        "Makes a model of ours of a weight file IN (- is standard input), and of models others.",
    .opts = opts,
    .with = WITH_FORCE,
};

void must(int status)
{
    if (status)
        die("%s", rn_error());
}

/* ---- in ---- */

struct rn_weights *open_file(const char *path)
{
    struct rn_weights *w = NULL;
    must(rn_weights_import(&w, path));
    note("%s: %d tensors", path, rn_weights_count(w));
    return w;
}

static void warn_of(const char *sentence)
{
    warn("%s", sentence);
}

static void recognise(struct rn_weights *w, const char *path)
{
    struct rn_recognition r = { .spec = convert.arch, .head = convert.head, .warn = warn_of };
    must(rn_weights_recognise(w, path, &r));
    if (!convert.arch)
        warn("%s: taken for %s by %s", path, r.found, r.names);
}

void make_model(struct rn_weights *w, const char *path)
{
    if (convert.ema)
        must(rn_weights_ema(w, path));
    if (convert.arch || !rn_weights_meta(w, "rn.spec"))
        recognise(w, path);
}

struct rn_weights *open_model(const char *path)
{
    struct rn_weights *w = open_file(path);
    make_model(w, path);
    return w;
}

struct rn_model *load_model(const char *path)
{
    struct rn_weights *w = open_model(path);
    struct rn_model *m = NULL;
    must(rn_model_from_weights(&m, w, path));
    rn_weights_close(w);
    return m;
}

/* ---- steps, in the order they are taken ---- */

static void head(struct rn_weights *w, const char *path)
{
    must(rn_weights_head(w, path, convert.head));
}

static void fold(struct rn_weights *w, const char *path)
{
    must(rn_weights_fold(w, path));
}

static void strip(struct rn_weights *w, const char *path)
{
    must(rn_weights_strip(w, path));
}

static void cast(struct rn_weights *w, const char *path)
{
    static const enum rn_dtype types[] = { RN_F32, RN_F16, RN_BF16 };
    (void)path;
    must(rn_weights_cast(w, types[convert.dtype]));
}

static void rename_tensors(struct rn_weights *w, const char *path)
{
    must(rn_weights_rename(w, path, convert.names));
}

static void run_steps(struct rn_weights *w, const char *path)
{
    const struct {
        bool wanted;
        void (*run)(struct rn_weights *w, const char *path);
    } steps[] = {
        { convert.strip || convert.ema, strip },
        { convert.head, head },
        { convert.fold, fold },
        { true, step_describe },
        { convert.dtype >= 0, cast },
        { convert.names, rename_tensors },
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i].wanted)
            steps[i].run(w, path);
}

/* ---- out ---- */

/* What stands behind the last full stop of a file's name, or NULL. */
static const char *suffix(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return dot && dot != name ? dot + 1 : NULL;
}

static const char *output_path(void)
{
    bool to_stdout = !convert.output || strcmp(convert.output, "-") == 0;
    if (to_stdout && !common.force)
        refuse_terminal();
    return to_stdout ? "-" : convert.output;
}

/* Known before any work is done. */
static const char *output_format(void)
{
    const char *end = convert.output ? suffix(convert.output) : NULL, *format;
    if (!convert.format && !end)
        return "safetensors";
    if (!(format = rn_weights_format(convert.format ? convert.format : end)))
        die("%s%s%s", convert.format ? "" : convert.output, convert.format ? "" : ": ", rn_error());
    return format;
}

static int convert_files(char **in, int n)
{
    const char *output = output_path(), *format = output_format();
    bool keep = convert.names && strcmp(convert.names, "keep") == 0;
    struct rn_weights *w = keep ? open_file(in[0]) : open_model(in[0]);
    if (convert.average)
        step_average(w, in, n);
    if (!keep)
        run_steps(w, in[0]);
    must(rn_weights_export(w, output, format));
    rn_weights_close(w);
    return 0;
}

/* ---- what is asked for ---- */

/* Options that describe the model. */
static bool describes(void)
{
    return convert.labels || convert.means || convert.stds || convert.size[0] || convert.resize ||
           convert.preset;
}

/* Options that change what is written. */
static bool changes(void)
{
    return convert.head || convert.fold || convert.strip || convert.dtype >= 0 || describes();
}

static bool grows(void)
{
    return grow.spec || grow.ungroup;
}

static void check_grow(void)
{
    if (!grows() && (grow.verify || grow.behind >= 0))
        die("--%s goes with --grow%s", grow.verify ? "verify" : "behind",
            grow.verify ? " or --ungroup" : "");
    if (grow.behind >= 0 && !grow.spec)
        die("--behind goes with --grow");
    if (grows() && convert.list)
        die("--list converts nothing: it goes without --grow and --ungroup");
    if (grows() && (convert.diff || convert.compare || convert.average || convert.names ||
                    convert.arch || convert.ema || changes()))
        die("--grow and --ungroup go without the other changes: one after the other, in a pipe");
    if (grows() && strcmp(output_format(), "safetensors") != 0)
        die("--grow and --ungroup make a model: safetensors, not %s", output_format());
    if (grow.verify && (!convert.output || strcmp(convert.output, "-") == 0))
        die("--verify prints on standard output: give -o FILE for the model");
}

static int run_grow(const char *in)
{
    return convert_grow(&grow, in, output_path());
}

static void check_options(int operands)
{
    const char *instead = convert.list      ? "list"
                          : convert.diff    ? "diff"
                          : convert.compare ? "compare"
                                            : NULL;
    if (convert.list + convert.diff + !!convert.compare + convert.average > 1)
        die("--list, --diff, --compare and --average: one of them at a time");
    if (instead && (convert.format || convert.output || convert.names || changes()))
        die("--%s converts nothing: it goes without --to, --output and what changes a file",
            instead);
    if (convert.list && (convert.arch || convert.ema))
        die("--list shows a file as it is: it goes without --arch and --ema");
    if (convert.tolerance >= 0 && !convert.diff && !convert.compare)
        die("--tol goes with --diff or --compare");
    if (convert.names && describes())
        die("--names writes tensors alone: it goes without what describes a model");
    if (convert.names && strcmp(convert.names, "keep") == 0 &&
        (convert.arch || convert.ema || convert.average || changes()))
        die("--names keep: copies tensors as they are, and goes alone");
    check_grow();
    if (operands == 0)
        opt_usage("no IN; - is standard input");
    if (convert.diff && operands != 2)
        opt_usage("--diff takes two INs");
    if (operands > 1 && !convert.diff && !convert.average)
        opt_usage("more than one IN");
    convert.tolerance = fmax(convert.tolerance, 0);
}

int main(int argc, char **argv)
{
    say_start("rn-convert");
    int first = opt_parse(&tool, argc, argv), n = argc - first, status;
    char **in = argv + first;
    check_options(n);
    if (convert.list)
        status = put_list(in);
    else if (convert.diff)
        status = put_diff(in);
    else if (convert.compare)
        status = put_compare(in);
    else if (grows())
        status = run_grow(in[0]);
    else
        status = convert_files(in, n);
    close_stdout();
    return status;
}
