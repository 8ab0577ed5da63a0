/*
 * Model files: a model written is the model read, bit for bit; metadata and tensors that are not
 * what the network needs are refused by name.
 */
#include "weights/modelfile.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "tap.h"

static char folder[] = "/tmp/rn-modelfile-XXXXXX";
static char path[64], other[64];

static const char narrow[] = "d2l-resnet18:classes=3,stages=1x8+1x12,stem-width=6";
static char *const names[] = { "coat", "T-shirt\t\"x\"", "\xc3\xa9t\xc3\xa9" };

/* A model of random parameters, every counter its own number. */
static struct rn_model *make(const char *spec, int C, int H, int W)
{
    struct rn_model *m;
    if (rn_model_new(&m, spec, C, H, W, 0)) {
        ok(false, "%s: %s", spec, rn_error());
        exit(done());
    }
    rn_model_init(m, RN_INIT_DEFAULT, 7);
    for (int i = 0; i < m->graph.params; i++)
        if (m->graph.param[i].dtype == RN_I64)
            *(int64_t *)m->value[i] = (int64_t)i << 40;
    for (int c = 0; c < C; c++) {
        m->prep.mean[c] = 0.1f * (float)(c + 1);
        m->prep.std[c] = 1 / 3.0f + (float)c;
    }
    return m;
}

static bool same_values(const struct rn_model *a, const struct rn_model *b)
{
    if (a->graph.params != b->graph.params)
        return false;
    for (int i = 0; i < a->graph.params; i++) {
        const struct rn_param *p = &a->graph.param[i], *q = &b->graph.param[i];
        if (strcmp(p->name, q->name) || p->dtype != q->dtype ||
            rn_param_count(p) != rn_param_count(q) ||
            memcmp(a->value[i], b->value[i], rn_param_count(p) * rn_dtype_size(p->dtype)))
            return false;
    }
    return true;
}

static bool same_prep(const struct rn_prep *a, const struct rn_prep *b)
{
    return a->C == b->C && a->H == b->H && a->W == b->W && !strcmp(a->resize, b->resize) &&
           !memcmp(a->mean, b->mean, sizeof(a->mean)) && !memcmp(a->std, b->std, sizeof(a->std));
}

static bool same_files(const char *a, const char *b)
{
    struct rn_map x = { 0 }, y = { 0 };
    bool same = !rn_map_open(&x, a) && !rn_map_open(&y, b) && x.size == y.size &&
                !memcmp(x.data, y.data, x.size);
    rn_map_close(&x);
    rn_map_close(&y);
    return same;
}

static void test_round_trip(const char *spec, int C, int H, int W)
{
    struct rn_model *m = make(spec, C, H, W), *r;
    ok(!rn_model_write(m, path), "%s is written", m->text);
    int status = rn_model_open(&r, path);
    if (ok(!status, "and read%s%s", status ? ": " : "", status ? rn_error() : "")) {
        ok(same_values(m, r), "with the same bits in every parameter");
        ok(same_prep(&m->prep, &r->prep) && !strcmp(m->text, r->text), "for the same pictures");
        ok(!rn_model_label(r, 0) && !rn_model_provenance(r), "without labels and provenance");
        ok(!rn_model_write(r, other) && same_files(path, other), "and gives the same file");
        rn_model_free(r);
    }
    rn_model_free(m);
}

static void test_labels(void)
{
    static const char provenance[] = "{\"seed\":7}";
    struct rn_model *m = make(narrow, 1, 20, 24), *r;
    rn_model_set_labels(m, names);
    rn_model_set_provenance(m, provenance);
    ok(!rn_model_write(m, path), "a model with labels is written");
    if (ok(!rn_model_open(&r, path), "and read")) {
        bool same = true;
        for (int i = 0; i < 3; i++)
            same = same && !strcmp(names[i], rn_model_label(r, i));
        ok(same, "with the same labels");
        ok(!strcmp(rn_model_provenance(r), provenance), "and provenance");
        rn_model_free(r);
    }
    static char *const bad[] = { "a", "b", "\xff" };
    rn_model_set_labels(m, bad);
    ok(rn_model_write(m, path) == RN_EUSAGE, "but not with one that is no UTF-8");
    rn_model_free(m);
}

/* Tries to make a model of w: the sentence must have `says` in it. */
static void refuse(const struct rn_weights *w, const char *says)
{
    struct rn_model *r;
    int status = rn_model_from_weights(&r, w, "FILE");
    ok(status == RN_EFORMAT && !r && !strncmp(rn_error(), "FILE: ", 6) && strstr(rn_error(), says),
       "refused: %s", status ? rn_error() : "accepted");
    if (!status)
        rn_model_free(r);
}

/* Sets the value of a key (a new one, or NULL: takes it away) while a model is tried. */
static void refuse_meta(const struct rn_weights *w, const char *key, const char *value,
                        const char *says)
{
    struct rn_weights with = *w;
    with.meta = calloc((size_t)w->metas + 1, sizeof(*with.meta));
    with.metas = 0;
    for (int i = 0; i < w->metas; i++)
        if (strcmp(w->meta[i].key, key))
            with.meta[with.metas++] = w->meta[i];
    if (value)
        with.meta[with.metas++] = (struct rn_meta){ (char *)key, (char *)value };
    refuse(&with, says);
    free(with.meta);
}

static void test_metadata(const struct rn_weights *w)
{
    static const struct {
        const char *key, *value, *says;
    } bad[] = {
        { "rn.spec", NULL, "no rn.spec in it: convert it with rn-convert -a SPEC" },
        { "rn.spec", "resnet19", "rn.spec: resnet19" },
        { "rn.input", NULL, "no rn.input" },
        { "rn.input", "1x20", "rn.input is \"1x20\"" },
        { "rn.input", "1x20x24x1", "rn.input" },
        { "rn.input", "1x020x24", "rn.input" },
        { "rn.input", " 1x20x24", "rn.input" },
        { "rn.input", "1x-20x24", "rn.input" },
        { "rn.input", "0x20x24", "rn.input" },
        { "rn.input", "1x20x99999999999", "rn.input" },
        { "rn.input", "2x20x24", "rn.mean" },
        { "rn.mean", NULL, "no rn.mean" },
        { "rn.mean", "", "rn.mean is \"\"" },
        { "rn.mean", "0,0", "rn.mean" },
        { "rn.mean", "0,", "rn.mean" },
        { "rn.mean", "nan", "rn.mean" },
        { "rn.mean", "inf", "rn.mean" },
        { "rn.mean", "1e99", "rn.mean" },
        { "rn.mean", "0x1", "rn.mean" },
        { "rn.mean", " 0.5", "rn.mean" },
        { "rn.mean", "-", "rn.mean" },
        { "rn.mean", "0.5 ", "rn.mean" },
        { "rn.std", NULL, "no rn.std" },
        { "rn.std", "0", "rn.std is \"0\", not a positive number" },
        { "rn.std", "-1", "rn.std" },
        { "rn.resize", NULL, "no rn.resize" },
        { "rn.resize", "stretch", "rn.resize" },
        { "rn.resize", "short=8", "rn.resize" },
        { "rn.resize", "short=8,crop=4,", "rn.resize" },
        { "rn.resize", "short=8193,crop=4", "from 1 to 8192" },
        { "rn.resize", "short=8192,crop=4096", "but rn.input is" },
        { "rn.labels", "coat", "rn.labels" },
        { "rn.labels", "[\"a\",\"b\"]", "rn.labels is no JSON array of 3 strings" },
        { "rn.labels", "[\"a\",\"b\",3]", "rn.labels" },
        { "rn.labels", "[\"a\",\"b\",\"c\",\"d\"]", "rn.labels" },
        { "rn.labels", "{\"a\":0,\"b\":1,\"c\":2}", "rn.labels" },
        { "rn.provenance", "[]", "rn.provenance" },
        { "rn.provenance", "{", "rn.provenance" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refuse_meta(w, bad[i].key, bad[i].value, bad[i].says);
}

static struct rn_tensor *tensor(struct rn_weights *w, const char *name)
{
    return (struct rn_tensor *)rn_weights_find(w, name);
}

static void test_tensors(struct rn_weights *w)
{
    struct rn_tensor *t = tensor(w, "fc.weight"), was = *t;
    t->dtype = RN_I32;
    refuse(w, "tensor fc.weight is I32, the network's is F32");
    *t = was;
    t->dim[1]++;
    refuse(w, "tensor fc.weight is 3x13, the network's is 3x12");
    *t = was;
    t->rank = 3;
    t->dim[2] = 1;
    refuse(w, "tensor fc.weight is 3x12x1");
    *t = was;

    struct rn_tensor *count = tensor(w, "bn1.num_batches_tracked");
    count->dtype = RN_F32;
    refuse(w, "bn1.num_batches_tracked is F32, the network's is I64");
    count->dtype = RN_I64;

    struct rn_tensor last = w->tensor[--w->tensors];
    char says[128];
    snprintf(says, sizeof(says), "no tensor %s in it", last.name);
    refuse(w, says);
    w->tensors++;

    struct rn_model *r;
    float x = 1;
    rn_gather_tensor(w, "optim.conv1.weight", RN_F32, 1, (int[]){ 1 }, &x);
    rn_gather_tensor(w, "ema.fc.bias", RN_F64, 0, NULL, &x);
    if (ok(!rn_model_from_weights(&r, w, "FILE"), "optim.* and ema.* are passed over"))
        rn_model_free(r);
    rn_gather_tensor(w, "fc.extra", RN_F32, 1, (int[]){ 1 }, &x);
    refuse(w, "fc.extra");
}

static void test_refused(void)
{
    struct rn_model *m = make(narrow, 1, 20, 24);
    struct rn_weights w;
    ok(!rn_gather_model(&w, m), "a model is gathered");
    test_metadata(&w);
    test_tensors(&w);
    rn_gather_release(&w);
    rn_model_free(m);
}

static float *value(const struct rn_model *m, const char *name)
{
    return m->value[rn_graph_find(&m->graph, name)];
}

static void test_new_head(void)
{
    struct rn_model *from = make(narrow, 1, 20, 24), *m;
    struct rn_weights w;
    bool new_head = true;
    ok(!rn_gather_model(&w, from), "a model of 3 classes is gathered");
    ok(!rn_model_new(&m, narrow, 1, 20, 24, 5), "the same network for 5 classes");
    ok(rn_model_fill(m, &w, "FILE", NULL) == RN_EFORMAT, "is refused: %s", rn_error());
    value(m, "fc.weight")[0] = value(m, "fc.bias")[4] = 42;
    ok(!rn_model_fill(m, &w, "FILE", &new_head) && new_head, "or takes all but the classifier");
    ok(value(m, "fc.weight")[0] == 42 && value(m, "fc.bias")[4] == 42 &&
           value(m, "conv1.weight")[3] == value(from, "conv1.weight")[3],
       "which is left as it was");
    rn_model_free(m);

    ok(!rn_model_new(&m, narrow, 1, 20, 24, 0), "the same network");
    ok(!rn_model_fill(m, &w, "FILE", &new_head) && !new_head && same_values(m, from),
       "takes all of it");
    struct rn_tensor *t = tensor(&w, "fc.weight");
    t->dim[0]++;
    ok(rn_model_fill(m, &w, "FILE", &new_head) == RN_EFORMAT, "half another classifier: %s",
       rn_error());
    t->dim[1]++;
    tensor(&w, "fc.bias")->dim[0]++;
    ok(rn_model_fill(m, &w, "FILE", &new_head) == RN_EFORMAT, "one of other features: %s",
       rn_error());
    rn_gather_release(&w);
    rn_model_free(m);
    rn_model_free(from);
}

static void test_damage(void)
{
    struct rn_model *m = make(narrow, 1, 20, 24), *r;
    struct rn_map map;
    if (ok(!rn_model_write(m, other) && !rn_map_open(&map, other), "a model is written")) {
        uint8_t *bytes = malloc(map.size);
        memcpy(bytes, map.data, map.size);
        bytes[map.size - 1] ^= 0x10;
        FILE *f = fopen(path, "wb");
        ok(f && fwrite(bytes, 1, map.size, f) == map.size && !fclose(f), "a bit is flipped in it");
        ok(rn_model_open(&r, path) == RN_EFORMAT && !r && strstr(rn_error(), "tensor fc.bias"),
           "which is said: %s", rn_error());
        free(bytes);
        rn_map_close(&map);
    }
    rn_model_free(m);
}

int main(void)
{
    if (!mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    sprintf(path, "%s/a.safetensors", folder);
    sprintf(other, "%s/b.safetensors", folder);
    test_round_trip("cifar-resnet20", 3, 32, 32);
    test_round_trip(narrow, 1, 20, 24);
    test_labels();
    test_refused();
    test_new_head();
    test_damage();
    unlink(path);
    unlink(other);
    rmdir(folder);
    return done();
}
