#include "model/key.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h> /* strtol, strtof */
#include <string.h>

#include "base/err.h"

static const char *const blocks[] = { "basic",        "bottleneck", "preact", "preact-bottleneck",
                                      "regnet",       "fast",       "pooled", "inception",
                                      "inception-bn", "shift",      NULL };
static const char *const stems[] = { "7x7", "3x3", "3x3-s2", "deep", NULL };
static const char *const shortcuts[] = { "conv-bn", "conv", "pad", "pad-end", "avg-conv-bn", NULL };
static const char *const strides[] = { "3x3", "1x1", NULL };
static const char *const pools[] = { "avg", "max", NULL };
static const char *const paddings[] = { "torch", "same", NULL };
static const char *const norms[] = { "batch", "none", NULL };
static const char *const bools[] = { "no", "yes", NULL };

enum { BLOCKS_MAX = 1000, CHANNELS_MAX = 65536 };

#define AT(member) offsetof(struct rn_spec, member)
#define INT(name, member, min, max, of)                                                            \
    {                                                                                              \
        name, RN_KEY_INT, AT(member), min, max, NULL, of                                           \
    }
#define REAL(name, member, min, max)                                                               \
    {                                                                                              \
        name, RN_KEY_REAL, AT(member), min, max, NULL, RN_KEY_ANY                                  \
    }
#define WORD(name, member, words, of)                                                              \
    {                                                                                              \
        name, RN_KEY_WORD, AT(member), 0, 0, words, of                                             \
    }
#define BOOL(name, member, of)                                                                     \
    {                                                                                              \
        name, RN_KEY_BOOL, AT(member), 0, 0, bools, of                                             \
    }

/* clang-format off */
const struct rn_key rn_keys[] = {
    INT("in", in, 1, CHANNELS_MAX, RN_KEY_ANY),
    INT("out", out, 0, CHANNELS_MAX, RN_KEY_SINGLE),
    INT("stride", stride, 1, 8, RN_KEY_SINGLE),
    BOOL("proj", proj, RN_KEY_SINGLE),
    INT("classes", classes, 1, 1000000, RN_KEY_NETWORK),
    WORD("block", block, blocks, RN_KEY_ANY),
    { "stages", RN_KEY_STAGES, AT(stages), 0, 0, NULL, RN_KEY_NETWORK },
    WORD("stem", stem, stems, RN_KEY_NETWORK),
    INT("stem-width", stem_width, 1, CHANNELS_MAX, RN_KEY_NETWORK),
    WORD("shortcut", shortcut, shortcuts, RN_KEY_ANY),
    WORD("stride-at", stride_at, strides, RN_KEY_ANY),
    INT("first-stride", first_stride, 1, 2, RN_KEY_NETWORK),
    INT("groups", groups, 1, CHANNELS_MAX, RN_KEY_ANY),
    INT("base-width", base_width, 1, CHANNELS_MAX, RN_KEY_ANY),
    INT("group-width", group_width, 0, CHANNELS_MAX, RN_KEY_ANY),
    REAL("bot-mul", bot_mul, 0, 16),
    REAL("se", se, 0, 1),
    BOOL("plain", plain, RN_KEY_ANY),
    WORD("pool", pool, pools, RN_KEY_NETWORK),
    WORD("padding", padding, paddings, RN_KEY_ANY),
    BOOL("bias", bias, RN_KEY_ANY),
    WORD("norm", norm, norms, RN_KEY_ANY),
    REAL("bn-eps", bn_eps, 1e-12, 1),
    REAL("bn-momentum", bn_momentum, 0, 1),
    BOOL("bn-biased", bn_biased, RN_KEY_ANY),
    { 0 },
};
/* clang-format on */

/* ---- errors ---- */

static int unknown_key(const char *text, const char *name)
{
    const char *nearest = "";
    int best = INT_MAX;
    for (const struct rn_key *k = rn_keys; k->name; k++) {
        int d = rn_edit_distance(name, k->name);
        if (d < best) {
            best = d;
            nearest = k->name;
        }
    }
    return rn_fail(RN_EUSAGE, "%s: no key %s; nearest is %s", text, name, nearest);
}

static int bad_word(const char *text, const struct rn_key *k, const char *value)
{
    char list[160] = "";
    for (const char *const *w = k->word; *w; w++) {
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", *w);
    }
    return rn_fail(RN_EUSAGE, "%s: %s=%s: takes one of %s", text, k->name, value, list);
}

static int bad_number(const char *text, const struct rn_key *k, const char *value)
{
    return rn_fail(RN_EUSAGE, "%s: %s=%s: takes a number from %.9g to %.9g", text, k->name, value,
                   k->min, k->max);
}

/* ---- values ---- */

/* A decimal number in min .. max that ends at *end; false when there is none. */
static bool number(const char *s, double min, double max, int *out, const char **end)
{
    char *e;
    if (*s < '0' || *s > '9')
        return false;
    long v = strtol(s, &e, 10);
    *end = e;
    *out = (int)v;
    return (double)v >= min && (double)v <= max;
}

static int parse_int(const char *text, const struct rn_key *k, const char *value, int *out)
{
    const char *end;
    if (!number(value, k->min, k->max, out, &end) || *end)
        return bad_number(text, k, value);
    return 0;
}

/* Digits, a point, an exponent: no hexadecimal, infinity or NaN. */
static int parse_real(const char *text, const struct rn_key *k, const char *value, float *out)
{
    char *end;
    float v = strtof(value, &end);
    if (!*value || value[strspn(value, "0123456789.e-")] || *end || v < (float)k->min ||
        v > (float)k->max)
        return bad_number(text, k, value);
    *out = v + 0.0f; /* -0 is 0 */
    return 0;
}

static int parse_word(const char *text, const struct rn_key *k, const char *value, int *out)
{
    for (int i = 0; k->word[i]; i++)
        if (!strcmp(k->word[i], value)) {
            *out = i;
            return 0;
        }
    return bad_word(text, k, value);
}

static int parse_stages(const char *text, const char *value, struct rn_spec *s)
{
    const char *at = value;
    s->stages = 0;
    for (;;) {
        struct rn_stage *stage = &s->stage[s->stages];
        if (s->stages == RN_STAGES_MAX || !number(at, 1, BLOCKS_MAX, &stage->blocks, &at) ||
            *at++ != 'x' || !number(at, 1, CHANNELS_MAX, &stage->channels, &at))
            break;
        s->stages++;
        if (!*at)
            return 0;
        if (*at++ != '+')
            break;
    }
    return rn_fail(RN_EUSAGE,
                   "%s: stages=%s: takes BLOCKSxCHANNELS joined by +, at most %d (2x64+2x128)",
                   text, value, RN_STAGES_MAX);
}

static int parse(struct rn_spec *s, const char *text, const struct rn_key *k, const char *value)
{
    char *at = (char *)s + k->at;
    int word = 0;

    if (k->kind == RN_KEY_INT)
        return parse_int(text, k, value, (int *)at);
    if (k->kind == RN_KEY_REAL)
        return parse_real(text, k, value, (float *)at);
    if (k->kind == RN_KEY_STAGES)
        return parse_stages(text, value, s);
    int status = parse_word(text, k, value, &word);
    if (!status && k->kind == RN_KEY_BOOL)
        *(bool *)at = word;
    else if (!status)
        *(int *)at = word;
    return status;
}

int rn_key_set(struct rn_spec *s, const char *text, const char *name, const char *value)
{
    const struct rn_key *k = rn_keys;

    while (k->name && strcmp(k->name, name))
        k++;
    if (!value && !(k->name && k->kind == RN_KEY_BOOL))
        return rn_fail(RN_EUSAGE, "%s: \"%s\" is not KEY=VALUE", text, name);
    if (!k->name)
        return unknown_key(text, name);
    if (k->of == RN_KEY_NETWORK && s->single)
        return rn_fail(RN_EUSAGE, "%s: a single block has no %s", text, name);
    if (k->of == RN_KEY_SINGLE && !s->single)
        return rn_fail(RN_EUSAGE, "%s: %s is a key of single blocks, not of networks", text, name);
    return parse(s, text, k, value ? value : "yes");
}

/* ---- canonical form ---- */

static bool same_stages(const struct rn_spec *a, const struct rn_spec *b)
{
    return a->stages == b->stages &&
           !memcmp(a->stage, b->stage, (size_t)a->stages * sizeof *a->stage);
}

bool rn_key_same(const struct rn_key *k, const struct rn_spec *a, const struct rn_spec *b)
{
    if (k->kind == RN_KEY_STAGES)
        return same_stages(a, b);
    size_t size = k->kind == RN_KEY_BOOL   ? sizeof(bool)
                  : k->kind == RN_KEY_REAL ? sizeof(float)
                                           : sizeof(int);
    return !memcmp((const char *)a + k->at, (const char *)b + k->at, size);
}

/* Appends to text[size]; false when it is full. */
static bool __attribute__((format(printf, 3, 4)))
append(char *text, size_t size, const char *fmt, ...)
{
    size_t n = strlen(text);
    va_list ap;
    va_start(ap, fmt);
    int more = vsnprintf(text + n, size - n, fmt, ap);
    va_end(ap);
    return more >= 0 && (size_t)more < size - n;
}

static bool print_stages(const struct rn_spec *s, char *text, size_t size)
{
    bool fits = true;
    for (int i = 0; i < s->stages && fits; i++)
        fits =
            append(text, size, "%s%dx%d", i ? "+" : "", s->stage[i].blocks, s->stage[i].channels);
    return fits;
}

/* The fewest digits that read as the same number. */
static bool print_real(float v, char *text, size_t size)
{
    char digits[32];
    for (int n = 1; n <= 9; n++) {
        snprintf(digits, sizeof digits, "%.*g", n, (double)v);
        if (strtof(digits, NULL) == v)
            break;
    }
    return append(text, size, "%s", digits);
}

bool rn_key_print(const struct rn_key *k, const struct rn_spec *s, char mark, char *text,
                  size_t size)
{
    const char *at = (const char *)s + k->at;

    if (!append(text, size, "%c%s=", mark, k->name))
        return false;
    switch (k->kind) {
    case RN_KEY_INT:
        return append(text, size, "%d", *(const int *)at);
    case RN_KEY_REAL:
        return print_real(*(const float *)at, text, size);
    case RN_KEY_BOOL:
        return append(text, size, "%s", k->word[*(const bool *)at]);
    case RN_KEY_WORD:
        return append(text, size, "%s", k->word[*(const int *)at]);
    default:
        return print_stages(s, text, size);
    }
}
