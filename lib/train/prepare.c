/* Opening a training run: data, model, provenance. */
#include "train/prepare.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "base/err.h"
#include "base/file.h"
#include "base/prep.h"
#include "train/provenance.h"
#include "weights/modelfile.h"

/* Do two paths name one file, there or yet to be? */
static bool same_file(const char *a, const char *b)
{
    struct stat x, y;

    if (!a || !b)
        return false;
    if (stat(a, &x) || stat(b, &y))
        return !strcmp(a, b);
    return S_ISREG(x.st_mode) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* What is written may not be what is read, nor the log the model. */
static int check_files(const struct rn_train_config *c)
{
    const char *read[] = { c->data, c->val, c->labels };

    if (!*c->output)
        return rn_fail(RN_EUSAGE, "-o: the model file has no name");
    for (int i = 0; i < 3; i++)
        if (same_file(c->output, read[i]) || same_file(c->log_path, read[i]))
            return rn_fail(RN_EUSAGE, "%s: is read and would be overwritten", read[i]);
    if (same_file(c->log_path, c->output) || same_file(c->log_path, c->weights))
        return rn_fail(RN_EUSAGE, "%s: is a model and can't be the log too", c->log_path);
    return 0;
}

/* A crop is the input: no other size goes with it. */
static int check_resize(const struct rn_train_config *c)
{
    int shorter, crop;

    if (!c->resize)
        return 0;
    if (!rn_resize_parse(c->resize, &shorter, &crop))
        return rn_fail(
            RN_EUSAGE,
            "--resize: \"%s\": takes squash, or short=N,crop=M with N and M from 1 to %d",
            c->resize, RN_SIDE_MAX);
    if (crop && c->H && (c->H != crop || c->W != crop))
        return rn_fail(RN_EUSAGE, "--resize %s gives %dx%d, not --size %dx%d", c->resize, crop,
                       crop, c->H, c->W);
    return 0;
}

static int check(const struct rn_train_config *c)
{
    if (c->resume && c->force)
        return rn_fail(RN_EUSAGE, "--resume goes on, -f starts over: give one of them");
    if (!c->arch && !c->weights)
        return rn_fail(RN_EUSAGE, "no network: give -a SPEC, or --weights FILE");
    if (c->nesterov && c->momentum == 0)
        return rn_fail(RN_EUSAGE, "--nesterov needs --momentum");
    if (c->decay_weights_only && c->weight_decay == 0)
        return rn_fail(RN_EUSAGE, "--decay-weights-only needs --weight-decay");
    if (c->milestones && c->sched != RN_SCHED_STEP)
        return rn_fail(RN_EUSAGE, "--milestones are for --sched step");
    if (!c->milestones && c->sched == RN_SCHED_STEP)
        return rn_fail(RN_EUSAGE, "--sched step needs --milestones");
    if (!(c->smoothing >= 0 && c->smoothing <= 1))
        return rn_fail(RN_EUSAGE, "--label-smoothing %.9g: takes a share from 0 to 1",
                       c->smoothing);
    if (c->prefetch < 0)
        return rn_fail(RN_EUSAGE, "--prefetch %d: takes batches, from 0", c->prefetch);
    if (!(c->drop_path >= 0 && c->drop_path < 1))
        return rn_fail(RN_EUSAGE, "--drop-path %.9g: takes a rate from 0 to below 1", c->drop_path);
    if (c->zero_residual && c->weights)
        return rn_fail(RN_EUSAGE, "--zero-init-residual is for a random start, not for --weights");
    if (c->batch < 1 || c->epochs < 1 || c->threads < 1)
        return rn_fail(RN_EUSAGE, "batch size, epochs and threads start at 1");
    return check_resize(c);
}

/* Fails before any work when the output's folder can't be written. */
static int check_output(const char *path)
{
    struct rn_writer *w;
    int status = rn_writer_open(&w, path);

    if (!status)
        rn_writer_abort(w);
    return status;
}

/* ---- data ---- */

/* Class names of a file are read once, for the training data: these are counted in their order. */
static int open_val(struct rn_job *job, const struct rn_train_config *c)
{
    enum rn_part part = c->val ? RN_PART_DEFAULT : RN_PART_TEST;
    const char *path = c->val ? c->val : c->data;

    if (!c->val && !rn_source_has_part(c->data, RN_PART_TEST))
        return 0;
    int status = rn_source_open_labelled(&job->val, path, part, RN_PART_TEST, NULL);
    if (status)
        return status;
    if (!rn_source_classes(job->val) || rn_source_count(job->val) < 1 || !job->val->random)
        return rn_fail(RN_EUSAGE, "%s: validation takes pictures with labels, from a file", path);
    return 0;
}

static int open_data(struct rn_job *job, const struct rn_train_config *c)
{
    if (!strcmp(c->data, "-"))
        return rn_fail(RN_EUSAGE, "-: every epoch reads the pictures again, in another order: "
                                  "training takes a file or a folder");
    int status =
        rn_source_open_labelled(&job->data, c->data, RN_PART_DEFAULT, RN_PART_TRAIN, c->labels);

    if (status)
        return status;
    if (!rn_source_classes(job->data))
        return rn_fail(RN_EUSAGE, "%s: pictures without labels: nothing to learn", c->data);
    if (rn_source_count(job->data) < 1)
        return rn_fail(RN_EUSAGE, "%s: no pictures", c->data);
    return open_val(job, c);
}

int rn_source_bind(struct rn_source *s, const struct rn_model *m)
{
    return rn_source_match(s, m->label, m->spec.classes);
}

/* ---- model ---- */

/* How pictures are resized: given, else as with the weights that the model starts from. */
static const char *resize_words(const struct rn_train_config *c, const struct rn_prep *from)
{
    return c->resize ? c->resize : from && !c->H ? from->resize : "squash";
}

/* Takes the words over; the network must take what a crop gives. */
static int set_resize(struct rn_prep *p, const char *words, int crop)
{
    snprintf(p->resize, sizeof p->resize, "%s", words);
    if (crop && (p->H != crop || p->W != crop))
        return rn_fail(RN_EUSAGE, "--resize %s gives %dx%d, the network takes %dx%d", words, crop,
                       crop, p->H, p->W);
    return 0;
}

/* The network for the data: its channels, size and classes, unless the spec says its own. `from`:
 * the preprocessing that came with weights, or NULL. */
static int new_model(struct rn_job *job, const struct rn_train_config *c, const char *spec,
                     const struct rn_prep *from)
{
    const char *resize = resize_words(c, from);
    int shorter, crop, C, H, W, classes = rn_source_classes(job->data), status;

    rn_source_shape(job->data, &C, &H, &W);
    if (rn_resize_parse(resize, &shorter, &crop) && crop)
        H = W = crop;
    if (rn_spec_sets(spec, "in"))
        C = 0;
    if (c->arch && rn_spec_sets(spec, "classes"))
        classes = 0;
    status = rn_model_new(&job->model, spec, C, c->H ? c->H : H, c->W ? c->W : W, classes);
    if (!status && rn_model_classes(job->model) != rn_source_classes(job->data))
        status = rn_fail(RN_EUSAGE, "%s: has %d classes, the data have %d", spec,
                         rn_model_classes(job->model), rn_source_classes(job->data));
    return status ? status : set_resize(&job->model->prep, resize, crop);
}

/* mean and std: given, else those that came with the weights, else 0 and 1. */
static int set_prep(struct rn_prep *p, const struct rn_train_config *c, const struct rn_prep *from)
{
    if (from) {
        memcpy(p->mean, from->mean, sizeof p->mean);
        memcpy(p->std, from->std, sizeof p->std);
    }
    if ((c->means > 1 && c->means != p->C) || (c->stds > 1 && c->stds != p->C))
        return rn_fail(RN_EUSAGE, "--mean and --std take one value, or one for each of %d channels",
                       p->C);
    for (int i = 0; i < p->C && i < RN_CHANNELS_MAX; i++) {
        if (c->means)
            p->mean[i] = c->mean[c->means > 1 ? i : 0];
        if (c->stds)
            p->std[i] = c->std[c->stds > 1 ? i : 0];
    }
    return 0;
}

static int set_labels(struct rn_job *job)
{
    return rn_model_set_labels(job->model, job->data->class);
}

static int random_model(struct rn_job *job, const struct rn_train_config *c)
{
    int status = new_model(job, c, c->arch, NULL);

    if (!status)
        rn_model_init(job->model, c->init, c->seed);
    if (!status && c->zero_residual && !rn_model_zero_residual(job->model))
        status = rn_fail(RN_EUSAGE,
                         "%s: --zero-init-residual: no residual block ends in batch norm or a "
                         "convolution",
                         rn_model_spec(job->model));
    return status ? status : set_prep(&job->model->prep, c, NULL);
}

/* From a weight file: one with rn.spec brings its network and preprocessing, another only tensors
 * for -a. */
static int model_from(struct rn_job *job, const struct rn_train_config *c,
                      const struct rn_hooks *hooks)
{
    struct rn_weights *w = NULL;
    struct rn_model *from = NULL;
    bool new_head = false;
    int status = rn_weights_open(&w, c->weights);

    if (!status && (!c->arch || rn_weights_meta(w, "rn.spec")))
        status = rn_model_from_weights(&from, w, c->weights);
    if (!status)
        status = new_model(job, c, c->arch ? c->arch : rn_model_spec(from),
                           from ? rn_model_prep(from) : NULL);
    if (!status)
        status = set_prep(&job->model->prep, c, from ? rn_model_prep(from) : NULL);
    if (!status) {
        rn_model_init(job->model, c->init, c->seed);
        status = rn_model_fill(job->model, w, c->weights, &new_head);
    }
    if (!status && new_head && hooks->warn) {
        char text[256];
        snprintf(text, sizeof text, "%s: its classifier is for other classes: made anew for %d",
                 c->weights, rn_model_classes(job->model));
        hooks->warn(hooks->arg, text);
    }
    rn_model_free(from);
    rn_weights_close(w);
    return status;
}

/* ---- provenance ---- */

static uint64_t hash_values(const struct rn_model *m)
{
    uint64_t h = 0;
    for (int i = 0; i < m->graph.params; i++)
        if (m->graph.param[i].dtype == RN_F32)
            h = XXH3_64bits_withSeed(m->value[i],
                                     rn_param_count(&m->graph.param[i]) * sizeof(float), h);
    return h;
}

static int set_provenance(struct rn_job *job, const struct rn_train_config *c)
{
    char *json = NULL;
    uint64_t weights = c->weights ? hash_values(job->model) : 0;
    int status = rn_provenance_make(&json, c, job->model, rn_source_hash(job->data), weights);

    if (!status)
        status = rn_model_set_provenance(job->model, json);
    rn_free(json);
    return status;
}

int rn_job_open(struct rn_job *job, const struct rn_train_config *c, const struct rn_hooks *hooks)
{
    int status = check(c);

    status = status ? status : check_files(c);
    status = status ? status : open_data(job, c);
    status = status ? status : c->weights ? model_from(job, c, hooks) : random_model(job, c);
    status = status ? status : set_labels(job);
    status = status ? status : rn_source_bind(job->data, job->model);
    if (job->val)
        status = status ? status : rn_source_bind(job->val, job->model);
    status = status ? status : set_provenance(job, c);
    return status ? status : check_output(c->output);
}

void rn_job_close(struct rn_job *job)
{
    rn_source_close(job->data);
    rn_source_close(job->val);
    rn_model_free(job->model);
}
