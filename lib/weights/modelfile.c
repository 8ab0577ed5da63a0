/* A model to and from a weight file: parameters by name, and rn.* metadata printed and parsed. */
#include "weights/modelfile.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/prep.h"
#include "weights/cast.h"
#include "weights/hash.h"

/* ---- out ---- */

int rn_gather_tensor(struct rn_weights *w, const char *name, enum rn_dtype dtype, int rank,
                     const int dim[], const void *data)
{
    struct rn_tensor t = { .name = name, .dtype = dtype, .rank = rank, .data = data };
    t.bytes = rn_dtype_size(dtype);
    for (int d = 0; d < rank; d++) {
        t.dim[d] = (size_t)dim[d];
        t.bytes *= t.dim[d];
    }
    return rn_gather(w, &t);
}

int rn_gather_write(const struct rn_weights *w, const char *path)
{
    return rn_weights_write(w, path, rn_format_safetensors.name);
}

static int gather_labels(struct rn_weights *w, const struct rn_model *m)
{
    if (!m->label)
        return 0;
    char *text = NULL;
    int status = 0;
    json_t *list = json_array();
    for (int i = 0; i < m->spec.classes && !status; i++)
        if (!(status = rn_text_check(m->label[i])) &&
            json_array_append_new(list, json_string(m->label[i])))
            status = rn_fail(RN_EMEM, "memory is short");
    if (!status && !(text = json_dumps(list, JSON_COMPACT)))
        status = rn_fail(RN_EMEM, "memory is short");
    if (!status)
        status = rn_gather_meta(w, "rn.labels", text);
    free(text);
    json_decref(list);
    return status;
}

static int channels(const struct rn_prep *prep)
{
    return prep->C < RN_CHANNELS_MAX ? prep->C : RN_CHANNELS_MAX;
}

enum { FLOATS_MAX = RN_CHANNELS_MAX * 16 + 1 }; /* "-1.17549435e-38," is 16 characters */

static void print_floats(char *text, const float *v, int n)
{
    *text = '\0';
    for (int i = 0; i < n; i++)
        text += sprintf(text, i ? ",%.9g" : "%.9g", v[i]);
}

static int gather_floats(struct rn_weights *w, const char *key, const float *v, int n)
{
    char text[FLOATS_MAX];
    print_floats(text, v, n);
    return rn_gather_meta(w, key, text);
}

static int gather_prep(struct rn_weights *w, const struct rn_prep *prep)
{
    char text[48];
    sprintf(text, "%dx%dx%d", prep->C, prep->H, prep->W);
    int status = rn_gather_meta(w, "rn.input", text);
    if (!status)
        status = gather_floats(w, "rn.mean", prep->mean, channels(prep));
    if (!status)
        status = gather_floats(w, "rn.std", prep->std, channels(prep));
    if (!status)
        status = rn_gather_meta(w, "rn.resize", prep->resize);
    return status;
}

int rn_gather_description(struct rn_weights *w, const struct rn_model *m)
{
    int status = rn_gather_meta(w, "rn.spec", m->text);
    if (!status)
        status = gather_labels(w, m);
    if (!status)
        status = gather_prep(w, &m->prep);
    if (!status && m->provenance)
        status = rn_gather_meta(w, "rn.provenance", m->provenance);
    return status;
}

int rn_gather_model(struct rn_weights *w, const struct rn_model *m)
{
    *w = (struct rn_weights){ 0 };
    int status = rn_gather_description(w, m);
    for (int i = 0; i < m->graph.params && !status; i++) {
        const struct rn_param *p = &m->graph.param[i];
        status = rn_gather_tensor(w, p->name, p->dtype, p->rank, p->dim, m->value[i]);
    }
    if (status)
        rn_gather_release(w);
    return status;
}

int rn_model_write(const struct rn_model *m, const char *path)
{
    struct rn_weights w;
    int status = rn_gather_model(&w, m);
    if (status)
        return status;
    status = rn_gather_write(&w, path);
    rn_gather_release(&w);
    return status;
}

/* ---- in: parameters ---- */

/* Dimensions from `first` on are the same. */
static bool same_shape(const struct rn_param *p, const struct rn_tensor *t, int first)
{
    if (t->rank != p->rank)
        return false;
    for (int d = first; d < p->rank; d++)
        if (t->dim[d] != (size_t)p->dim[d])
            return false;
    return true;
}

/* Are the parameters of p's node in w those of the same layer for another number of classes? */
static bool other_head(const struct rn_model *m, const struct rn_param *p,
                       const struct rn_weights *w)
{
    const struct rn_node *n = &m->graph.node[p->node];
    if (n->op != &rn_op_linear)
        return false;
    for (int i = 0; i < n->params; i++) {
        const struct rn_param *q = &m->graph.param[n->param + i];
        const struct rn_tensor *t = rn_weights_find(w, q->name);
        if (!t || !same_shape(q, t, 1) || same_shape(q, t, 0))
            return false;
    }
    return true;
}

void rn_tensor_shape(char text[RN_SHAPE_SIZE], const struct rn_tensor *t)
{
    strcpy(text, t->rank ? "" : "scalar");
    for (int d = 0; d < t->rank; d++)
        text += sprintf(text, d ? "x%zu" : "%zu", t->dim[d]);
}

void rn_param_shape(char text[RN_SHAPE_SIZE], const struct rn_param *p)
{
    struct rn_tensor t = { .rank = p->rank };
    for (int d = 0; d < p->rank; d++)
        t.dim[d] = (size_t)p->dim[d];
    rn_tensor_shape(text, &t);
}

static int fail_shape(const struct rn_param *p, const struct rn_tensor *t, const char *path)
{
    char have[RN_SHAPE_SIZE], need[RN_SHAPE_SIZE];
    rn_tensor_shape(have, t);
    rn_param_shape(need, p);
    return rn_fail(RN_EFORMAT, "%s: tensor %s is %s, the network's is %s", path, p->name, have,
                   need);
}

int rn_param_match(const struct rn_param *p, const struct rn_tensor *t, const char *path)
{
    if (!t)
        return rn_fail(RN_EFORMAT, "%s: no tensor %s in it", path, p->name);
    if (t->dtype != p->dtype && !(p->dtype == RN_F32 && rn_dtype_is_float(t->dtype)))
        return rn_fail(RN_EFORMAT, "%s: tensor %s is %s, the network's is %s", path, p->name,
                       rn_dtype_name(t->dtype), rn_dtype_name(p->dtype));
    if (!same_shape(p, t, 0))
        return fail_shape(p, t, path);
    return 0;
}

/* Tensors that a checkpoint has beside the model's. */
static bool beside(const char *name)
{
    return !strncmp(name, "optim.", 6) || !strncmp(name, "ema.", 4);
}

/* Has the network a place for every tensor? */
static int match_names(const struct rn_model *m, const struct rn_weights *w, const char *path)
{
    for (int i = 0; i < w->tensors; i++) {
        const char *name = w->tensor[i].name;
        if (!beside(name) && rn_graph_find(&m->graph, name) < 0)
            return rn_fail(RN_EFORMAT, "%s: tensor %s is none of the network %s", path, name,
                           m->text);
    }
    return 0;
}

int rn_model_fill(struct rn_model *m, const struct rn_weights *w, const char *path, bool *new_head)
{
    int status = match_names(m, w, path);
    if (status)
        return status;
    if (new_head)
        *new_head = false;
    for (int i = 0; i < m->graph.params; i++) {
        const struct rn_param *p = &m->graph.param[i];
        if (new_head && other_head(m, p, w)) {
            *new_head = true;
            continue;
        }
        const struct rn_tensor *t = rn_weights_find(w, p->name);
        if ((status = rn_param_match(p, t, path)))
            return status;
        if (t->dtype != p->dtype)
            rn_cast(m->value[i], p->dtype, t);
        else if (t->bytes)
            memcpy(m->value[i], t->data, t->bytes);
    }
    return 0;
}

/* Can a model's values lie where w has them? */
static bool usable(const struct rn_weights *w)
{
    for (int i = 0; i < w->tensors; i++)
        if ((rn_dtype_is_float(w->tensor[i].dtype) && w->tensor[i].dtype != RN_F32) ||
            (uintptr_t)w->tensor[i].data % rn_dtype_size(w->tensor[i].dtype))
            return false;
    return true;
}

/* Points the model's values at the tensors of w and takes its map over. */
static int borrow_values(struct rn_model *m, struct rn_weights *w, const char *path)
{
    int status = match_names(m, w, path);
    for (int i = 0; i < m->graph.params && !status; i++) {
        const struct rn_tensor *t = rn_weights_find(w, m->graph.param[i].name);
        if (!(status = rn_param_match(&m->graph.param[i], t, path)))
            m->value[i] = (void *)(uintptr_t)t->data;
    }
    for (int i = 0; i < w->tensors && !status; i++)
        if (beside(w->tensor[i].name) && !rn_hash_holds(w, i))
            status = rn_hash_fail(w, i, path);
    if (!status) {
        m->map = w->map;
        w->map = (struct rn_map){ 0 };
    }
    return status;
}

static int copy_values(struct rn_model *m, const struct rn_weights *w, const char *path)
{
    int status = rn_model_allocate(m);
    return status ? status : rn_model_fill(m, w, path, NULL);
}

/* ---- in: metadata ---- */

static int fail_key(const char *path, const char *key, const char *value, const char *need)
{
    return rn_fail(RN_EFORMAT, "%s: %s is \"%s\", not %s", path, key, value, need);
}

static int need_key(const char **value, const struct rn_weights *w, const char *key,
                    const char *path)
{
    *value = rn_weights_meta(w, key);
    return *value ? 0 : rn_fail(RN_EFORMAT, "%s: no %s in it", path, key);
}

/* Accepted is what would be printed. */
static int read_input(int dim[3], const struct rn_weights *w, const char *path)
{
    const char *text;
    char again[48] = "";
    int status = need_key(&text, w, "rn.input", path);
    if (status)
        return status;
    if (sscanf(text, "%9dx%9dx%9d", &dim[0], &dim[1], &dim[2]) == 3)
        sprintf(again, "%dx%dx%d", dim[0], dim[1], dim[2]);
    if (strcmp(text, again) || dim[0] < 1 || dim[1] < 1 || dim[2] < 1)
        return fail_key(path, "rn.input", text, "CHANNELSxROWSxCOLUMNS");
    return 0;
}

static int read_floats(float *v, int n, bool positive, const struct rn_weights *w, const char *key,
                       const char *path)
{
    const char *text;
    int status = need_key(&text, w, key, path);
    if (status)
        return status;
    char *p = (char *)text;
    bool good = strspn(text, "0123456789.,+-e") == strlen(text); /* no space, nan, inf, hex */
    for (int i = 0; i < n && good; i++) {
        const char *number = p;
        v[i] = strtof(number, &p);
        good = p > number && isfinite(v[i]) && (v[i] > 0 || !positive) &&
               *p == (i + 1 < n ? ',' : '\0');
        p++;
    }
    if (good)
        return 0;
    return fail_key(path, key, text,
                    positive ? "a positive number for each channel, between commas"
                             : "a number for each channel, between commas");
}

static int read_prep(struct rn_prep *prep, const struct rn_weights *w, const char *path)
{
    const char *resize;
    int shorter, crop;
    int status = read_floats(prep->mean, channels(prep), false, w, "rn.mean", path);
    if (!status)
        status = read_floats(prep->std, channels(prep), true, w, "rn.std", path);
    if (!status)
        status = need_key(&resize, w, "rn.resize", path);
    if (status)
        return status;
    if (!rn_resize_parse(resize, &shorter, &crop))
        return fail_key(path, "rn.resize", resize,
                        "squash or short=N,crop=M, N and M from 1 to 8192");
    if (crop && (prep->H != crop || prep->W != crop))
        return rn_fail(RN_EFORMAT, "%s: rn.resize is \"%s\", but rn.input is %dx%dx%d", path,
                       resize, prep->C, prep->H, prep->W);
    strcpy(prep->resize, resize);
    return 0;
}

static int set_labels(struct rn_model *m, const json_t *list, const char *path)
{
    int n = m->spec.classes, status = 0;
    bool good = json_is_array(list) && json_array_size(list) == (size_t)n;
    char **label = rn_alloc(n, sizeof(*label));
    if (!label)
        return RN_EMEM;
    for (int i = 0; i < n && good; i++) {
        label[i] = (char *)json_string_value(json_array_get(list, i));
        good = label[i];
    }
    if (good)
        status = rn_model_set_labels(m, label);
    else
        status = rn_fail(RN_EFORMAT, "%s: rn.labels is no JSON array of %d strings", path, n);
    rn_free(label);
    return status;
}

static int read_labels(struct rn_model *m, const struct rn_weights *w, const char *path)
{
    const char *text = rn_weights_meta(w, "rn.labels");
    if (!text)
        return 0;
    json_t *list = json_loads(text, 0, NULL);
    int status = set_labels(m, list, path);
    json_decref(list);
    return status;
}

static int read_provenance(struct rn_model *m, const struct rn_weights *w, const char *path)
{
    const char *text = rn_weights_meta(w, "rn.provenance");
    if (!text)
        return 0;
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    bool good = json_is_object(object);
    json_decref(object);
    if (!good)
        return rn_fail(RN_EFORMAT, "%s: rn.provenance is no JSON object", path);
    return rn_model_set_provenance(m, text);
}

static int new_model(struct rn_model **out, const struct rn_weights *w, const char *path)
{
    int dim[3];
    const char *spec = rn_weights_meta(w, "rn.spec");
    if (!spec)
        return rn_fail(RN_EFORMAT,
                       "%s: no rn.spec in it: convert it with rn-convert -a SPEC --labels FILE "
                       "--mean M --std S",
                       path);
    int status = read_input(dim, w, path);
    if (!status)
        status = rn_model_plan(out, spec, dim[0], dim[1], dim[2], 0);
    if (status == RN_EUSAGE)
        status = rn_fail(RN_EFORMAT, "%s: rn.spec: %s", path, rn_error());
    return status;
}

int rn_model_described(struct rn_model **out, const struct rn_weights *w, const char *path)
{
    struct rn_model *m = NULL;
    *out = NULL;
    int status = new_model(&m, w, path);
    if (!status)
        status = read_prep(&m->prep, w, path);
    if (!status)
        status = read_labels(m, w, path);
    if (!status)
        status = read_provenance(m, w, path);
    if (status)
        rn_model_free(m);
    else
        *out = m;
    return status;
}

/* `status` of a model that is given back unless it is 0. */
static int finish(struct rn_model **m, int status)
{
    if (status) {
        rn_model_free(*m);
        *m = NULL;
    }
    return status;
}

int rn_model_from_weights(struct rn_model **out, const struct rn_weights *w, const char *path)
{
    int status = rn_model_described(out, w, path);
    return status ? status : finish(out, copy_values(*out, w, path));
}

int rn_model_borrow(struct rn_model **out, struct rn_weights *w, const char *path)
{
    int status = rn_model_described(out, w, path);
    if (status)
        return status;
    return finish(out, usable(w) ? borrow_values(*out, w, path) : copy_values(*out, w, path));
}

int rn_model_open(struct rn_model **out, const char *path)
{
    struct rn_weights *w;
    *out = NULL;
    int status = rn_weights_open(&w, path);
    if (status)
        return status;
    status = rn_model_from_weights(out, w, path);
    rn_weights_close(w);
    return status;
}
