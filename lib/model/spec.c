/*
 * Spec strings: ROW or ROW:KEY=VALUE,KEY=VALUE. The keys are one table; parsing, canonical printing
 * and errors walk it.
 */
#include "model/spec.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h> /* strtol */
#include <string.h>

#include "base/err.h"

enum key_kind { KEY_INT, KEY_WORD, KEY_BOOL, KEY_STAGES };

struct key {
    const char *name;
    enum key_kind kind;
    size_t at;               /* offset in struct rn_spec */
    int min, max;            /* KEY_INT */
    const char *const *word; /* KEY_WORD: names in the order of the enum, ended by NULL */
};

static const char *const blocks[] = { "basic", "bottleneck", NULL };
static const char *const stems[] = { "7x7", "3x3", NULL };
static const char *const shortcuts[] = { "conv-bn", "conv", "pad", NULL };
static const char *const bools[] = { "no", "yes", NULL };

#define AT(member) offsetof(struct rn_spec, member)
static const struct key keys[] = {
    { "in", KEY_INT, AT(in), 1, 65536, NULL },
    { "classes", KEY_INT, AT(classes), 1, 1000000, NULL },
    { "block", KEY_WORD, AT(block), 0, 0, blocks },
    { "stages", KEY_STAGES, AT(stages), 0, 0, NULL },
    { "stem", KEY_WORD, AT(stem), 0, 0, stems },
    { "stem-width", KEY_INT, AT(stem_width), 1, 65536, NULL },
    { "shortcut", KEY_WORD, AT(shortcut), 0, 0, shortcuts },
    { "groups", KEY_INT, AT(groups), 1, 65536, NULL },
    { "base-width", KEY_INT, AT(base_width), 1, 65536, NULL },
    { "group-width", KEY_INT, AT(group_width), 1, 65536, NULL },
    { "bias", KEY_BOOL, AT(bias), 0, 0, bools },
};
enum { KEYS = sizeof keys / sizeof *keys, BLOCKS_MAX = 1000, CHANNELS_MAX = 65536, SPEC_MAX = 512 };

/* ---- errors ---- */

/* " (nearest is NAME)" when one of the names is close to `word`, else "". */
struct hint {
    char text[80];
};

static void nearer(struct hint *h, int *best, const char *word, const char *name)
{
    int d = rn_edit_distance(word, name);
    if (d < *best) {
        *best = d;
        snprintf(h->text, sizeof h->text, "; nearest is %s", name);
    }
}

static int unknown_row(const char *text, const char *row)
{
    struct hint h = { "" };
    int best = INT_MAX;
    for (const struct rn_variant *v = rn_variants; v->name; v++)
        nearer(&h, &best, row, v->name);
    return rn_fail(RN_EUSAGE, "%s: no network of this name%s", text, h.text);
}

static int unknown_key(const char *text, const char *key)
{
    struct hint h = { "" };
    int best = INT_MAX;
    for (int i = 0; i < KEYS; i++)
        nearer(&h, &best, key, keys[i].name);
    return rn_fail(RN_EUSAGE, "%s: no key %s%s", text, key, h.text);
}

static int bad_word(const char *text, const struct key *k, const char *value)
{
    char list[160] = "";
    for (const char *const *w = k->word; *w; w++) {
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", *w);
    }
    return rn_fail(RN_EUSAGE, "%s: %s=%s: takes one of %s", text, k->name, value, list);
}

/* ---- values ---- */

/* A decimal number in min .. max that ends at *end; false when there is none. */
static bool number(const char *s, int min, int max, int *out, const char **end)
{
    char *e;
    if (*s < '0' || *s > '9')
        return false;
    long v = strtol(s, &e, 10);
    *end = e;
    *out = (int)v;
    return v >= min && v <= max;
}

static int parse_int(const char *text, const struct key *k, const char *value, int *out)
{
    const char *end;
    if (!number(value, k->min, k->max, out, &end) || *end)
        return rn_fail(RN_EUSAGE, "%s: %s=%s: takes a number from %d to %d", text, k->name, value,
                       k->min, k->max);
    return 0;
}

static int parse_word(const char *text, const struct key *k, const char *value, int *out)
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

static int set_key(struct rn_spec *s, const char *text, const char *name, const char *value)
{
    for (int i = 0; i < KEYS; i++) {
        const struct key *k = &keys[i];
        char *at = (char *)s + k->at;
        int word = 0, status;
        if (strcmp(k->name, name))
            continue;
        if (k->kind == KEY_INT)
            return parse_int(text, k, value, (int *)at);
        if (k->kind == KEY_STAGES)
            return parse_stages(text, value, s);
        status = parse_word(text, k, value, &word);
        if (!status && k->kind == KEY_BOOL)
            *(bool *)at = word;
        else if (!status)
            *(int *)at = word;
        return status;
    }
    return unknown_key(text, name);
}

static int set_pairs(struct rn_spec *s, const char *text, char *pairs)
{
    for (char *pair = pairs; pair;) {
        char *next = strchr(pair, ','), *value;
        if (next)
            *next++ = '\0';
        if (!(value = strchr(pair, '=')) || value == pair)
            return rn_fail(RN_EUSAGE, "%s: \"%s\" is not KEY=VALUE", text, pair);
        *value++ = '\0';
        int status = set_key(s, text, pair, value);
        if (status)
            return status;
        pair = next;
    }
    return 0;
}

/* The spec of a row without overrides. */
static int start_from(struct rn_spec *s, const struct rn_variant *v)
{
    char copy[SPEC_MAX];
    snprintf(copy, sizeof copy, "%s", v->keys);
    *s = v->family->spec;
    s->variant = v;
    return set_pairs(s, v->name, copy);
}

int rn_spec_parse(struct rn_spec *s, const char *text)
{
    char copy[SPEC_MAX], *pairs;
    if ((size_t)snprintf(copy, sizeof copy, "%s", text) >= sizeof copy)
        return rn_fail(RN_EUSAGE, "%.40s...: a spec has at most %zu characters", text,
                       sizeof copy - 1);
    if ((pairs = strchr(copy, ':')))
        *pairs++ = '\0';
    for (const struct rn_variant *v = rn_variants; v->name; v++)
        if (!strcmp(v->name, copy)) {
            int status = start_from(s, v);
            return status || !pairs ? status : set_pairs(s, text, pairs);
        }
    return unknown_row(text, copy);
}

bool rn_spec_valid(const char *text)
{
    struct rn_spec s;
    return rn_spec_parse(&s, text) == 0;
}

bool rn_spec_sets(const char *text, const char *key)
{
    size_t n = strlen(key);
    for (const char *at = strpbrk(text, ":,"); at; at = strpbrk(at + 1, ":,"))
        if (!strncmp(at + 1, key, n) && at[1 + n] == '=')
            return true;
    return false;
}

/* ---- canonical form ---- */

static bool same_stages(const struct rn_spec *a, const struct rn_spec *b)
{
    return a->stages == b->stages &&
           !memcmp(a->stage, b->stage, (size_t)a->stages * sizeof *a->stage);
}

static bool same_key(const struct key *k, const struct rn_spec *a, const struct rn_spec *b)
{
    if (k->kind == KEY_STAGES)
        return same_stages(a, b);
    size_t size = k->kind == KEY_BOOL ? sizeof(bool) : sizeof(int);
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

static bool append_value(const struct rn_spec *s, const struct key *k, char *text, size_t size)
{
    const char *at = (const char *)s + k->at;
    bool fits = true;

    if (k->kind == KEY_INT)
        return append(text, size, "%d", *(const int *)at);
    if (k->kind == KEY_BOOL)
        return append(text, size, "%s", k->word[*(const bool *)at]);
    if (k->kind == KEY_WORD)
        return append(text, size, "%s", k->word[*(const int *)at]);
    for (int i = 0; i < s->stages && fits; i++)
        fits =
            append(text, size, "%s%dx%d", i ? "+" : "", s->stage[i].blocks, s->stage[i].channels);
    return fits;
}

int rn_spec_print(const struct rn_spec *s, char *text, size_t size)
{
    struct rn_spec row;
    int status = start_from(&row, s->variant);
    bool fits = (size_t)snprintf(text, size, "%s", s->variant->name) < size;
    char mark = ':';

    if (status)
        return status;
    for (int i = 0; i < KEYS && fits; i++)
        if (!same_key(&keys[i], s, &row)) {
            fits = append(text, size, "%c%s=", mark, keys[i].name) &&
                   append_value(s, &keys[i], text, size);
            mark = ',';
        }
    return fits ? 0 : rn_fail(RN_EUSAGE, "%s: the spec is too long", s->variant->name);
}
