/*
 * rn-convert --diff and --average: several files beside each other. Where one of two is a model of
 * ours, the other is made one, so that their tensors have the same names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert.h"
#include "say.h"

static bool put_row(const char *name, const char *what)
{
    put_field(name);
    printf("\t%s\t\n", what);
    return false;
}

/* Returns whether b is as near to a as is wanted. */
static bool put_distance(const struct rn_tensor *a, const struct rn_tensor *b)
{
    double absolute, relative;
    if (!b)
        return put_row(a->name, "missing");
    if (!rn_tensor_distance(b, a, &absolute, &relative))
        return put_row(a->name, "shape");
    put_field(a->name);
    putchar('\t');
    put_number(absolute);
    putchar('\t');
    put_number(relative);
    putchar('\n');
    return relative <= convert.tolerance;
}

int put_diff(char **in)
{
    struct rn_weights *a = open_file(in[0]), *b = open_file(in[1]);
    bool same = true, models = !rn_weights_meta(a, "rn.spec") != !rn_weights_meta(b, "rn.spec");
    if (models || convert.arch || convert.ema) {
        make_model(a, in[0]);
        make_model(b, in[1]);
    }
    puts("name\tabsolute\trelative");
    for (int i = 0; i < rn_weights_count(a); i++) {
        const struct rn_tensor *t = rn_weights_tensor(a, i);
        same &= put_distance(t, rn_weights_find(b, t->name));
    }
    for (int i = 0; i < rn_weights_count(b); i++)
        if (!rn_weights_find(a, rn_weights_tensor(b, i)->name))
            same = put_row(rn_weights_tensor(b, i)->name, "added");
    rn_weights_close(a);
    rn_weights_close(b);
    return same ? 0 : 1;
}

void step_average(struct rn_weights *w, char **in, int n)
{
    struct rn_weights **others = allocate((size_t)n, sizeof *others);
    for (int i = 1; i < n; i++)
        others[i - 1] = open_model(in[i]);
    must(rn_weights_average(w, others, n - 1, (const char *const *)in));
    for (int i = 1; i < n; i++)
        rn_weights_close(others[i - 1]);
    free(others);
}
