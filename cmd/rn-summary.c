/*
 * rn-summary: what a network is made of. A spec or a model in; stages, blocks or layers with their
 * shapes and costs out. Every figure is that of the whole batch of N pictures.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "opt.h"
#include "say.h"
#include "summary.h"

static int depth = -1, style = STYLE_TABLE, threads;
static bool dot, list, memory;

static const char *const depth_words[] = { "total", "stage", "block", "layer", NULL };
static const char *const style_words[] = { "table", "torch", "mxnet", "jax", "tf", NULL };

static const struct opt opts[] = {
    OPT_ENUM(0, "depth", &depth, "NAME", "a row for: total, stage, block, layer (stage)",
             depth_words),
    OPT_ENUM(0, "style", &style, "NAME", "table; torch, mxnet, jax, tf: d2l's layer_summary",
             style_words),
    OPT_FLAG(0, "memory", &memory, "bytes that running and training take"),
    OPT_FLAG(0, "dot", &dot, "a graph for graphviz"),
    OPT_FLAG(0, "list", &list, "all networks with their parameters and operations"),
    OPT_END,
};

static const struct opt_tool tool = {
    .name = "rn-summary",
    .usage = "[OPTION]... SPEC|MODEL... [NxCxHxW]\n--list",
    .about = "Prints the stages of networks with their shapes, parameters, multiply-accumulates\n"
             "and memory, for a batch of N pictures (1).",
    .opts = opts,
    .with = WITH_THREADS | WITH_ISA | WITH_JSON,
};

struct shape {
    int N, C, H, W; /* 0: not given */
};

/* Neither a spec nor, without a slash, likely a file. */
static bool is_shape(const char *text)
{
    return strchr(text, 'x') && !text[strspn(text, "0123456789x")];
}

/* NxCxHxW, four whole numbers. */
static bool read_shape(const char *text, struct shape *s)
{
    int *const part[] = { &s->N, &s->C, &s->H, &s->W };
    for (int i = 0; i < 4; i++) {
        char *end;
        long v = strtol(text, &end, 10);
        if (*text < '1' || *text > '9' || v > 65536 || *end != (i < 3 ? 'x' : 0))
            return false;
        *part[i] = (int)v;
        text = end + 1;
    }
    return true;
}

/* What parses as a spec is a spec; a name with a slash is a file. */
static int open_file(struct subject *s, const struct shape *shape)
{
    int status = rn_model_open(&s->original, s->name);
    if (status)
        return status;
    const struct rn_prep *p = rn_model_prep(s->original);
    if (shape->C && shape->C != p->C)
        die("%s: its pictures have %d channels, not %d", s->name, p->C, shape->C);
    return rn_model_shape(&s->model, rn_model_spec(s->original), shape->C ? shape->C : p->C,
                          shape->H ? shape->H : p->H, shape->W ? shape->W : p->W);
}

static int open_subject(struct subject *s, const struct shape *shape)
{
    const char *end = strrchr(s->name, '.');
    bool is_path = strchr(s->name, '/') || strcmp(s->name, "-") == 0 ||
                   (end && strcmp(end, ".safetensors") == 0);
    if (!is_path && rn_spec_valid(s->name))
        return rn_model_shape(&s->model, s->name, shape->C, shape->H, shape->W);
    if (is_path || access(s->name, F_OK) == 0)
        return open_file(s, shape);
    return RN_EUSAGE; /* rn_error() still says what is wrong with it as a spec */
}

static void put_subject(const struct subject *s)
{
    static bool begun;
    if (!begun && memory)
        put_memory_header();
    else if (!begun && style == STYLE_TABLE && !common.json && !dot)
        put_header(depth);
    begun = true;
    if (style != STYLE_TABLE)
        put_style(s, (enum style)style);
    else if (common.json)
        put_json_object(s);
    else if (dot)
        put_dot(s);
    else if (memory)
        put_memory(s);
    else if (depth == DEPTH_TOTAL)
        put_total(s);
    else
        put_table(s);
}

static bool summarise(const char *name, const struct shape *shape)
{
    struct subject s = {
        .name = name, .N = shape->N ? shape->N : 1, .depth = depth, .threads = threads
    };
    int status = open_subject(&s, shape);
    if (status)
        complain("%s", rn_error());
    else
        put_subject(&s);
    rn_model_free(s.model);
    rn_model_free(s.original);
    return status == 0;
}

/* Ways to print of which there can be one; --style and --memory have rows of their own. */
static void check_options(void)
{
    bool styled = style != STYLE_TABLE;
    if (styled + common.json + dot + memory + list > 1)
        die("--style, --json, --dot, --memory and --list: one of them at a time");
    if (depth >= 0 && (styled || memory || list))
        die("--%s has its own lines: it goes without --depth", styled   ? "style"
                                                               : memory ? "memory"
                                                                        : "list");
}

int main(int argc, char **argv)
{
    say_start("rn-summary");
    int first = opt_parse(&tool, argc, argv), last = argc, done = 0;
    struct shape shape = { 0 };
    check_options();
    if (list && first < last)
        opt_usage("--list takes no operands");
    if (last > first && is_shape(argv[last - 1]) && !read_shape(argv[--last], &shape))
        die("%s: takes NxCxHxW, four whole numbers from 1 to 65536", argv[last]);
    if (last == first && !list)
        opt_usage("no SPEC or MODEL");
    depth = depth < 0 ? DEPTH_STAGE : depth;
    threads = opt_machine();
    note("memory is that of instruction set %s and %d threads", rn_isa_name(), threads);
    if (list)
        put_list();
    for (int i = first; i < last; i++)
        done += summarise(argv[i], &shape);
    close_stdout();
    return done == last - first ? 0 : done ? 1 : 2;
}
