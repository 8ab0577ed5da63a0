/* A network as an object a line. */
#include <stdio.h>
#include <stdlib.h>

#include "say.h"
#include "summary.h"

static void put_numbers(const char *key, const float *v, int n)
{
    printf(",\"%s\":[", key);
    for (int i = 0; i < n; i++) {
        fputs(i ? "," : "", stdout);
        put_json_number(v[i]);
    }
    putchar(']');
}

static void put_labels(const struct rn_model *m)
{
    if (!rn_model_label(m, 0)) {
        fputs(",\"labels\":null", stdout);
        return;
    }
    fputs(",\"labels\":[", stdout);
    for (int i = 0; i < rn_model_classes(m); i++) {
        fputs(i ? "," : "", stdout);
        put_json(rn_model_label(m, i));
    }
    putchar(']');
}

/* What only a file has. */
static void put_file_members(const struct rn_model *m)
{
    const struct rn_prep *prep = rn_model_prep(m);
    const char *provenance = rn_model_provenance(m);
    put_labels(m);
    int channels = prep->C < RN_CHANNELS_MAX ? prep->C : RN_CHANNELS_MAX;
    put_numbers("mean", prep->mean, channels);
    put_numbers("std", prep->std, channels);
    putchar(',');
    put_json_member("resize", prep->resize);
    fputs(",\"provenance\":", stdout);
    for (const char *c = provenance ? provenance : "null"; *c; c++)
        putchar(*c == '\n' || *c == '\r' ? ' ' : *c); /* JSON to the last byte, but on one line */
}

static void put_json_rows(const struct subject *s)
{
    struct group g;
    fputs(",\"rows\":[", stdout);
    for (int from = 0; group_next(s, from, &g); from = g.to) {
        char *what = group_describe(s, &g);
        printf("%s{\"name\":", from ? "," : "");
        put_json(g.name);
        fputs(",\"what\":", stdout);
        put_json(what);
        printf(g.flat ? ",\"output\":[%d,%d]" : ",\"output\":[%d,%d,%d,%d]", g.N, g.C, g.H, g.W);
        printf(",\"parameters\":%llu,\"buffers\":%llu,\"macs\":%llu,\"activation_bytes\":%llu,"
               "\"receptive_field\":%d}",
               (unsigned long long)g.params, (unsigned long long)g.buffers,
               (unsigned long long)g.macs, (unsigned long long)g.bytes, g.field);
        free(what);
    }
    putchar(']');
}

void put_json_object(const struct subject *s)
{
    const struct group all = group_total(s);
    const struct memory m = memory_of(s);
    const struct rn_prep *in = rn_model_prep(s->model);
    putchar('{');
    put_json_member("network", s->name);
    putchar(',');
    put_json_member("spec", rn_model_spec(s->model));
    printf(",\"input\":[%d,%d,%d,%d],\"parameters\":%llu,\"buffers\":%llu,\"macs\":%llu,"
           "\"flops\":%llu,\"activation_bytes\":%llu,\"inference_bytes\":%zu,"
           "\"training_bytes\":%zu,\"threads\":%d,\"isa\":\"%s\"",
           s->N, in->C, in->H, in->W, (unsigned long long)all.params,
           (unsigned long long)all.buffers, (unsigned long long)all.macs,
           (unsigned long long)all.macs * 2, (unsigned long long)all.bytes, m.infer, m.train,
           s->threads, rn_isa_name());
    if (s->original)
        put_file_members(s->original);
    put_json_rows(s);
    puts("}");
}
