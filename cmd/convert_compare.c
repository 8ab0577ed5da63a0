/* rn-convert --compare: where two models begin to compute something else. */
#include <stdio.h>

#include "convert.h"
#include "say.h"

struct state {
    bool headed;    /* the header stands: nothing else can fail */
    char first[96]; /* block beyond the tolerance; "": none */
};

static void put_block(void *arg, const char *name, double absolute, double relative)
{
    struct state *s = arg;
    if (!s->headed)
        puts("block\tabsolute\trelative");
    s->headed = true;
    put_field(name);
    putchar('\t');
    put_number(absolute);
    putchar('\t');
    put_number(relative);
    putchar('\n');
    if (!*s->first && !(relative <= convert.tolerance))
        snprintf(s->first, sizeof s->first, "%s", name);
}

int put_compare(char **in)
{
    struct state s = { 0 };
    struct rn_model *m = load_model(in[0]), *reference = load_model(convert.compare);
    must(rn_model_compare(m, reference, 1, put_block, &s));
    if (*s.first)
        warn("the first that differs is %s", s.first);
    rn_model_free(m);
    rn_model_free(reference);
    return *s.first ? 1 : 0;
}
