/*
 * The dialects: whose files name their layers how.
 */
#include "weights/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* ---- the tables ---- */

#define RULE(a, b)                                                                                 \
    {                                                                                              \
        .theirs = a, .ours = b                                                                     \
    }
/* Another spelling, which is not written. */
#define ALSO(a, b)                                                                                 \
    {                                                                                              \
        .theirs = a, .ours = b, .read_only = true                                                  \
    }

/* transformers' ResNetForImageClassification. */
static const struct rn_rule huggingface[] = {
    RULE("resnet.embedder.embedder.convolution", "conv1"),
    RULE("resnet.embedder.embedder.normalization", "bn1"),
    RULE("resnet.encoder.stages.#.layers.#.layer.#.convolution", "layer>.#.conv>"),
    RULE("resnet.encoder.stages.#.layers.#.layer.#.normalization", "layer>.#.bn>"),
    RULE("resnet.encoder.stages.#.layers.#.shortcut.convolution", "layer>.#.downsample.0"),
    RULE("resnet.encoder.stages.#.layers.#.shortcut.normalization", "layer>.#.downsample.1"),
    RULE("classifier.1", "fc"),
    { .theirs = NULL },
};

/* Repositories that train on CIFAR: kuangliu's, akamaster's and those made of them. */
static const struct rn_rule cifar[] = {
    ALSO("stage#.#.*", "layer#.#.*"),
    ALSO("stages.#.#.*", "layer>.#.*"),
    ALSO("stage_#.#.*", "layer#.#.*"),
    ALSO("group#.#.*", "layer#.#.*"),
    ALSO("conv", "conv1"),
    ALSO("bn", "bn1"),
    ALSO("layer#.#.skip.#", "layer#.#.downsample.#"),
    ALSO("layer#.#.shortcut.conv", "layer#.#.downsample.0"),
    ALSO("layer#.#.shortcut.bn", "layer#.#.downsample.1"),
    RULE("layer#.#.shortcut.#", "layer#.#.downsample.#"),
    ALSO("head", "fc"),
    ALSO("head.fc", "fc"),
    ALSO("output", "fc"),
    ALSO("last_linear", "fc"),
    ALSO("classifier", "fc"),
    RULE("linear", "fc"),
    { .theirs = NULL },
};

/* Pre-activation: the last batch norm of the network by many names. */
static const struct rn_rule preact[] = {
    ALSO("stage#.#.*", "layer#.#.*"),
    ALSO("group#.#.*", "layer#.#.*"),
    ALSO("conv", "conv1"),
    RULE("bn1", "norm"),
    ALSO("bn_last", "norm"),
    ALSO("bn_final", "norm"),
    ALSO("final_bn", "norm"),
    ALSO("bn", "norm"),
    ALSO("layer#.#.shortcut", "layer#.#.downsample.0"),
    ALSO("layer#.#.downsample", "layer#.#.downsample.0"),
    RULE("layer#.#.shortcut.#", "layer#.#.downsample.#"),
    ALSO("classifier", "fc"),
    RULE("linear", "fc"),
    { .theirs = NULL },
};

/* Wide networks as xternalz and many after him wrote them. */
static const struct rn_rule wide[] = {
    RULE("block#.layer.#.convShortcut", "layer#.#.downsample.0"),
    RULE("block#.layer.#.*", "layer#.#.*"),
    RULE("bn1", "norm"),
    { .theirs = NULL },
};

/* weiaicunzai's networks for CIFAR-100: a block's layers by their number in a Sequential. */
static const struct rn_rule cifar100[] = {
    RULE("conv>_x.#.residual_function.0", "layer#.#.conv1"),
    RULE("conv>_x.#.residual_function.1", "layer#.#.bn1"),
    RULE("conv>_x.#.residual_function.3", "layer#.#.conv2"),
    RULE("conv>_x.#.residual_function.4", "layer#.#.bn2"),
    RULE("conv>_x.#.residual_function.6", "layer#.#.conv3"),
    RULE("conv>_x.#.residual_function.7", "layer#.#.bn3"),
    RULE("conv>_x.#.shortcut.#", "layer#.#.downsample.#"),
    RULE("conv1.1", "bn1"),
    RULE("conv1.0", "conv1"),
    { .theirs = NULL },
};

/* Dive into Deep Learning: the stages have names (b2 to b5) in the book's classes, numbers in its
 * older notebooks; conv3 of Residual and conv4 of ResNeXtBlock stand on the shortcut. */
#define D2L(stage) RULE(stage ".#.conv3", "layer#.#.downsample.0"), RULE(stage ".#.*", "layer#.#.*")
#define D2L_RESNEXT(stage)                                                                         \
    RULE(stage ".#.conv4", "layer#.#.downsample.0"),                                               \
        RULE(stage ".#.bn4", "layer#.#.downsample.1"), RULE(stage ".#.*", "layer#.#.*")

static const struct rn_rule d2l[] = {
    RULE("net.0.0", "conv1"), RULE("net.0.1", "bn1"), D2L("net.b>"),
    RULE("net.last.2", "fc"), { .theirs = NULL },
};

static const struct rn_rule d2l_resnext[] = {
    RULE("net.0.0", "conv1"), RULE("net.0.1", "bn1"), D2L_RESNEXT("net.b>"),
    RULE("net.last.2", "fc"), { .theirs = NULL },
};

static const struct rn_rule notebook[] = {
    RULE("0.0", "conv1"), RULE("0.1", "bn1"), D2L("#"), RULE("#", "fc"), { .theirs = NULL },
};

static const struct rn_rule notebook_resnext[] = {
    RULE("0.0", "conv1"), RULE("0.1", "bn1"), D2L_RESNEXT("#"), RULE("#", "fc"), { .theirs = NULL },
};

/* timm's regnets; its resnets are named as torchvision's. */
#define BLOCK "trunk_output.block#.block@-<."
static const struct rn_rule timm_regnet[] = {
    RULE("s#.b#.conv1.conv", BLOCK "f.a.0"),
    RULE("s#.b#.conv1.bn", BLOCK "f.a.1"),
    RULE("s#.b#.conv2.conv", BLOCK "f.b.0"),
    RULE("s#.b#.conv2.bn", BLOCK "f.b.1"),
    RULE("s#.b#.se.fc#", BLOCK "f.se.fc#"),
    RULE("s#.b#.conv3.conv", BLOCK "f.c.0"),
    RULE("s#.b#.conv3.bn", BLOCK "f.c.1"),
    RULE("s#.b#.downsample.conv", BLOCK "proj.0"),
    RULE("s#.b#.downsample.bn", BLOCK "proj.1"),
    RULE("stem.conv", "stem.0"),
    RULE("stem.bn", "stem.1"),
    RULE("head.fc", "fc"),
    { .theirs = NULL },
};

static const struct rn_rule none[] = { { .theirs = NULL } };

const struct rn_dialect rn_dialects[] = {
    { "torchvision", "torchvision, timm and ours", none },
    { "huggingface", "transformers' resnet", huggingface },
    { "cifar", "kuangliu, akamaster and others", cifar },
    { "preact", "pre-activation networks for CIFAR", preact },
    { "wide", "xternalz' wide networks", wide },
    { "cifar100", "weiaicunzai", cifar100 },
    { "d2l", "Dive into Deep Learning, classes", d2l },
    { "d2l-resnext", "the same with ResNeXtBlock", d2l_resnext },
    { "notebook", "Dive into Deep Learning, one Sequential", notebook },
    { "notebook-resnext", "the same with ResNeXtBlock", notebook_resnext },
    { "timm-regnet", "timm's regnets", timm_regnet },
    { .name = NULL },
};

const struct rn_dialect *rn_dialect_find(const char *name)
{
    char list[256] = "";
    for (const struct rn_dialect *d = rn_dialects; d->name; d++) {
        if (!strcmp(d->name, name))
            return d;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", *list ? ", " : "",
                 d->name);
    }
    rn_fail(RN_EUSAGE, "no names called %s; there are %s", name, list);
    return NULL;
}

/* ---- patterns ---- */

enum { NUMBERS = 4 };

/* What a pattern found: numbers as # would have them, and the rest. */
struct found {
    long number[NUMBERS];
    int numbers;
    const char *rest;
};

static int offset(char c)
{
    return c == '>' ? 1 : c == '<' ? -1 : 0;
}

/* A number without sign or leading zero at *s, which moves behind it. */
static bool number(const char **s, long *v)
{
    if (**s < '0' || **s > '9' || (**s == '0' && (*s)[1] >= '0' && (*s)[1] <= '9'))
        return false;
    char *end;
    *v = strtol(*s, &end, 10);
    if (end - *s > 6)
        return false;
    *s = end;
    return true;
}

static bool match(const char *pattern, const char *s, struct found *f)
{
    *f = (struct found){ .rest = "" };
    for (; *pattern; pattern++) {
        long v;
        if (*pattern == '*') {
            f->rest = s;
            return *s;
        }
        if (!strchr("#<>@", *pattern)) {
            if (*s++ != *pattern)
                return false;
        } else if (!number(&s, &v) || v < offset(*pattern)) {
            return false;
        } else if (*pattern != '@') {
            f->number[f->numbers++] = v - offset(*pattern);
        } else if (v != f->number[f->numbers - 1]) {
            return false;
        }
    }
    return !*s;
}

/* false: it needs a number that was not found, or one below 0, or more room. */
static bool fill(const char *pattern, const struct found *f, char text[RN_FOREIGN_MAX])
{
    size_t n = 0;
    for (int next = 0; *pattern && n < RN_FOREIGN_MAX; pattern++) {
        size_t room = RN_FOREIGN_MAX - n;
        if (*pattern == '*') {
            n += (size_t)snprintf(text + n, room, "%s", f->rest);
        } else if (strchr("#<>@", *pattern)) {
            next += *pattern != '@';
            if (next > f->numbers || f->number[next - 1] + offset(*pattern) < 0)
                return false;
            n += (size_t)snprintf(text + n, room, "%ld", f->number[next - 1] + offset(*pattern));
        } else {
            n += (size_t)snprintf(text + n, room, "%c", *pattern);
        }
    }
    return n < RN_FOREIGN_MAX;
}

/* ---- names ---- */

bool rn_name_known(const char *name)
{
    static const char *const layers[] = { "conv1.*",
                                          "bn1.*",
                                          "fc.*",
                                          "norm.*",
                                          "layer#.#.conv#.*",
                                          "layer#.#.bn#.*",
                                          "layer#.#.se.fc#.*",
                                          "layer#.#.downsample.#.*",
                                          "stem.#.*",
                                          "trunk_output.block#.block@-#.*" };
    struct found f;
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (match(layers[i], name, &f))
            return true;
    return false;
}

static const char *const wrappers[] = { "module.",  "_orig_mod.", "model.", "net.",
                                        "network.", "backbone.",  "resnet." };

/* s without the wrappers at its front. */
static const char *unwrap(const char *s)
{
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++)
        if (!strncmp(s, wrappers[i], strlen(wrappers[i]))) {
            s += strlen(wrappers[i]);
            i = (size_t)-1;
        }
    return s;
}

/* The layer's name alone; what stands behind it, "" or with its full stop. */
static bool split(const char *name, char layer[RN_FOREIGN_MAX], const char **suffix)
{
    const char *dot = strrchr(name, '.');
    *suffix = dot ? dot : name + strlen(name);
    return (size_t)snprintf(layer, RN_FOREIGN_MAX, "%.*s", (int)(*suffix - name), name) <
           RN_FOREIGN_MAX;
}

static bool join(char layer[RN_FOREIGN_MAX], const char *suffix)
{
    size_t n = strlen(layer);
    return (size_t)snprintf(layer + n, RN_FOREIGN_MAX - n, "%s", suffix) < RN_FOREIGN_MAX - n;
}

/* Replaces layer by what `to` makes of it, where `from` matches. */
static bool apply(const char *from, const char *to, char layer[RN_FOREIGN_MAX])
{
    struct found f;
    char text[RN_FOREIGN_MAX] = "";
    if (!match(from, layer, &f))
        return true;
    if (!fill(to, &f, text))
        return false;
    strcpy(layer, text);
    return true;
}

bool rn_name_read(const struct rn_dialect *d, const char *name, char ours[RN_FOREIGN_MAX])
{
    const char *suffix;
    bool fits = split(unwrap(name), ours, &suffix);
    for (const struct rn_rule *r = d->rule; r->theirs && fits; r++)
        fits = apply(unwrap(r->theirs), r->ours, ours);
    return fits && join(ours, suffix);
}

bool rn_name_write(const struct rn_dialect *d, const char *name, char theirs[RN_FOREIGN_MAX])
{
    const char *suffix;
    const struct rn_rule *end = d->rule;
    bool fits = split(name, theirs, &suffix);
    while (end->theirs)
        end++;
    while (end-- > d->rule && fits)
        if (!end->read_only)
            fits = apply(end->ours, end->theirs, theirs);
    return fits && join(theirs, suffix);
}
