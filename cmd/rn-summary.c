/*
 * rn-summary: what a network is made of. A spec or a model in; stages, blocks or layers with their
 * shapes and costs out. Every figure is that of the whole batch of N pictures.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "opt.h"
#include "rn.h"
#include "say.h"

enum depth { DEPTH_TOTAL, DEPTH_STAGE, DEPTH_BLOCK, DEPTH_LAYER };
enum style { STYLE_TABLE, STYLE_TORCH };

static int depth = -1, style = STYLE_TABLE, threads;

static const char *const depth_words[] = { "total", "stage", "block", "layer", NULL };
static const char *const style_words[] = { "table", "torch", NULL };

static const struct opt opts[] = {
    OPT_ENUM(0, "depth", &depth, "NAME", "a row for: total, stage, block, layer (stage)",
             depth_words),
    OPT_ENUM(0, "style", &style, "NAME", "table, or torch: the lines of d2l's layer_summary",
             style_words),
    OPT_END,
};

static const struct opt_tool tool = {
    .name = "rn-summary",
    .usage = "[OPTION]... SPEC|MODEL... [NxCxHxW]",
    .about = "Prints the stages of networks with their shapes, parameters, multiply-accumulates\n"
             "and memory, for a batch of N pictures (1).",
    .opts = opts,
    .with = WITH_THREADS | WITH_ISA | WITH_JSON,
};

/* One network, and the file it came from. */
struct subject {
    const char *name;          /* the operand */
    struct rn_model *model;    /* of the shape asked for */
    struct rn_model *original; /* as it stands in the file; NULL for a spec */
    int N;
};

/* Layers from..to, to excluded, that one row stands for. */
struct group {
    const char *name;
    int from, to;
    int N, H, W, C; /* output */
    bool flat;      /* [N][C] */
    uint64_t params, buffers, macs, bytes;
};

struct shape {
    int N, C, H, W; /* 0: not given */
};

/* ---- groups of layers ---- */

static bool same_group(const struct rn_layer *a, const struct rn_layer *b)
{
    switch (depth) {
    case DEPTH_TOTAL:
        return true;
    case DEPTH_STAGE:
        return strcmp(a->stage, b->stage) == 0;
    case DEPTH_BLOCK:
        return strcmp(a->stage, b->stage) == 0 && strcmp(a->block, b->block) == 0;
    default:
        return false;
    }
}

static const char *group_name(const struct rn_layer *l)
{
    switch (depth) {
    case DEPTH_TOTAL:
        return "total";
    case DEPTH_STAGE:
        return l->stage;
    case DEPTH_BLOCK:
        return *l->block ? l->block : l->stage;
    default:
        return l->name;
    }
}

static void group_add(struct group *g, const struct rn_layer *l)
{
    g->to++;
    g->H = l->H;
    g->W = l->W;
    g->C = l->C;
    g->flat = strcmp(l->op, "linear") == 0;
    g->params += l->params;
    g->buffers += l->buffers;
    g->macs += l->macs * (uint64_t)g->N;
    g->bytes += sizeof(float) * (uint64_t)g->N * (uint64_t)l->H * (uint64_t)l->W * (uint64_t)l->C;
}

/* The group that begins with layer `from`; false behind the last. */
static bool group_next(const struct subject *s, int from, struct group *g)
{
    struct rn_layer first, l;
    int n = rn_model_layers(s->model);
    if (from >= n)
        return false;
    rn_model_layer(s->model, from, &first);
    *g = (struct group){ .name = group_name(&first), .from = from, .to = from, .N = s->N };
    group_add(g, &first);
    while (g->to < n) {
        rn_model_layer(s->model, g->to, &l);
        if (!same_group(&first, &l))
            break;
        group_add(g, &l);
    }
    return true;
}

static struct group total(const struct subject *s)
{
    struct group g = { .name = "total", .N = s->N };
    struct rn_layer l;
    for (int i = 0; i < rn_model_layers(s->model); i++) {
        rn_model_layer(s->model, i, &l);
        group_add(&g, &l);
    }
    return g;
}

/* ---- what a group is made of, in the manner of He et al., table 1 ---- */

static bool computes(const struct rn_layer *l)
{
    return l->macs > 0 || strstr(l->op, "pool");
}

/* Layers from..to that compute: "convolution 7x7, 64, stride 2; max pool 3x3, stride 2". */
static void describe_layers(FILE *out, const struct rn_model *m, int from, int to, bool named)
{
    struct rn_layer l;
    const char *join = "";
    for (int i = from; i < to; i++) {
        rn_model_layer(m, i, &l);
        if (!computes(&l) && to - from > 1)
            continue;
        fprintf(out, "%s%s%s%s", join, named ? l.op : "", named && *l.what ? " " : "", l.what);
        join = "; ";
    }
}

/* Blocks in layers from..to, and the first layer of the last one. */
static int count_blocks(const struct rn_model *m, int from, int to, int *last)
{
    struct rn_layer l;
    const char *block = "";
    int n = 0;
    for (int i = from; i < to; i++) {
        rn_model_layer(m, i, &l);
        if (*l.block && strcmp(l.block, block) != 0) {
            *last = i;
            n++;
        }
        block = l.block;
    }
    return n;
}

/* The caller frees. */
static char *describe(const struct rn_model *m, const struct group *g)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        die("memory is short");
    int last = g->from, blocks = count_blocks(m, g->from, g->to, &last);
    if (depth == DEPTH_STAGE && blocks) {
        fputc('[', out);
        describe_layers(out, m, last, g->to, false);
        fprintf(out, "] x %d", blocks);
    } else if (depth != DEPTH_TOTAL) {
        describe_layers(out, m, g->from, g->to, !blocks || depth == DEPTH_LAYER);
    }
    fclose(out);
    return text;
}

/* ---- tables ---- */

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void put_output(const struct group *g)
{
    printf(g->flat ? "%dx%d" : "%dx%dx%dx%d", g->N, g->C, g->H, g->W);
}

static void put_row(const struct subject *s, const struct group *g, const struct group *all,
                    const char *what)
{
    put_field(s->name);
    putchar('\t');
    put_field(g->name);
    putchar('\t');
    put_field(what);
    putchar('\t');
    put_output(g);
    printf("\t%llu\t%llu\t%llu\t%.9g\t%.9g\t%.9g\n", (unsigned long long)g->params,
           (unsigned long long)g->macs, (unsigned long long)g->bytes,
           percent(g->params, all->params), percent(g->macs, all->macs),
           percent(g->bytes, all->bytes));
}

static void put_table(const struct subject *s)
{
    struct group g, all = total(s);
    for (int from = 0; group_next(s, from, &g); from = g.to) {
        char *what = describe(s->model, &g);
        put_row(s, &g, &all, what);
        free(what);
    }
    put_row(s, &all, &all, "");
}

struct memory {
    size_t infer, train;
};

static struct memory memory(const struct subject *s)
{
    struct memory m;
    if (rn_session_bytes(s->model, s->N, threads, &m.infer) ||
        rn_trainer_bytes(s->model, s->N, threads, &m.train))
        die("%s: %s", s->name, rn_error());
    return m;
}

static void put_total(const struct subject *s)
{
    const struct group all = total(s);
    const struct memory m = memory(s);
    const struct rn_prep *in = rn_model_prep(s->model);
    put_field(s->name);
    printf("\t%dx%dx%dx%d\t%llu\t%llu\t%llu\t%llu\t%llu\t%zu\t%zu\n", s->N, in->C, in->H, in->W,
           (unsigned long long)all.params, (unsigned long long)all.buffers,
           (unsigned long long)all.macs, (unsigned long long)all.macs * 2,
           (unsigned long long)all.bytes, m.infer, m.train);
}

static void put_header(void)
{
    if (depth == DEPTH_TOTAL)
        puts("network\tinput\tparams\tbuffers\tmacs\tflops\tactivation_bytes\tinference_bytes\t"
             "training_bytes");
    else
        puts("network\tname\twhat\toutput\tparams\tmacs\tactivation_bytes\tparams_pct\tmacs_pct\t"
             "activation_pct");
}

/* d2l's layer_summary prints a tab and a space before the shape. */
static void put_torch(const struct subject *s)
{
    struct group g;
    for (int from = 0; group_next(s, from, &g); from = g.to) {
        fputs("Sequential output shape:\t torch.Size([", stdout);
        printf(g.flat ? "%d, %d" : "%d, %d, %d, %d", g.N, g.C, g.H, g.W);
        puts("])");
    }
}

/* ---- JSON ---- */

static void put_numbers(const char *key, const float *v, int n)
{
    printf(",\"%s\":[", key);
    for (int i = 0; i < n; i++) {
        fputs(i ? "," : "", stdout);
        put_json_number(v[i]);
    }
    putchar(']');
}

static void put_labels(const struct rn_model *m)
{
    if (!rn_model_label(m, 0)) {
        fputs(",\"labels\":null", stdout);
        return;
    }
    fputs(",\"labels\":[", stdout);
    for (int i = 0; i < rn_model_classes(m); i++) {
        fputs(i ? "," : "", stdout);
        put_json(rn_model_label(m, i));
    }
    putchar(']');
}

/* What only a file has. */
static void put_file_members(const struct rn_model *m)
{
    const struct rn_prep *prep = rn_model_prep(m);
    const char *provenance = rn_model_provenance(m);
    put_labels(m);
    int channels = prep->C < RN_CHANNELS_MAX ? prep->C : RN_CHANNELS_MAX;
    put_numbers("mean", prep->mean, channels);
    put_numbers("std", prep->std, channels);
    putchar(',');
    put_json_member("resize", prep->resize);
    fputs(",\"provenance\":", stdout);
    for (const char *c = provenance ? provenance : "null"; *c; c++)
        putchar(*c == '\n' || *c == '\r' ? ' ' : *c); /* JSON to the last byte, but on one line */
}

static void put_json_rows(const struct subject *s)
{
    struct group g;
    fputs(",\"rows\":[", stdout);
    for (int from = 0; group_next(s, from, &g); from = g.to) {
        char *what = describe(s->model, &g);
        printf("%s{\"name\":", from ? "," : "");
        put_json(g.name);
        fputs(",\"what\":", stdout);
        put_json(what);
        printf(g.flat ? ",\"output\":[%d,%d]" : ",\"output\":[%d,%d,%d,%d]", g.N, g.C, g.H, g.W);
        printf(",\"parameters\":%llu,\"buffers\":%llu,\"macs\":%llu,\"activation_bytes\":%llu}",
               (unsigned long long)g.params, (unsigned long long)g.buffers,
               (unsigned long long)g.macs, (unsigned long long)g.bytes);
        free(what);
    }
    putchar(']');
}

static void put_json_object(const struct subject *s)
{
    const struct group all = total(s);
    const struct memory m = memory(s);
    const struct rn_prep *in = rn_model_prep(s->model);
    putchar('{');
    put_json_member("network", s->name);
    putchar(',');
    put_json_member("spec", rn_model_spec(s->model));
    printf(",\"input\":[%d,%d,%d,%d],\"parameters\":%llu,\"buffers\":%llu,\"macs\":%llu,"
           "\"flops\":%llu,\"activation_bytes\":%llu,\"inference_bytes\":%zu,"
           "\"training_bytes\":%zu,\"threads\":%d,\"isa\":\"%s\"",
           s->N, in->C, in->H, in->W, (unsigned long long)all.params,
           (unsigned long long)all.buffers, (unsigned long long)all.macs,
           (unsigned long long)all.macs * 2, (unsigned long long)all.bytes, m.infer, m.train,
           threads, rn_isa_name());
    if (s->original)
        put_file_members(s->original);
    put_json_rows(s);
    puts("}");
}

/* ---- operands ---- */

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
    return rn_model_new(&s->model, rn_model_spec(s->original), shape->C ? shape->C : p->C,
                        shape->H ? shape->H : p->H, shape->W ? shape->W : p->W, 0);
}

static int open_subject(struct subject *s, const struct shape *shape)
{
    bool is_path = strchr(s->name, '/') || strcmp(s->name, "-") == 0;
    if (!is_path && rn_spec_valid(s->name))
        return rn_model_new(&s->model, s->name, shape->C, shape->H, shape->W, 0);
    if (is_path || access(s->name, F_OK) == 0)
        return open_file(s, shape);
    return RN_EUSAGE; /* rn_error() still says what is wrong with it as a spec */
}

static void put_subject(const struct subject *s)
{
    static bool begun;
    if (!begun && style == STYLE_TABLE && !common.json)
        put_header();
    begun = true;
    if (style == STYLE_TORCH)
        put_torch(s);
    else if (common.json)
        put_json_object(s);
    else if (depth == DEPTH_TOTAL)
        put_total(s);
    else
        put_table(s);
}

static bool summarise(const char *name, const struct shape *shape)
{
    struct subject s = { .name = name, .N = shape->N ? shape->N : 1 };
    int status = open_subject(&s, shape);
    if (status)
        complain("%s", rn_error());
    else
        put_subject(&s);
    rn_model_free(s.model);
    rn_model_free(s.original);
    return status == 0;
}

int main(int argc, char **argv)
{
    say_start("rn-summary");
    int first = opt_parse(&tool, argc, argv), last = argc, done = 0;
    struct shape shape = { 0 };
    if (last > first && is_shape(argv[last - 1]) && !read_shape(argv[--last], &shape))
        die("%s: takes NxCxHxW, four whole numbers from 1 to 65536", argv[last]);
    if (last == first)
        opt_usage("no SPEC or MODEL");
    if (style == STYLE_TORCH && (depth >= 0 || common.json))
        die("--style torch has its own lines: it goes without --depth and --json");
    depth = depth < 0 ? DEPTH_STAGE : depth;
    threads = opt_machine();
    note("memory is that of instruction set %s and %d threads", rn_isa_name(), threads);
    for (int i = first; i < last; i++)
        done += summarise(argv[i], &shape);
    close_stdout();
    return done == last - first ? 0 : done ? 1 : 2;
}
