/*
 * Spec strings: ROW or ROW:KEY=VALUE,KEY=VALUE. Rows are the table of variants.c, keys that of
 * key.c; parsing and canonical printing walk them.
 */
#include "model/spec.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "model/key.h"

enum { SPEC_MAX = 512 };

static int unknown_row(const char *text, const char *row)
{
    const char *nearest = "";
    int best = INT_MAX;
    for (const struct rn_variant *v = rn_variants; v->name; v++) {
        int d = rn_edit_distance(row, v->name);
        if (d < best) {
            best = d;
            nearest = v->name;
        }
    }
    return rn_fail(RN_EUSAGE, "%s: no network of this name; nearest is %s", text, nearest);
}

static int set_pairs(struct rn_spec *s, const char *text, char *pairs)
{
    for (char *pair = pairs; pair;) {
        char *next = strchr(pair, ','), *value;
        if (next)
            *next++ = '\0';
        if ((value = strchr(pair, '=')))
            *value++ = '\0';
        if (!*pair)
            return rn_fail(RN_EUSAGE, "%s: \"%s\" is not KEY=VALUE", text, value ? "=" : "");
        int status = rn_key_set(s, text, pair, value);
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
    return *copy ? set_pairs(s, v->name, copy) : 0;
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

const char *rn_spec_row(int i)
{
    return rn_variants[i].name;
}

int rn_spec_print(const struct rn_spec *s, char *text, size_t size)
{
    struct rn_spec row;
    int status = start_from(&row, s->variant);
    bool fits = (size_t)snprintf(text, size, "%s", s->variant->name) < size;
    char mark = ':';

    if (status)
        return status;
    for (const struct rn_key *k = rn_keys; k->name && fits; k++)
        if (!rn_key_same(k, s, &row)) {
            fits = rn_key_print(k, s, mark, text, size);
            mark = ',';
        }
    return fits ? 0 : rn_fail(RN_EUSAGE, "%s: the spec is too long", s->variant->name);
}
