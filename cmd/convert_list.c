/* rn-convert --list: a row for each tensor, as it stands in the file. */
#include <stdio.h>

#include "convert.h"
#include "say.h"

static void put_figure(double v)
{
    putchar('\t');
    put_number(v);
}

static void put_stats(const struct rn_tensor *t)
{
    struct rn_stats s;
    rn_tensor_stats(t, &s);
    put_figure(s.min);
    put_figure(s.max);
    put_figure(s.mean);
    put_figure(s.std);
    printf("\t%ju", (uintmax_t)s.nans);
}

static void put_tensor(const struct rn_tensor *t)
{
    size_t elements = 1;
    put_field(t->name);
    printf("\t%s\t", rn_dtype_name(t->dtype));
    for (int i = 0; i < t->rank; i++) {
        printf(i ? "x%zu" : "%zu", t->dim[i]);
        elements *= t->dim[i];
    }
    printf("\t%zu\t%zu", elements, t->bytes);
    put_stats(t);
    putchar('\n');
}

int put_list(char **in)
{
    struct rn_weights *w = open_file(in[0]);
    puts("name\tdtype\tshape\telements\tbytes\tmin\tmax\tmean\tstd\tnan");
    for (int i = 0; i < rn_weights_count(w); i++)
        put_tensor(rn_weights_tensor(w, i));
    rn_weights_close(w);
    return 0;
}
