/* rn-convert: a weight file in, the same weights in another format out; or the list of its tensors.
 */
#include <stdio.h>
#include <string.h>

#include "opt.h"
#include "rn.h"
#include "say.h"

static const char *format, *output;
static bool want_list;

static const struct opt opts[] = {
    OPT_STRING(0, "to", &format, "FORMAT", "safetensors (that of FILE's suffix, else safetensors)"),
    OPT_STRING('o', "output", &output, "FILE", "the result, whole or not at all (standard output)"),
    OPT_FLAG(0, "list", &want_list, "a table of the tensors instead"),
    OPT_END,
};

static const struct opt_tool tool = {
    .name = "rn-convert",
    .usage = "[--to FORMAT] [-o FILE] IN\n--list IN",
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
    struct rn_weights *w = NULL;
    if (rn_weights_import(&w, argv[first]))
        die("%s", rn_error());
    note("%s: %d tensors", argv[first], rn_weights_count(w));
    if (want_list)
        put_list(w);
    else if (rn_weights_export(w, to_stdout ? "-" : output, format ? format : "safetensors"))
        die("%s", rn_error());
    rn_weights_close(w);
    close_stdout();
    return 0;
}
