/*
 * Recognition: state dicts of other programs, as scripts/golden_names.py lists their names and
 * shapes, become the right spec or are refused with the reason; and what is written in a dialect is
 * read again as what it was.
 */
#include "weights/names.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "tap.h"
#include "weights/format.h"
#include "weights/modelfile.h"

/* A case of the file. */
struct test {
    char title[80], spec[200], wanted[200];
    int head;
    bool good;
    struct rn_weights w;
};

static void *zeros; /* what all tensors' data are */
enum { ZEROS = 512 << 20 };

static bool add_tensor(struct rn_weights *w, const char *line)
{
    char name[160], dtype[8], shape[80], *at = shape;
    struct rn_tensor t = { .name = name, .data = zeros };
    if (sscanf(line, "%159s %7s %79s", name, dtype, shape) != 3)
        return false;
    t.dtype = (enum rn_dtype)rn_dtype_find(dtype);
    t.bytes = rn_dtype_size(t.dtype);
    while (*at != '-' && *at) {
        t.dim[t.rank] = strtoul(at, &at, 10);
        t.bytes *= t.dim[t.rank++];
        at += *at == 'x';
    }
    return t.bytes <= ZEROS && !rn_gather(w, &t);
}

static bool start(struct test *t, const char *line)
{
    char good[8];
    *t = (struct test){ 0 };
    if (sscanf(line, "= %79[^\t]\t%199[^\t]\t%d\t%7[^\t]\t%199[^\n]", t->title, t->spec, &t->head,
               good, t->wanted) != 5)
        return false;
    t->good = !strcmp(good, "ok");
    return true;
}

static int warnings;

static void count_warning(const char *sentence)
{
    (void)sentence;
    warnings++;
}

/* Has w exactly the parameters of its spec? */
static bool is_model(const struct rn_weights *w)
{
    struct rn_model *m;
    if (rn_model_described(&m, w, "w"))
        return false;
    bool same = m->graph.params == w->tensors;
    for (int i = 0; i < m->graph.params && same; i++)
        same = !rn_param_match(&m->graph.param[i], rn_weights_find(w, m->graph.param[i].name), "w");
    rn_model_free(m);
    return same;
}

static void check(struct test *t)
{
    struct rn_recognition r = { .spec = strcmp(t->spec, "-") ? t->spec : NULL,
                                .head = t->head,
                                .warn = count_warning };
    warnings = 0;
    int status = rn_weights_recognise(&t->w, "FILE", &r);
    if (t->good) {
        bool right = !status && !strcmp(r.found, t->wanted) && is_model(&t->w);
        ok(right, "%s is %s", t->title, t->wanted);
        if (!right)
            printf("# %d %s %s\n", status, status ? rn_error() : r.found, r.names ? r.names : "");
        ok(warnings == !strncmp(t->title, "auxiliary", 9), "%s: %d warnings", t->title, warnings);
    } else {
        bool right = status && strstr(rn_error(), t->wanted) && strstr(rn_error(), "FILE");
        ok(right, "%s: refused: %s", t->title, status ? rn_error() : r.found);
    }
    rn_gather_release(&t->w);
}

static void run_cases(void)
{
    char line[512];
    struct test t = { 0 };
    bool open = false, clean = true;
    int cases = 0;
    gzFile f = gzopen("tests/golden/names.tsv.gz", "rb");
    while (f && gzgets(f, line, sizeof line)) {
        if (*line != '=') {
            clean &= open && add_tensor(&t.w, line);
            continue;
        }
        if (open)
            check(&t);
        clean &= open = start(&t, line);
        cases++;
    }
    if (open)
        check(&t);
    if (f)
        gzclose(f);
    ok(cases >= 40 && clean, "%d cases read", cases);
}

/* ---- there and back ---- */

/* A model's tensors by the names of a dialect; false where it has none for one of them. */
static bool write_names(struct rn_weights *w, const struct rn_model *m, const struct rn_dialect *d)
{
    bool all = true;
    for (int i = 0; i < m->graph.params && all; i++) {
        const struct rn_param *p = &m->graph.param[i];
        char name[RN_FOREIGN_MAX];
        all = rn_name_write(d, p->name, name) &&
              !rn_gather_tensor(w, name, p->dtype, p->rank, p->dim, zeros);
    }
    return all;
}

static bool comes_back(const char *spec, const char *dialect)
{
    struct rn_weights w = { 0 };
    struct rn_model *m;
    struct rn_recognition r = { .spec = NULL };
    bool same = !rn_model_plan(&m, spec, 0, 0, 0, 0) &&
                write_names(&w, m, rn_dialect_find(dialect)) &&
                !rn_weights_recognise(&w, "FILE", &r) && !strcmp(r.found, m->text) &&
                !strcmp(r.names, dialect);
    rn_model_free(m);
    rn_gather_release(&w);
    return same;
}

/* Every row whose spec names and shapes can tell. */
static void check_rows(void)
{
    for (int i = 0; rn_spec_row(i); i++) {
        struct rn_spec s;
        const char *row = rn_spec_row(i);
        if (rn_spec_parse(&s, row) || s.single || !strcmp(row, "d2l-resnet"))
            continue;
        ok(comes_back(row, "torchvision"), "%s by our own names", row);
    }
}

static void check_dialects(void)
{
    static const char *const pairs[][2] = {
        { "resnet50", "huggingface" },
        { "cifar-resnet20:shortcut=conv-bn", "cifar" },
        { "cifar-wrn-16-8:shortcut=conv", "preact" },
        { "cifar-wrn-28-10", "wide" },
        { "cifar-resnet20:shortcut=conv-bn,stem-width=32", "cifar100" },
        { "d2l-resnet18:classes=7", "d2l" },
        { "d2l-resnext", "d2l-resnext" },
        { "regnet_y_800mf", "timm-regnet" },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        ok(comes_back(pairs[i][0], pairs[i][1]), "%s by the names of %s", pairs[i][0], pairs[i][1]);
}

static void check_names(void)
{
    char text[RN_FOREIGN_MAX], longest[400];
    const struct rn_dialect *hf = rn_dialect_find("huggingface"), *d2l = rn_dialect_find("d2l");
    ok(rn_name_write(hf, "layer2.3.conv1.weight", text) &&
           !strcmp(text, "resnet.encoder.stages.1.layers.3.layer.0.convolution.weight"),
       "a stage and a layer less: %s", text);
    ok(rn_name_read(d2l, "module.net.b2.1.conv3.bias", text) &&
           !strcmp(text, "layer1.1.downsample.0.bias"),
       "a stage less, the shortcut: %s", text);
    ok(rn_name_read(d2l, "b0.1.conv1.bias", text) && !strcmp(text, "b0.1.conv1.bias"),
       "stage -1 is none");
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    ok(!rn_name_read(hf, longest, text), "a name too long");
    ok(!rn_dialect_find("klingon") && strstr(rn_error(), "huggingface"), "%s", rn_error());
}

int main(void)
{
    zeros = rn_alloc(ZEROS, 1);
    run_cases();
    check_rows();
    check_dialects();
    check_names();
    rn_free(zeros);
    return done();
}
