/*
 * Parameters, running statistics and multiply-accumulates of every network of the table, against
 * tests/golden/counts.tsv: torchvision's own, and PyTorch modules written after the papers
 * (scripts/golden_counts.py). Single blocks against figures of their sources.
 */
#include <stdio.h>
#include <string.h>

#include "model/model.h"
#include "tap.h"

struct counts {
    uint64_t params, buffers, macs;
};

static bool count(const char *spec, int C, int H, int W, struct counts *c)
{
    struct rn_model *m;
    struct rn_layer l;
    if (rn_model_plan(&m, spec, C, H, W, 0))
        return false;
    *c = (struct counts){ 0 };
    for (int i = 0; i < rn_model_layers(m); i++) {
        rn_model_layer(m, i, &l);
        c->params += l.params;
        c->buffers += l.buffers;
        c->macs += l.macs;
    }
    rn_model_free(m);
    return true;
}

static void check(const char *spec, int C, int H, int W, struct counts want)
{
    struct counts c;
    if (!count(spec, C, H, W, &c)) {
        ok(false, "%s", rn_error());
        return;
    }
    ok(c.params == want.params && c.buffers == want.buffers && c.macs == want.macs,
       "%s: %ju parameters, %ju running statistics, %ju MACs", spec, (uintmax_t)c.params,
       (uintmax_t)c.buffers, (uintmax_t)c.macs);
}

/* The line of this network in the golden table. */
static bool find(FILE *f, const char *name, int shape[3], struct counts *want)
{
    char line[256], row[64];
    uintmax_t n[3];
    rewind(f);
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "%63s %dx%dx%d %ju %ju %ju", row, &shape[0], &shape[1], &shape[2], &n[0],
                   &n[1], &n[2]) == 7 &&
            !strcmp(row, name)) {
            *want = (struct counts){ n[0], n[1], n[2] };
            return true;
        }
    return false;
}

static void test_networks(void)
{
    FILE *f = fopen("tests/golden/counts.tsv", "r");
    struct counts want;
    int shape[3];

    if (!ok(f != NULL, "tests/golden/counts.tsv"))
        return;
    for (const struct rn_variant *v = rn_variants; v->name; v++) {
        if (v->family->spec.single)
            continue;
        if (!find(f, v->name, shape, &want))
            ok(false, "%s has no line in counts.tsv", v->name);
        else
            check(v->name, shape[0], shape[1], shape[2], want);
        ok(v->family->H == shape[1] && v->family->spec.in == shape[0], "%s: its default input",
           v->name);
    }
    fclose(f);
}

/* Dive into Deep Learning's blocks by their definition; torchvision's as parts of its networks. */
static void test_blocks(void)
{
    check("residual", 0, 0, 0, (struct counts){ 180, 12, 36 * 2 * 81 });
    check("residual:proj,stride=2,out=6", 0, 0, 0,
          (struct counts){ 546, 24, 9 * (6 * 27 + 6 * 54 + 18) });
    check("resnext:out=32,group-width=16", 0, 0, 0,
          (struct counts){ 6944, 192, 96 * 96 * (2 * 1024 + 4608) });
    check("resnext:out=32,groups=16", 0, 0, 0,
          (struct counts){ 2912, 192, 96 * 96 * (2 * 1024 + 576) });
    /* GoogLeNet's inception (3a): 163328 weights */
    check("inception", 0, 0, 0, (struct counts){ 163328 + 368, 0, 144 * 163328 });
    check("shift", 0, 0, 0, (struct counts){ 2 * 64 * 64 + 256, 256, 3136 * 2 * 4096 });
    check("basic", 0, 0, 0, (struct counts){ 73984, 256, 231211008 });
    check("bottleneck", 0, 0, 0, (struct counts){ 70400, 768, 218365952 });
    /* He et al. 2015 put the stride first: 3.8 instead of 4.1 billion */
    check("resnet50:stride-at=1x1", 0, 0, 0, (struct counts){ 25557032, 53120, 3857973248 });
    check("resnet9:in=1", 0, 28, 28, (struct counts){ 486650, 1376, 20831744 });
    check("resnet18:plain", 0, 0, 0, (struct counts){ 11515688, 7808, 1794805760 });
}

int main(void)
{
    test_networks();
    test_blocks();
    return done();
}
