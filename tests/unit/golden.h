/*
 * What scripts/golden.py writes and computes: a golden file opened, and the pictures, labels and
 * parameters that both sides compute from a name, a seed and an element number.
 */
#ifndef RN_TESTS_GOLDEN_H
#define RN_TESTS_GOLDEN_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "rn.h"
#include "tap.h"
#include "train/step.h"

enum { CLASSES = 10 };

/* What a golden file says, and where its tensors are. */
struct golden {
    const char *name, *spec;
    struct rn_weights *file;
    int C, H, W, n;
    uint64_t seed;
    double drop; /* rate of stochastic depth */
    struct rn_sgd sgd;
};

/* ---- numbers both sides compute ---- */

/* Element i of the splitmix64 stream seeded by FNV-1a(name) + seed. */
static inline uint64_t bits(const char *name, uint64_t seed, size_t i)
{
    uint64_t x = 0xcbf29ce484222325;
    for (; *name; name++)
        x = (x ^ (unsigned char)*name) * 0x100000001b3;
    x += seed + 0x9e3779b97f4a7c15 * (i + 1);
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

/* In [-1, 1), exact in float. */
static inline double uniform(const char *name, uint64_t seed, size_t i)
{
    return (double)(bits(name, seed, i) >> 40) * 0x1p-23 - 1;
}

static inline bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && !strcmp(s + n - m, end);
}

/* Weights as He et al. 2015b draw them; batch norm's scales and variances about 1, shifts about 0.
 */
static inline double param_value(const struct rn_param *p, double u)
{
    size_t fan_in = 1;
    for (int i = 1; i < p->rank; i++)
        fan_in *= (size_t)p->dim[i];
    if (p->rank > 1)
        return u * sqrt(6 / (double)fan_in);
    if (ends_with(p->name, ".running_var"))
        return 1 + 0.99 * u;
    return (ends_with(p->name, ".weight") ? 1 : 0) + 0.1 * u;
}

static inline void fill_model(const struct golden *g, struct rn_model *m)
{
    for (int i = 0; i < m->graph.params; i++) {
        const struct rn_param *p = &m->graph.param[i];
        float *value = m->value[i];
        if (p->dtype == RN_I64)
            *(int64_t *)m->value[i] = 0;
        for (size_t j = 0; p->dtype == RN_F32 && j < rn_param_count(p); j++)
            value[j] = (float)param_value(p, uniform(p->name, g->seed, j));
    }
}

struct batch {
    float *x; /* [n][H][W][C] */
    int *label;
};

static inline struct batch make_batch(const struct golden *g, int step)
{
    char input[24], label[24];
    size_t count = (size_t)g->n * (size_t)g->C * (size_t)g->H * (size_t)g->W;
    struct batch b = { malloc(count * sizeof *b.x), malloc((size_t)g->n * sizeof *b.label) };

    snprintf(input, sizeof input, "input.%d", step);
    snprintf(label, sizeof label, "label.%d", step);
    for (size_t i = 0; i < count; i++)
        b.x[i] = (float)uniform(input, g->seed, i);
    for (int i = 0; i < g->n; i++)
        b.label[i] = (int)(bits(label, g->seed, (size_t)i) % CLASSES);
    return b;
}

static inline void free_batch(struct batch b)
{
    free(b.x);
    free(b.label);
}

/* ---- the file ---- */

static inline const struct rn_tensor *find(const struct golden *g, const char *kind,
                                           const char *name)
{
    char full[RN_NAME_MAX + 16];
    snprintf(full, sizeof full, "%s%s", kind, name);
    for (int i = 0; i < rn_weights_count(g->file); i++)
        if (!strcmp(rn_weights_tensor(g->file, i)->name, full))
            return rn_weights_tensor(g->file, i);
    printf("# %s: no %s\n", g->name, full);
    exit(1);
}

static inline size_t elements(const struct rn_tensor *t)
{
    return t->bytes / (t->dtype == RN_F64 ? sizeof(double) : sizeof(float));
}

static inline double element(const struct rn_tensor *t, size_t i)
{
    float f;
    double d;
    if (t->dtype == RN_F64)
        memcpy(&d, (const char *)t->data + i * sizeof d, sizeof d);
    else
        memcpy(&f, (const char *)t->data + i * sizeof f, sizeof f);
    return t->dtype == RN_F64 ? d : f;
}

static inline double meta(const struct golden *g, const char *key)
{
    const char *text = rn_weights_meta(g->file, key);
    return text ? atof(text) : NAN;
}

static inline bool open_golden(struct golden *g, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "tests/golden/%s.safetensors", name);
    *g = (struct golden){ .name = name };
    if (rn_weights_open(&g->file, path))
        return ok(false, "%s", rn_error());
    g->spec = rn_weights_meta(g->file, "spec");
    g->n = (int)meta(g, "batch");
    g->seed = (uint64_t)meta(g, "seed");
    g->drop = rn_weights_meta(g->file, "drop") ? meta(g, "drop") : 0;
    g->sgd = (struct rn_sgd){ meta(g, "lr"), meta(g, "momentum"), meta(g, "weight_decay"),
                              meta(g, "nesterov") == 1, meta(g, "decay_weights_only") == 1 };
    const char *input = rn_weights_meta(g->file, "input");
    return ok(g->spec && input && sscanf(input, "%dx%dx%d", &g->C, &g->H, &g->W) == 3,
              "%s: %s at %s", name, g->spec, input);
}

#endif
