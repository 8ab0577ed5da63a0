/* Writing and reading checkpoints. Numbers that must come back exactly are hexadecimal floats. */
#include "train/checkpoint.h"

#include <float.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h> /* strtod */
#include <string.h>

#include "base/err.h"
#include "kernels/kernels.h"
#include "train/provenance.h"
#include "weights/modelfile.h"

static void velocity_name(char *name, size_t size, const struct rn_param *p)
{
    snprintf(name, size, "optim.momentum.%s", p->name);
}

/* ---- writing ---- */

static int add_velocities(struct rn_weights *w, const struct rn_trainer *t)
{
    const struct rn_graph *g = &t->model->graph;
    char name[RN_NAME_MAX + 32];
    int status = 0;

    for (int i = 0; i < g->params && !status; i++) {
        const struct rn_param *p = &g->param[i];
        if (!p->trained)
            continue;
        velocity_name(name, sizeof name, p);
        status = rn_gather_tensor(w, name, RN_F32, p->rank, p->dim, t->velocity[i]);
    }
    return status;
}

static int __attribute__((format(printf, 3, 4)))
add_meta(struct rn_weights *w, const char *key, const char *fmt, ...)
{
    char text[64];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return rn_gather_meta(w, key, text);
}

static int add_position(struct rn_weights *w, const struct rn_trainer *t,
                        const struct rn_position *at)
{
    int status = 0;

    status = status ? status : add_meta(w, "rn.train.epoch", "%d", at->epoch);
    status = status ? status : add_meta(w, "rn.train.batch", "%ld", at->batch);
    status = status ? status : add_meta(w, "rn.train.step", "%ld", at->step);
    status = status ? status : add_meta(w, "rn.train.loss", "%a", at->loss);
    status = status ? status : add_meta(w, "rn.train.pictures", "%ld", at->pictures);
    status = status ? status : add_meta(w, "rn.train.seconds", "%a", at->seconds);
    status = status ? status : add_meta(w, "rn.train.val", "%016" PRIx64, at->val);
    return status ? status : add_meta(w, "rn.train.isa", "%s", t->k->isa);
}

int rn_checkpoint_write(const char *path, const struct rn_trainer *t, const struct rn_position *at)
{
    struct rn_weights w = { 0 };
    int status = rn_gather_model(&w, t->model);

    status = status ? status : add_velocities(&w, t);
    status = status ? status : add_position(&w, t, at);
    status = status ? status : rn_gather_write(&w, path);
    rn_gather_release(&w);
    return status;
}

/* ---- reading ---- */

/* A number under key, from 0 to max, to its last character. */
static int read_number(const struct rn_weights *w, const char *path, const char *key, double max,
                       double *out)
{
    const char *text = rn_weights_meta(w, key);
    char *end;

    if (!text)
        return rn_fail(RN_EFORMAT, "%s: no %s in it: not a checkpoint", path, key);
    *out = strtod(text, &end);
    if (end == text || *end || !(*out >= 0 && *out <= max))
        return rn_fail(RN_EFORMAT, "%s: %s is \"%s\"", path, key, text);
    return 0;
}

/* The columns of a log tell of one set of validation data. */
static int check_val(const struct rn_weights *w, const char *path, uint64_t val)
{
    const char *text = rn_weights_meta(w, "rn.train.val");
    char ours[17];

    snprintf(ours, sizeof ours, "%016" PRIx64, val);
    if (text && !strcmp(text, ours))
        return 0;
    return rn_fail(RN_EUSAGE, "%s: was made with other validation data", path);
}

static int read_position(const struct rn_weights *w, const char *path, struct rn_position *at)
{
    static const char *const key[] = { "epoch", "batch", "step", "loss", "pictures", "seconds" };
    static const double max[] = { 1 << 24, 1e15, 1e15, DBL_MAX, 1e15, DBL_MAX };
    double v[6];

    for (int i = 0; i < 6; i++) {
        char name[32];
        snprintf(name, sizeof name, "rn.train.%s", key[i]);
        int status = read_number(w, path, name, max[i], &v[i]);
        if (status)
            return status;
    }
    *at =
        (struct rn_position){ (int)v[0], (long)v[1], (long)v[2], v[3], (long)v[4], v[5], at->val };
    return (at->batch > 0) == (at->pictures > 0)
               ? 0
               : rn_fail(RN_EFORMAT, "%s: %ld pictures in %ld batches", path, at->pictures,
                         at->batch);
}

static int read_velocities(const struct rn_weights *w, const char *path, struct rn_trainer *t)
{
    const struct rn_graph *g = &t->model->graph;
    char name[RN_NAME_MAX + 32];

    for (int i = 0; i < g->params; i++) {
        const struct rn_param *p = &g->param[i];
        if (!p->trained)
            continue;
        velocity_name(name, sizeof name, p);
        const struct rn_tensor *v = rn_weights_find(w, name);
        if (!v || v->dtype != RN_F32 || v->bytes != rn_param_count(p) * sizeof(float))
            return rn_fail(RN_EFORMAT, "%s: tensor %s is missing or of another shape", path, name);
        memcpy(t->velocity[i], v->data, v->bytes);
    }
    return 0;
}

int rn_checkpoint_read(const char *path, struct rn_trainer *t, struct rn_position *at,
                       char other_isa[32])
{
    struct rn_weights *w = NULL;
    int status = rn_weights_open(&w, path);

    if (!status)
        status =
            rn_provenance_compare(t->model->provenance, rn_weights_meta(w, "rn.provenance"), path);
    if (!status)
        status = check_val(w, path, at->val);
    if (!status)
        status = rn_model_fill(t->model, w, path, NULL);
    if (!status)
        status = read_velocities(w, path, t);
    if (!status)
        status = read_position(w, path, at);
    if (!status) {
        const char *isa = rn_weights_meta(w, "rn.train.isa");
        bool same = isa && !strcmp(isa, t->k->isa);
        snprintf(other_isa, 32, "%s", same ? "" : isa ? isa : "another");
    }
    rn_weights_close(w);
    return status;
}
