/* Making and comparing provenance objects. */
#include "train/provenance.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h> /* free */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

static json_t *hash_json(uint64_t h)
{
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, h);
    return json_string(text);
}

/* A string: JSON numbers are not sure to hold 64 bits. */
static json_t *seed_json(uint64_t seed)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, seed);
    return json_string(text);
}

static json_t *floats_json(const float *v, int n)
{
    json_t *list = json_array();
    char text[32];

    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%.9g", v[i]);
        json_array_append_new(list, json_string(text));
    }
    return list;
}

static json_t *milestones_json(const struct rn_train_config *c)
{
    json_t *list = json_array();
    for (int i = 0; i < c->milestones; i++)
        json_array_append_new(list, json_integer(c->milestone[i]));
    return list;
}

static void set_rates(json_t *o, const struct rn_train_config *c)
{
    json_object_set_new(o, "lr", json_real(c->lr));
    json_object_set_new(o, "momentum", json_real(c->momentum));
    json_object_set_new(o, "nesterov", json_boolean(c->nesterov));
    json_object_set_new(o, "weight-decay", json_real(c->weight_decay));
    if (c->decay_weights_only)
        json_object_set_new(o, "decay-weights-only", json_true());
    if (c->smoothing > 0)
        json_object_set_new(o, "label-smoothing", json_real(c->smoothing));
    json_object_set_new(o, "sched", json_string(rn_schedule_names[c->sched]));
    json_object_set_new(o, "warmup-epochs", json_real(c->warmup_epochs));
    if (c->sched == RN_SCHED_STEP) {
        json_object_set_new(o, "milestones", milestones_json(c));
        json_object_set_new(o, "gamma", json_real(c->gamma));
    }
}

static void set_data(json_t *o, const struct rn_train_config *c, const struct rn_model *m,
                     uint64_t data)
{
    char size[32];
    int channels = m->prep.C < RN_CHANNELS_MAX ? m->prep.C : RN_CHANNELS_MAX;

    snprintf(size, sizeof size, "%dx%d", m->prep.H, m->prep.W);
    json_object_set_new(o, "data", hash_json(data));
    json_object_set_new(o, "size", json_string(size));
    json_object_set_new(o, "resize", json_string(m->prep.resize));
    json_object_set_new(o, "mean", floats_json(m->prep.mean, channels));
    json_object_set_new(o, "std", floats_json(m->prep.std, channels));
    json_object_set_new(o, "flip",
                        c->flip == RN_FLIP_ALTERNATING ? json_string("alternating")
                                                       : json_boolean(c->flip));
    json_object_set_new(o, "crop", json_integer(c->crop));
    json_object_set_new(o, "resized-crop", json_real(c->area));
}

int rn_provenance_make(char **json, const struct rn_train_config *c, const struct rn_model *m,
                       uint64_t data, uint64_t weights)
{
    enum rn_init init = c->init ? c->init : m->spec.variant->family->init;
    json_t *o = json_object();

    json_object_set_new(o, "version", json_string(RN_VERSION));
    json_object_set_new(o, "arch", json_string(m->text));
    if (weights)
        json_object_set_new(o, "weights", hash_json(weights));
    json_object_set_new(o, "init", json_string(rn_init_names[init]));
    if (c->zero_residual)
        json_object_set_new(o, "zero-init-residual", json_true());
    if (c->drop_path > 0)
        json_object_set_new(o, "drop-path", json_real(c->drop_path));
    json_object_set_new(o, "seed", seed_json(c->seed));
    json_object_set_new(o, "batch-size", json_integer(c->batch));
    json_object_set_new(o, "epochs", json_integer(c->epochs));
    json_object_set_new(o, "steps", json_integer(c->steps));
    set_rates(o, c);
    set_data(o, c, m, data);
    char *text = json_dumps(o, JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(o);
    *json = text ? rn_strdup(text) : NULL;
    free(text);
    return *json ? 0 : rn_fail(RN_EMEM, "no memory for the provenance");
}

/* ---- comparing ---- */

/* Appends "KEY VALUE" for a key whose value in `theirs` is another than in `ours`. */
static void differ(char *list, size_t size, const char *key, const json_t *value)
{
    char *text =
        value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    size_t n = strlen(list);

    snprintf(list + n, size - n, "%s%s %s", n ? ", " : "", key, text ? text : "(unset)");
    free(text);
}

int rn_provenance_compare(const char *ours, const char *theirs, const char *path)
{
    json_t *a = json_loads(ours, 0, NULL), *b = theirs ? json_loads(theirs, 0, NULL) : NULL;
    char list[400] = "";
    const char *key;
    json_t *value;
    int status = 0;

    if (!a || !json_is_object(b))
        status = rn_fail(RN_EFORMAT, "%s: its rn.provenance is missing or no JSON object", path);
    else {
        json_object_foreach(a, key, value) if (!json_equal(value, json_object_get(b, key)))
            differ(list, sizeof list, key, json_object_get(b, key));
        json_object_foreach(b, key, value) if (!json_object_get(a, key))
            differ(list, sizeof list, key, value);
        if (*list)
            status = rn_fail(RN_EUSAGE, "%s: was made with other settings: %s", path, list);
    }
    json_decref(a);
    json_decref(b);
    return status;
}
