/* Tables: a row for a group of layers, for a network, for its memory, for all names. */
#include <stdio.h>
#include <stdlib.h>

#include "say.h"
#include "summary.h"

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void put_output(const struct group *g)
{
    printf(g->flat ? "%dx%d" : "%dx%dx%dx%d", g->N, g->C, g->H, g->W);
}

static void put_row(const struct subject *s, const struct group *g, const struct group *all,
                    const char *what)
{
    put_field(s->name);
    putchar('\t');
    put_field(g->name);
    putchar('\t');
    put_field(what);
    putchar('\t');
    put_output(g);
    printf("\t%llu\t%llu\t%llu\t%.9g\t%.9g\t%.9g\t%d\n", (unsigned long long)g->params,
           (unsigned long long)g->macs, (unsigned long long)g->bytes,
           percent(g->params, all->params), percent(g->macs, all->macs),
           percent(g->bytes, all->bytes), g->field);
}

void put_table(const struct subject *s)
{
    struct group g, all = group_total(s);
    for (int from = 0; group_next(s, from, &g); from = g.to) {
        char *what = group_describe(s, &g);
        put_row(s, &g, &all, what);
        free(what);
    }
    put_row(s, &all, &all, "");
}

struct memory memory_of(const struct subject *s)
{
    struct memory m = { .params = 0 };
    for (int i = 0; i < rn_model_layers(s->model); i++) {
        struct rn_layer l;
        rn_model_layer(s->model, i, &l);
        m.params += sizeof(float) * (l.params + l.buffers);
    }
    if (rn_session_bytes(s->model, s->N, s->threads, &m.infer) ||
        rn_trainer_bytes(s->model, s->N, s->threads, &m.train))
        die("%s: %s", s->name, rn_error());
    return m;
}

void put_total(const struct subject *s)
{
    const struct group all = group_total(s);
    const struct memory m = memory_of(s);
    const struct rn_prep *in = rn_model_prep(s->model);
    put_field(s->name);
    printf("\t%dx%dx%dx%d\t%llu\t%llu\t%llu\t%llu\t%llu\t%zu\t%zu\n", s->N, in->C, in->H, in->W,
           (unsigned long long)all.params, (unsigned long long)all.buffers,
           (unsigned long long)all.macs, (unsigned long long)all.macs * 2,
           (unsigned long long)all.bytes, m.infer, m.train);
}

void put_header(int depth)
{
    if (depth == DEPTH_TOTAL)
        puts("network\tinput\tparams\tbuffers\tmacs\tflops\tactivation_bytes\tinference_bytes\t"
             "training_bytes");
    else
        puts("network\tname\twhat\toutput\tparams\tmacs\tactivation_bytes\tparams_pct\tmacs_pct\t"
             "activation_pct\treceptive_field");
}

/* ---- memory, list ---- */

void put_memory_header(void)
{
    puts("network\tinput\tparameter_bytes\tinference_bytes\ttraining_bytes\tthreads\tisa");
}

void put_memory(const struct subject *s)
{
    const struct memory m = memory_of(s);
    const struct rn_prep *in = rn_model_prep(s->model);
    put_field(s->name);
    printf("\t%dx%dx%dx%d\t%zu\t%zu\t%zu\t%d\t%s\n", s->N, in->C, in->H, in->W, m.params, m.infer,
           m.train, s->threads, rn_isa_name());
}

void put_list(void)
{
    puts("network\tinput\tparams\tmacs");
    for (int i = 0; rn_spec_row(i); i++) {
        struct subject s = { .name = rn_spec_row(i), .N = 1 };
        if (rn_model_shape(&s.model, s.name, 0, 0, 0))
            die("%s", rn_error());
        const struct group all = group_total(&s);
        const struct rn_prep *in = rn_model_prep(s.model);
        printf("%s\t%dx%dx%dx%d\t%llu\t%llu\n", s.name, s.N, in->C, in->H, in->W,
               (unsigned long long)all.params, (unsigned long long)all.macs);
        rn_model_free(s.model);
    }
}
