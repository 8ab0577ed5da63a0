/*
 * The training loop: batch, forward, loss, backward, step; at the end of an epoch evaluation, a log
 * row, a checkpoint. A run is prepared from its configuration, perhaps taken up from a checkpoint,
 * and ends with the model file.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h> /* unlink, access */

#include "base/err.h"
#include "base/file.h"
#include "data/loader.h"
#include "train/checkpoint.h"
#include "train/drop.h"
#include "train/log.h"
#include "train/prepare.h"
#include "train/provenance.h"
#include "train/schedule.h"
#include "weights/format.h"

enum { KEEP_BYTES = 256 << 20 }; /* of decoded pictures, for training, for validation */

struct run {
    const struct rn_train_config *c;
    const struct rn_hooks *hooks;
    struct rn_job job; /* data and model */
    struct rn_trainer *trainer;
    struct rn_loader *loader, *val_loader;
    struct rn_log log;
    struct rn_position at;
    char *checkpoint;   /* path */
    long epoch_steps;   /* batches of an epoch */
    long total;         /* steps of the run */
    double begun;       /* rn_seconds() when this process took the run up, */
    double before;      /* seconds the run had taken by then */
    double fast_from;   /* rn_seconds() when this epoch's training began here, */
    long fast_pictures; /* pictures trained on since */
    uint8_t *broken;    /* [pictures], a bit where one was found broken; of them: */
    long broken_count;
    long val_broken; /* of the validation data */
    bool val_named;  /* those have been named */
};

void rn_train_defaults(struct rn_train_config *c)
{
    *c = (struct rn_train_config){
        .log = stdout, .batch = 128, .epochs = 10, .lr = 0.1, .gamma = 0.1, .seed = 1, .prefetch = 2
    };
}

static bool stopped(const struct run *r)
{
    return r->hooks->stop && *r->hooks->stop;
}

static void warn(const struct run *r, const char *sentence)
{
    if (r->hooks->warn)
        r->hooks->warn(r->hooks->arg, sentence);
}

static double elapsed(const struct run *r)
{
    return r->before + rn_seconds() - r->begun;
}

/* ---- checkpoints ---- */

/* What is written must be a model: a step may break it though the loss before it was finite. */
static int check_finite(const struct run *r)
{
    const struct rn_graph *g = &r->job.model->graph;

    for (int i = 0; i < g->params; i++) {
        const float *v = r->job.model->value[i];
        for (size_t j = 0; g->param[i].dtype == RN_F32 && j < rn_param_count(&g->param[i]); j++)
            if (!isfinite(v[j]))
                return rn_fail(RN_EDIVERGE, "%s is not finite after step %ld: diverged",
                               g->param[i].name, r->at.step);
    }
    return 0;
}

static int save(struct run *r)
{
    int status = check_finite(r);

    r->at.seconds = elapsed(r);
    return status ? status : rn_checkpoint_write(r->checkpoint, r->trainer, &r->at);
}

static int save_and_stop(struct run *r)
{
    int status = save(r);
    return status ? status
                  : rn_fail(RN_ESTOP,
                            "stopped at step %ld of %ld; %s holds it, run again with --resume",
                            r->at.step, r->total, r->checkpoint);
}

static int take_up(struct run *r)
{
    char isa[32], text[128];
    int status = rn_checkpoint_read(r->checkpoint, r->trainer, &r->at, isa);

    if (!status && (r->at.epoch >= r->c->epochs || r->at.batch > r->epoch_steps ||
                    r->at.step != r->at.epoch * r->epoch_steps + r->at.batch))
        status = rn_fail(RN_EFORMAT, "%s: step %ld is not batch %ld of epoch %d", r->checkpoint,
                         r->at.step, r->at.batch, r->at.epoch + 1);
    if (!status && isa[0]) {
        snprintf(text, sizeof text, "resumes with %s what began with %s: last bits will differ",
                 rn_isa_name(), isa);
        warn(r, text);
    }
    r->before = r->at.seconds;
    return status;
}

/* Is the output there already, made by this very run? */
static bool complete(const struct run *r)
{
    struct rn_weights *w = NULL;
    const char *theirs;
    bool same = !access(r->c->output, F_OK) && !rn_weights_open(&w, r->c->output) &&
                (theirs = rn_weights_meta(w, "rn.provenance")) &&
                !strcmp(theirs, rn_model_provenance(r->job.model));

    rn_weights_close(w);
    return same;
}

/* ---- an epoch ---- */

static void report(struct run *r, double loss, bool evaluating)
{
    double seconds = rn_seconds() - r->fast_from;
    struct rn_progress p = { .epoch = r->at.epoch + 1,
                             .epochs = r->c->epochs,
                             .step = r->at.batch,
                             .steps = r->epoch_steps,
                             .loss = loss,
                             .images_per_s = seconds > 0 ? (double)r->fast_pictures / seconds : 0,
                             .evaluating = evaluating };
    if (r->hooks->progress)
        r->hooks->progress(r->hooks->arg, &p);
}

/* Broken pictures leave the batch; each is named when it is met for the first time. */
static void leave_out(struct run *r, struct rn_batch *b)
{
    for (int i = 0; i < b->n; i++) {
        uint8_t *byte = &r->broken[b->index[i] / 8], bit = (uint8_t)(1 << b->index[i] % 8);
        if (!b->error[i] || *byte & bit)
            continue;
        *byte |= bit;
        r->broken_count++;
        warn(r, b->error[i]);
    }
    rn_loader_compact(r->loader, b);
}

static int train_batch(struct run *r, struct rn_batch *b)
{
    const struct rn_train_config *c = r->c;
    struct rn_sgd sgd = { rn_schedule_lr(c, r->at.step, r->total, r->epoch_steps), c->momentum,
                          c->weight_decay, c->nesterov, c->decay_weights_only };
    leave_out(r, b);
    for (int i = 0; i < b->n; i++)
        if (b->label[i] < 0)
            return rn_fail(RN_EFORMAT, "%s: has no label", b->name[i]);
    if (c->drop_path > 0)
        rn_drop_draw(r->trainer, c->seed, r->at.epoch, b->index, b->n);
    double loss = b->n ? rn_trainer_run(r->trainer, b->x, b->label, b->n, &sgd) : 0;

    r->at.step++;
    r->at.batch++;
    if (!b->n) /* a step without pictures moves nothing */
        return 0;
    if (!isfinite(loss))
        return rn_fail(RN_EDIVERGE, "the loss is not finite at step %ld (epoch %d): diverged",
                       r->at.step, r->at.epoch + 1);
    r->at.loss += loss * b->n;
    r->at.pictures += b->n;
    r->fast_pictures += b->n;
    report(r, r->at.loss / (double)r->at.pictures, false);
    return c->save_every && r->at.step % c->save_every == 0 ? save(r) : 0;
}

static int train_epoch(struct run *r)
{
    struct rn_batch b;
    int status = 0;

    r->fast_from = rn_seconds();
    r->fast_pictures = 0;
    rn_loader_start(r->loader, r->at.epoch, r->at.batch);
    while (!status && r->at.step < r->total) {
        if (stopped(r))
            return save_and_stop(r);
        if ((status = rn_loader_next(r->loader, &b)) || !b.n)
            break;
        status = train_batch(r, &b);
    }
    return status;
}

/* Validates the model as rn-infer will run it. */
static int validate(struct run *r, struct rn_log_row *row)
{
    struct rn_session *s = NULL;
    struct rn_metrics m;
    int status;

    if (!r->val_loader)
        return 0;
    report(r, row->train_loss, true);
    if ((status = rn_session_new(&s, r->job.model, r->c->batch, r->c->threads)))
        return status;
    struct rn_hooks hooks = *r->hooks;
    hooks.warn = r->val_named ? NULL : hooks.warn;
    rn_loader_start(r->val_loader, 0, 0);
    status = rn_evaluate(s, r->val_loader, rn_model_classes(r->job.model), &hooks, &m);
    rn_session_free(s);
    if (status)
        return status == RN_ESTOP ? save_and_stop(r) : status;
    r->val_named = true;
    r->val_broken = m.broken;
    if (m.broken == m.n)
        return rn_fail(RN_EFORMAT, "none of the %ld validation pictures can be decoded", m.n);
    if (!isfinite(m.loss))
        return rn_fail(RN_EDIVERGE, "the validation loss is not finite at step %ld: diverged",
                       r->at.step);
    row->validated = true;
    row->val_loss = m.loss / (double)(m.n - m.broken);
    row->val_acc = (double)m.top1 / (double)m.n;
    return 0;
}

/* Evaluation and the log row; then the run stands at the start of the next epoch. */
static int finish_epoch(struct run *r)
{
    double seconds = rn_seconds() - r->fast_from;
    struct rn_log_row row = {
        .epoch = r->at.epoch + 1,
        .step = r->at.step,
        .train_loss = r->at.loss / (double)r->at.pictures,
        .lr = rn_schedule_lr(r->c, r->at.step - 1, r->total, r->epoch_steps),
        .images_per_s = r->fast_pictures ? (double)r->fast_pictures / seconds : 0,
        .data_wait = seconds > 0 ? 100 * rn_loader_waited(r->loader) / seconds : 0,
    };
    int status = r->at.pictures ? validate(r, &row)
                                : rn_fail(RN_EFORMAT, "no picture of epoch %d can be decoded",
                                          r->at.epoch + 1);

    row.seconds = elapsed(r);
    if (!status)
        status = rn_log_add(&r->log, &row);
    r->at.epoch++;
    r->at.batch = r->at.pictures = 0;
    r->at.loss = 0;
    return status;
}

/* ---- the run ---- */

static int prepare(struct run *r)
{
    const struct rn_train_config *c = r->c;
    struct rn_loader_config config = {
        .augment = { c->flip, c->crop, c->area },
        .batch = c->batch,
        .shuffle = true,
        .seed = c->seed,
        .threads = c->threads,
        .ahead = c->prefetch,
        .keep = KEEP_BYTES,
    };
    long count = rn_source_count(r->job.data);
    int status = rn_trainer_new(&r->trainer, r->job.model, c->batch, c->threads);

    if (!status && c->drop_path > 0)
        status = rn_drop_init(r->trainer, c->drop_path);
    if (r->job.val)
        r->at.val = rn_source_hash(r->job.val);
    config.prep = *rn_model_prep(r->job.model);
    r->broken = rn_alloc((size_t)count / 8 + 1, 1);
    status = status || r->broken ? status : RN_EMEM;
    status = status ? status : rn_loader_new(&r->loader, r->job.data, &config);
    config.augment = (struct rn_augment){ 0 };
    config.shuffle = false;
    if (!status && r->job.val)
        status = rn_loader_new(&r->val_loader, r->job.val, &config);
    if (!status)
        r->trainer->smoothing = c->smoothing;
    r->epoch_steps = (count + c->batch - 1) / c->batch;
    r->total = r->epoch_steps * c->epochs;
    if (c->steps && c->steps < r->total)
        r->total = c->steps;
    return status;
}

static int run_epochs(struct run *r)
{
    int status;

    for (;;) {
        if ((status = train_epoch(r)) || (status = finish_epoch(r)))
            return status;
        if (r->at.step >= r->total)
            break;
        if ((status = save(r)))
            return status;
    }
    status = check_finite(r);
    return status ? status : rn_model_write(r->job.model, r->c->output);
}

/* The checkpoint and what a kill in the middle of writing it may have left. */
static void forget_checkpoint(const struct run *r)
{
    struct rn_writer *w;

    unlink(r->checkpoint);
    if (!rn_writer_open(&w, r->checkpoint))
        rn_writer_abort(w);
}

/* From the checkpoint, if the run is to go on from one, to the model file. */
static int run_all(struct run *r)
{
    bool resumed = r->c->resume && !access(r->checkpoint, F_OK);
    int status = prepare(r);

    if (!status && resumed)
        status = take_up(r);
    else if (!status)
        forget_checkpoint(r); /* -f: from here on it is another run's */
    if (!status)
        status = rn_log_open(&r->log, r->c, resumed, r->at.epoch);
    if (!status)
        status = run_epochs(r);
    int closed = rn_log_close(&r->log);
    if (!status && !closed)
        forget_checkpoint(r);
    status = status ? status : closed;
    if (!status && r->broken_count + r->val_broken)
        status = rn_fail(RN_EPARTLY,
                         "done, but %ld of %ld pictures were broken and left out, and %ld of those "
                         "to validate on",
                         r->broken_count, rn_source_count(r->job.data), r->val_broken);
    return status;
}

static int checkpoint_path(struct run *r)
{
    size_t n = strlen(r->c->output) + sizeof ".ckpt";

    if (!(r->checkpoint = rn_alloc(n, 1)))
        return RN_EMEM;
    snprintf(r->checkpoint, n, "%s.ckpt", r->c->output);
    if (*r->c->output && !r->c->resume && !r->c->force && !access(r->checkpoint, F_OK))
        return rn_fail(RN_EUSAGE, "%s exists: go on from it with --resume, or start over with -f",
                       r->checkpoint);
    return 0;
}

int rn_train(const struct rn_train_config *c, const struct rn_hooks *hooks)
{
    static const struct rn_hooks none;
    struct run r = { .c = c, .hooks = hooks ? hooks : &none, .begun = rn_seconds() };
    int status = checkpoint_path(&r);

    if (!status)
        status = rn_job_open(&r.job, c, r.hooks);
    if (!status && c->resume && complete(&r))
        forget_checkpoint(&r);
    else if (!status)
        status = run_all(&r);
    rn_loader_close(r.loader);
    rn_loader_close(r.val_loader);
    rn_trainer_free(r.trainer);
    rn_free(r.broken);
    rn_job_close(&r.job);
    rn_free(r.checkpoint);
    return status;
}
