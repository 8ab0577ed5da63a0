/* What a file says about its tensors: class names, preprocessing, names in other dialects; and what
 * of a checkpoint stays. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/prep.h"
#include "weights/edit.h"
#include "weights/modelfile.h"
#include "weights/names.h"

/* ---- description ---- */

static int set_labels(struct rn_model *m, const char *path, const struct rn_description *d)
{
    if (!d->labels)
        return 0;
    if (d->labels != m->spec.classes)
        return rn_fail(RN_EUSAGE, "%s: it has %d classes, the labels name %d", path,
                       m->spec.classes, d->labels);
    return rn_model_set_labels(m, (char *const *)d->label);
}

/* One value stands for all channels. */
static int set_channels(float *to, int C, const float *from, int n, const char *what,
                        const char *path)
{
    if (n > 1 && n != C)
        return rn_fail(RN_EUSAGE, "%s: its pictures have %d channels, %d values of %s are given",
                       path, C, n, what);
    for (int c = 0; n && c < C && c < RN_CHANNELS_MAX; c++)
        to[c] = from[n == 1 ? 0 : c];
    return 0;
}

static int set_size(struct rn_prep *p, const char *path, const struct rn_description *d)
{
    int shorter, crop;
    if (d->resize) {
        if (!rn_resize_parse(d->resize, &shorter, &crop))
            return rn_fail(RN_EUSAGE,
                           "--resize: %s: takes squash or short=N,crop=M, N and M from 1 to %d",
                           d->resize, RN_SIDE_MAX);
        strcpy(p->resize, d->resize);
        if (crop)
            p->H = p->W = crop;
    }
    if (d->H) {
        p->H = d->H;
        p->W = d->W;
    }
    rn_resize_parse(p->resize, &shorter, &crop);
    if (crop && (p->H != crop || p->W != crop))
        return rn_fail(RN_EUSAGE,
                       "%s: the resize %s gives no %dx%d pictures: a size goes with another resize "
                       "(squash)",
                       path, p->resize, p->H, p->W);
    return 0;
}

/* Can the network be built for pictures of this size? */
static int check_size(const struct rn_model *m)
{
    struct rn_model *same;
    int status = rn_model_plan(&same, m->text, m->prep.C, m->prep.H, m->prep.W, 0);
    rn_model_free(same);
    return status;
}

static int set_prep(struct rn_model *m, const char *path, const struct rn_description *d)
{
    int C = m->prep.C, status = set_size(&m->prep, path, d);
    if (!status)
        status = check_size(m);
    if (!status)
        status = set_channels(m->prep.mean, C, d->mean, d->means, "mean", path);
    if (!status)
        status = set_channels(m->prep.std, C, d->std, d->stds, "std", path);
    return status;
}

/* w with the metadata of m in the place of a model's; others stay where asked. */
static int rewrite_meta(struct rn_weights *next, const struct rn_weights *w,
                        const struct rn_model *m, bool keep)
{
    int status = rn_edit_meta(next, w, false);
    if (!status)
        status = rn_gather_description(next, m);
    for (int i = 0; i < w->metas && !status && keep; i++)
        if (!strncmp(w->meta[i].key, "rn.train.", 9))
            status = rn_gather_meta(next, w->meta[i].key, w->meta[i].value);
    return status;
}

int rn_weights_describe(struct rn_weights *w, const char *path, const struct rn_description *d)
{
    struct rn_weights next;
    struct rn_model *m;
    int status = rn_edit_model(&m, w, path);
    if (!status)
        status = set_labels(m, path, d);
    if (!status)
        status = set_prep(m, path, d);
    if (!status) {
        rn_edit_begin(&next, w);
        status = rewrite_meta(&next, w, m, true);
        for (int i = 0; i < w->tensors && !status; i++)
            status = rn_gather(&next, &w->tensor[i]);
        rn_edit_end(w, &next, status);
    }
    rn_model_free(m);
    return status;
}

/* ---- what stays ---- */

int rn_weights_strip(struct rn_weights *w, const char *path)
{
    struct rn_weights next;
    struct rn_model *m;
    int status = rn_edit_model(&m, w, path);
    if (!status) {
        rn_edit_begin(&next, w);
        status = rewrite_meta(&next, w, m, false);
        for (int i = 0; i < w->tensors && !status; i++)
            if (rn_graph_find(&m->graph, w->tensor[i].name) >= 0)
                status = rn_gather(&next, &w->tensor[i]);
        rn_edit_end(w, &next, status);
    }
    rn_model_free(m);
    return status;
}

#define EMA "ema."

static bool is_ema(const char *name)
{
    return !strncmp(name, EMA, strlen(EMA));
}

/* Tensor i as it is under an average: NULL where that stands elsewhere. */
static const char *under_ema(const struct rn_weights *w, int i)
{
    char other[RN_NAME_MAX + sizeof EMA];
    const char *name = w->tensor[i].name;
    if (is_ema(name))
        return name + strlen(EMA);
    snprintf(other, sizeof other, EMA "%s", name);
    return rn_weights_find(w, other) ? NULL : name;
}

int rn_weights_ema(struct rn_weights *w, const char *path)
{
    struct rn_weights next;
    int averages = 0;
    for (int i = 0; i < w->tensors; i++)
        averages += is_ema(w->tensor[i].name);
    if (!averages)
        return rn_fail(RN_EFORMAT, "%s: no averaged parameters (" EMA "*) in it", path);
    rn_edit_begin(&next, w);
    int status = rn_edit_meta(&next, w, true);
    if (!status)
        status = rn_edit_meta(&next, w, false);
    for (int i = 0; i < w->tensors && !status; i++) {
        struct rn_tensor t = w->tensor[i];
        if ((t.name = under_ema(w, i)))
            status = rn_gather(&next, &t);
    }
    return rn_edit_end(w, &next, status);
}

/* ---- names ---- */

int rn_weights_rename(struct rn_weights *w, const char *path, const char *dialect)
{
    struct rn_weights next;
    const struct rn_dialect *d = rn_dialect_find(dialect);
    if (!d)
        return RN_EUSAGE;
    rn_edit_begin(&next, w);
    int status = rn_edit_meta(&next, w, false);
    for (int i = 0; i < w->tensors && !status; i++) {
        char name[RN_FOREIGN_MAX];
        struct rn_tensor t = w->tensor[i];
        if (!rn_name_write(d, t.name, name))
            status = rn_fail(RN_EUSAGE, "%s: %s has no name for tensor %s", path, dialect, t.name);
        t.name = name;
        if (!status)
            status = rn_gather(&next, &t);
    }
    return rn_edit_end(w, &next, status);
}
