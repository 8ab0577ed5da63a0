/*
 * rn-infer: a model and pictures in; one record per picture out, in order, or with --eval the
 * accuracy of them all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "opt.h"
#include "rn.h"
#include "say.h"

static const char *model_path, *labels_path, *names_path;
static bool want_eval, want_truth, want_logits, want_header, null_names, no_exif;
static int part = -1, tta = -1, batch = 32, topk;
static long max_pixels = RN_MAX_PIXELS;

static const char *const part_words[] = { "train", "test", NULL };
static const char *const tta_words[] = { "flip", NULL };

static const struct opt opts[] = {
    OPT_STRING('m', "model", &model_path, "FILE", "the model, as rn-train writes it"),
    OPT_INT('k', "topk", &topk, "N", "classes in a record, the likeliest first (1)", 1, 1000000),
    OPT_FLAG(0, "logits", &want_logits, "all logits instead, in the order of the classes"),
    OPT_FLAG(0, "truth", &want_truth, "the true label as second field"),
    OPT_FLAG(0, "header", &want_header, "begin with a line of names"),
    OPT_FLAG(0, "eval", &want_eval, "instead of records: n, correct, top1, top5, loss"),
    OPT_ENUM(0, "tta", &tta, "NAME", "mean logits of a picture and its mirror image: flip (none)",
             tta_words),
    OPT_ENUM(0, "part", &part, "NAME", "part of a data set: train, test (test)", part_words),
    OPT_STRING(0, "labels", &labels_path, "FILE",
               "names of the data's classes, for --eval and --truth (those of the data)"),
    OPT_STRING(0, "files-from", &names_path, "FILE",
               "classify the pictures named in FILE (- stdin)"),
    OPT_FLAG('0', "null", &null_names, "names in FILE end with NUL, not with newline"),
    OPT_FLAG(0, "no-exif", &no_exif, "leave pictures as stored, however the camera was held"),
    OPT_LONG(0, "max-pixels", &max_pixels, "N", "refuse larger pictures", 1, 1e12),
    OPT_INT('b', "batch-size", &batch, "N", "pictures at a time; changes no result", 1, 65536),
    OPT_END,
};

static const struct opt_tool tool = {
    .name = "rn-infer",
    .usage = "-m FILE [OPTION]... DATA...\n-m FILE [OPTION]... --files-from FILE\n-m FILE --eval "
             "[OPTION]... DATA...",
    .about =
        "Classifies the pictures of DATA (a PNG, JPEG, PNM or farbfeld file, a folder or a tar\n"
        "of them, IDX, or - for standard input) and prints a record for each: path, label,\n"
        "probability.",
    .opts = opts,
    .with = WITH_THREADS | WITH_ISA | WITH_JSON,
};

struct input {
    const char *path; /* the first, where several pictures are one input */
    struct rn_source *source;
    char *error; /* where source is NULL: why it can't be read */
};

static struct rn_model *model;
static struct rn_session *session;
static int classes, threads;
static float *logits; /* [batch][classes] */
static float *prob;   /* [classes] */
static int *order;    /* [topk] */
static long written;  /* records */
static bool failed;   /* an input was left out */

/* ---- what to do ---- */

static void check_options(int argc, char **argv, int first)
{
    int stdins = 0;
    if (!model_path)
        opt_usage("no -m FILE");
    if (first == argc && !names_path)
        opt_usage("no DATA; - is standard input");
    if (first < argc && names_path)
        die("--files-from names the pictures: it goes without DATA");
    if (names_path && (part >= 0 || labels_path))
        die("--files-from names pictures: it goes without --part and --labels");
    if (null_names && !names_path)
        die("--null is for the names of --files-from");
    stdins += names_path && strcmp(names_path, "-") == 0;
    for (int i = first; i < argc; i++)
        stdins += strcmp(argv[i], "-") == 0;
    stdins += labels_path && strcmp(labels_path, "-") == 0;
    if (stdins + (strcmp(model_path, "-") == 0) > 1)
        die("standard input (-) is given twice");
    if (want_eval && (want_truth || want_logits || want_header || topk))
        die("--eval prints no records: it goes without --topk, --logits, --truth and --header");
    if (want_logits && topk)
        die("--logits prints every class: it goes without --topk");
    if (want_header && common.json)
        die("--json names its members: it goes without --header");
}

/* Opens an input of n operands: several are picture files. Returns 0 or a status. */
static int open_source(struct input *in, char **path, int n)
{
    enum rn_part which = part < 0 ? RN_PART_DEFAULT : part + RN_PART_TRAIN;
    if (names_path)
        return rn_source_open_names(&in->source, names_path, null_names, want_eval || want_truth);
    if (n > 1)
        return rn_source_open_files(&in->source, (const char *const *)path, n);
    return (want_eval || want_truth ? rn_source_open_labelled : rn_source_open)(
        &in->source, in->path, which, RN_PART_TEST, labels_path);
}

/* Labels are counted by the model's classes, wherever they are wanted. */
static void open_input(struct input *in, char **path, int n)
{
    in->path = *path;
    if (open_source(in, path, n)) {
        complain("%s", rn_error());
        in->error = strdup(rn_error());
        in->source = NULL;
        failed = true;
        return;
    }
    rn_source_decode(in->source, no_exif, max_pixels);
    if ((!want_eval && !want_truth) || rn_source_count(in->source) == 0)
        return;
    if (rn_source_classes(in->source) == 0)
        die("%s: no labels in these data, and --%s needs them", in->path,
            want_eval ? "eval" : "truth");
    if (rn_source_bind(in->source, model))
        die("%s", rn_error());
}

/* Operands that begin at path[0] and make one input: picture files in a row, or one of another
 * kind. What is asked of data sets each of them has to answer for itself. */
static int run_length(char **path, int n)
{
    int run = 0;
    while (run < n && part < 0 && !labels_path && rn_is_picture(path[run]))
        run++;
    return run ? run : 1;
}

static struct input *open_inputs(int n, char **path, int *inputs)
{
    struct input *in = allocate(n, sizeof *in);
    bool any = false;
    *inputs = 0;
    for (int i = 0, run; i < n; i += run) {
        run = run_length(path + i, n - i);
        open_input(&in[*inputs], path + i, run);
        any = any || in[*inputs].source;
        ++*inputs;
    }
    if (!any || (want_eval && failed)) /* a part of the data has another accuracy */
        exit(2);
    return in;
}

static void open_model(void)
{
    size_t bytes = 0;
    if (rn_session_open(&session, &model, model_path, batch, threads) ||
        rn_session_bytes(model, batch, threads, &bytes) || (tta >= 0 && rn_session_mirror(session)))
        die("%s", rn_error());
    note("%s, instruction set %s, %d threads, batches of %d in %.1f MB", rn_model_spec(model),
         rn_isa_name(), threads, batch, (double)bytes / 1e6);
    classes = rn_model_classes(model);
    topk = topk == 0 ? 1 : topk < classes ? topk : classes;
    logits = allocate((size_t)batch * classes, sizeof *logits);
    prob = allocate(classes, sizeof *prob);
    order = allocate(topk, sizeof *order);
}

/* A class's name: the model's, else its number. */
static const char *label(int i)
{
    static char number[16];
    const char *name = rn_model_label(model, i);
    if (name)
        return name;
    snprintf(number, sizeof number, "%d", i);
    return number;
}

/* ---- records ---- */

static void put_header(void)
{
    fputs(want_truth ? "path\ttruth" : "path", stdout);
    for (int i = 0; want_logits && i < classes; i++) {
        putchar('\t');
        put_field(label(i));
    }
    for (int i = 0; !want_logits && i < topk; i++)
        printf("\tlabel_%d\tprob_%d", i + 1, i + 1);
    putchar('\n');
}

static void put_row(const char *name, int truth, const float *v)
{
    put_field(name);
    if (want_truth) {
        putchar('\t');
        put_field(truth < 0 ? "" : label(truth));
    }
    for (int i = 0; want_logits && i < classes; i++) {
        putchar('\t');
        put_number(v[i]);
    }
    for (int i = 0; !want_logits && i < topk; i++) {
        putchar('\t');
        put_field(label(order[i]));
        putchar('\t');
        put_number(prob[order[i]]);
    }
    putchar('\n');
}

static void put_object(const char *name, int truth, const float *v)
{
    putchar('{');
    put_json_member("path", name);
    if (want_truth && truth >= 0) {
        putchar(',');
        put_json_member("truth", label(truth));
    } else if (want_truth) {
        fputs(",\"truth\":null", stdout);
    }
    fputs(want_logits ? ",\"logits\":[" : ",\"top\":[", stdout);
    for (int i = 0; want_logits && i < classes; i++) {
        fputs(i ? "," : "", stdout);
        put_json_number(v[i]);
    }
    for (int i = 0; !want_logits && i < topk; i++) {
        fputs(i ? ",{" : "{", stdout);
        put_json_member("label", label(order[i]));
        printf(",\"index\":%d,\"prob\":", order[i]);
        put_json_number(prob[order[i]]);
        putchar('}');
    }
    puts("]}");
}

/* The sentence without the path that it begins with. */
static const char *reason(const char *name, const char *error)
{
    size_t n = strlen(name);
    return strncmp(error, name, n) == 0 && strncmp(error + n, ": ", 2) == 0 ? error + n + 2 : error;
}

/* The record of an input that can't be read stands in its place. */
static void put_missing(const char *name, const char *error)
{
    if (common.json) {
        putchar('{');
        put_json_member("path", name);
        fputs(",\"error\":", stdout);
        put_json(reason(name, error));
        puts("}");
        return;
    }
    put_field(name);
    for (int fields = want_truth + (want_logits ? classes : 2 * topk); fields > 0; fields--)
        putchar('\t');
    putchar('\n');
}

static void put_broken(const char *name, const char *error)
{
    complain("%s", error);
    failed = true;
    written++;
    put_missing(name, error);
}

static void put_answer(const char *name, int truth, const float *v)
{
    if (!want_logits) {
        rn_softmax(v, classes, prob);
        rn_topk(v, classes, topk, order);
    }
    (common.json ? put_object : put_row)(name, truth, v);
    written++;
}

static void put_batch(const struct rn_batch *b)
{
    rn_session_run(session, b->x, b->n, logits);
    for (int i = 0; i < b->n; i++)
        if (b->error[i])
            put_broken(b->name[i], b->error[i]);
        else
            put_answer(b->name[i], b->label[i], logits + (size_t)i * classes);
    flush_stdout();
}

/* When it is read: a tar is known only then. */
static void note_passed_over(const struct input *in)
{
    long n = rn_source_passed_over(in->source);
    if (n)
        note("%s: %ld files are no pictures and were passed over", in->path, n);
}

static void put_input(const struct input *in)
{
    struct rn_loader *loader = NULL;
    struct rn_batch b;
    int status = rn_loader_open(&loader, in->source, rn_model_prep(model), batch, threads);
    while (status == 0 && (status = rn_loader_next(loader, &b)) == 0 && b.n > 0)
        put_batch(&b);
    if (status) {
        complain("%s", rn_error());
        failed = true;
    }
    rn_loader_close(loader);
    note_passed_over(in);
}

static int classify(const struct input *in, int n)
{
    if (want_header)
        put_header();
    for (int i = 0; i < n; i++)
        if (in[i].source)
            put_input(&in[i]);
        else
            put_missing(in[i].path, in[i].error);
    return !failed ? 0 : written ? 1 : 2;
}

/* ---- accuracy ---- */

static void put_metrics(const struct rn_metrics *m)
{
    double n = (double)m->n;
    const struct {
        const char *name;
        double value;
    } line[] = { { "n", n },
                 { "correct", m->top1 },
                 { "top1", m->top1 / n },
                 { "top5", m->top5 / n },
                 { "loss", m->loss / (n - (double)m->broken) } };
    for (int i = 0; i < 5; i++) {
        if (common.json) {
            printf("%s\"%s\":", i ? "," : "{", line[i].name);
            put_json_number(line[i].value);
        } else {
            printf("%s\t", line[i].name);
            put_number(line[i].value);
            putchar('\n');
        }
    }
    if (common.json)
        puts("}");
}

static void on_warning(void *arg, const char *sentence)
{
    (void)arg;
    complain("%s", sentence);
}

static int evaluate(const struct input *in, int n)
{
    const struct rn_hooks hooks = { .warn = on_warning };
    struct rn_metrics sum = { 0 };
    for (int i = 0; i < n; i++) {
        struct rn_loader *loader = NULL;
        struct rn_metrics m;
        if (rn_loader_open(&loader, in[i].source, rn_model_prep(model), batch, threads) ||
            rn_evaluate(session, loader, classes, &hooks, &m))
            die("%s", rn_error());
        rn_loader_close(loader);
        note_passed_over(&in[i]);
        sum.n += m.n;
        sum.top1 += m.top1;
        sum.top5 += m.top5;
        sum.broken += m.broken;
        sum.loss += m.loss;
    }
    if (sum.n == 0 && names_path) /* an empty list */
        return 0;
    if (sum.n == sum.broken)
        die(sum.n ? "no picture can be decoded" : "no pictures in the data");
    put_metrics(&sum);
    return sum.broken == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    say_start("rn-infer");
    int first = opt_parse(&tool, argc, argv), n;
    check_options(argc, argv, first);
    threads = opt_machine();
    open_model();
    char *names = (char *)(uintptr_t)names_path;
    struct input *in =
        names ? open_inputs(1, &names, &n) : open_inputs(argc - first, argv + first, &n);
    int status = (want_eval ? evaluate : classify)(in, n);
    close_stdout();
    for (int i = 0; i < n; i++) {
        rn_source_close(in[i].source);
        free(in[i].error);
    }
    free(in);
    free(order);
    free(prob);
    free(logits);
    rn_session_free(session);
    rn_model_free(model);
    return status;
}
