/* rn-convert: a weight file in, the same weights in another format out; or the list of its tensors.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert_grow.h"
#include "opt.h"
#include "rn.h"
#include "say.h"

static const char *format, *output;
static bool want_list;
static struct grow_options grow = { .behind = -1 };

static const struct opt opts[] = {
    OPT_STRING(0, "to", &format, "FORMAT", "safetensors (that of FILE's suffix, else safetensors)"),
    OPT_STRING('o', "output", &output, "FILE", "the result, whole or not at all (standard output)"),
    OPT_STRING(0, "grow", &grow.spec, "SPEC",
               "the same network with more blocks, the new ones the identity"),
    OPT_INT(0, "behind", &grow.behind, "N",
            "new blocks stand behind block N of their stage, from 0 (the last)", 0, 1000),
    OPT_FLAG(0, "ungroup", &grow.ungroup, "grouped convolutions as dense, block-diagonal ones"),
    OPT_FLAG(0, "verify", &grow.verify,
             "print how much the outputs of random pictures differ; -o only if by rounding"),
    OPT_FLAG(0, "list", &want_list, "a table of the tensors instead"),
    OPT_END,
};

static const struct opt_tool tool = {
    .name = "rn-convert",
    .usage = "[--to FORMAT] [-o FILE] IN\n--grow SPEC [--behind N] [--verify] [-o FILE] MODEL\n"
             "--ungroup [--verify] [-o FILE] MODEL\n--list IN",
    .about = "Copies the weight file IN (- is standard input) into a format; checks all of it.",
    .opts = opts,
    .with = WITH_FORCE,
};

/* What stands behind the last full stop of a file's name, or NULL. */
static const char *suffix(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return dot && dot != name ? dot + 1 : NULL;
}

static void put_tensor(const struct rn_tensor *t)
{
    size_t elements = 1;
    put_field(t->name);
    printf("\t%s\t", rn_dtype_name(t->dtype));
    for (int i = 0; i < t->rank; i++) {
        printf(i ? "x%zu" : "%zu", t->dim[i]);
        elements *= t->dim[i];
    }
    printf("\t%zu\t%zu\n", elements, t->bytes);
}

static void put_list(const struct rn_weights *w)
{
    puts("name\tdtype\tshape\telements\tbytes");
    for (int i = 0; i < rn_weights_count(w); i++)
        put_tensor(rn_weights_tensor(w, i));
}

/* What goes with growing; leaves when that is what is to be done. */
static void run_grow(const char *in, bool to_stdout)
{
    bool wanted = grow.spec || grow.ungroup;
    if (!wanted && (grow.verify || grow.behind >= 0))
        die("--%s goes with --grow%s", grow.verify ? "verify" : "behind",
            grow.verify ? " or --ungroup" : "");
    if (grow.behind >= 0 && !grow.spec)
        die("--behind goes with --grow");
    if (!wanted)
        return;
    if (want_list)
        die("--list converts nothing: it goes without --grow and --ungroup");
    if (format && strcmp(format, "safetensors") != 0)
        die("--grow and --ungroup make a model: safetensors, not %s", format);
    if (grow.verify && to_stdout)
        die("--verify prints on standard output: give -o FILE for the model");
    exit(convert_grow(&grow, in, to_stdout ? "-" : output));
}

int main(int argc, char **argv)
{
    say_start("rn-convert");
    int first = opt_parse(&tool, argc, argv);
    if (argc - first != 1)
        opt_usage(argc > first ? "more than one IN" : "no IN; - is standard input");
    if (want_list && (format || output))
        die("--list converts nothing: it goes without --to and --output");
    bool to_stdout = !output || strcmp(output, "-") == 0;
    if (!format && !to_stdout)
        format = suffix(output);
    if (!want_list && to_stdout && !common.force)
        refuse_terminal();
    run_grow(argv[first], to_stdout);
    struct rn_weights *w = NULL;
    if (rn_weights_open(&w, argv[first]))
        die("%s", rn_error());
    note("%s: %d tensors", argv[first], rn_weights_count(w));
    if (want_list)
        put_list(w);
    else if (rn_weights_write(w, to_stdout ? "-" : output, format ? format : "safetensors"))
        die("%s", rn_error());
    rn_weights_close(w);
    close_stdout();
    return 0;
}
