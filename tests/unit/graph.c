/* The graph: shape inference and its errors, fusing into units, liveness. */
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "graph/fuse.h"
#include "graph/layout.h"
#include "model/model.h"
#include "tap.h"

/* ---- shapes, errors ---- */

static void refuses(const char *spec, int H, int W, const char *sentence)
{
    struct rn_model *m;
    int status = rn_model_new(&m, spec, 0, H, W, 0);
    ok(status == RN_EUSAGE && !m && !strcmp(rn_error(), sentence), "%s: %s", spec, rn_error());
}

static void test_refusals(void)
{
    refuses("resnet18:groups=5", 32, 32,
            "layer1.0.conv1: 64 channels in and 64 out can't be cut into 5 groups");
    refuses("resnet50:groups=65536,group-width=65536", 32, 32,
            "layer1.0: its bottleneck has 4294967296 channels, from 1 to 65536");
    refuses("cifar-resnet20", 536870912, 536870912,
            "input of 3x536870912x536870912: each from 1 to 65536");
    refuses("resnet5O", 0, 0, "resnet5O: no network of this name; nearest is resnet50");
    refuses("resnet50:class=3", 0, 0, "resnet50:class=3: no key class; nearest is classes");
    refuses("resnet50:classes=0", 0, 0,
            "resnet50:classes=0: classes=0: takes a number from 1 to 1000000");
    refuses("resnet50:block=big", 0, 0,
            "resnet50:block=big: block=big: takes one of basic, bottleneck, preact, "
            "preact-bottleneck, regnet, fast, pooled, inception, inception-bn, shift");
    refuses("resnet18:stages=1x7,block=inception", 32, 32,
            "layer1.0: an inception block has 8 channels or more, not 7");
    refuses("resnet50:bn-eps=nan", 0, 0,
            "resnet50:bn-eps=nan: bn-eps=nan: takes a number from 1e-12 to 1");
    refuses("resnet50:se=1.5", 0, 0, "resnet50:se=1.5: se=1.5: takes a number from 0 to 1");
    refuses("resnet50:stride=2", 0, 0,
            "resnet50:stride=2: stride is a key of single blocks, not of networks");
    refuses("residual:classes=3", 0, 0, "residual:classes=3: a single block has no classes");
    refuses("resnext:groups=8,group-width=16", 96, 96,
            "block: its bottleneck of 32 channels is not 8 groups of 16");
    refuses("resnext:group-width=5", 96, 96,
            "block: its bottleneck of 32 channels is not 6 groups of 5");
    refuses("resnet50:stages=1x3", 32, 32,
            "layer1.0: its bottleneck has 0 channels, from 1 to 65536");
    refuses("resnet9", 200, 200,
            "maxpool: a window of 25x25: at most 255 pixels, so pool=avg or smaller pictures");
    refuses("resnet50:classes", 0, 0, "resnet50:classes: \"classes\" is not KEY=VALUE");
    refuses("resnet18:stages=2x64+", 0, 0,
            "resnet18:stages=2x64+: stages=2x64+: takes BLOCKSxCHANNELS joined by +, at most 8 "
            "(2x64+2x128)");
    refuses("cifar-resnet20:stages=1x16+1x8", 32, 32,
            "layer2.0: shortcut=pad can't go from 16 channels to 8");
}

static void canonical(const char *text, const char *want)
{
    struct rn_spec s, again;
    char print[512] = "", second[512] = "";
    bool right = !rn_spec_parse(&s, text) && !rn_spec_print(&s, print, sizeof print) &&
                 !strcmp(print, want) && !rn_spec_parse(&again, print) &&
                 !rn_spec_print(&again, second, sizeof second) && !strcmp(print, second);
    ok(right, "%s is %s", text, print);
}

static void test_canonical(void)
{
    canonical("resnet18", "resnet18");
    canonical("resnet18:classes=1000,in=3", "resnet18");
    canonical("resnet18:classes=10,in=1", "resnet18:in=1,classes=10");
    canonical("d2l-resnet18:bias=no,stages=1x8+1x16", "d2l-resnet18:stages=1x8+1x16,bias=no");
    canonical("resnet50:groups=32,base-width=4", "resnet50:groups=32,base-width=4");
    canonical("residual:out=6,stride=2,proj", "residual:out=6,stride=2,proj=yes");
    canonical("resnet18:plain,bn-eps=0.001,bn-momentum=1e-2",
              "resnet18:plain=yes,bn-eps=0.001,bn-momentum=0.01");
    canonical("resnet18:se=0.123456789", "resnet18:se=0.12345679");
    ok(rn_spec_sets("resnet18:in=3,classes=4", "classes") &&
           rn_spec_sets("resnet18:in=3,classes=4", "in") && !rn_spec_sets("resnet18", "in") &&
           !rn_spec_sets("resnet18:classes=4", "class"),
       "which keys a spec sets itself");
}

/* ---- fusing ---- */

static bool unit_is(const struct rn_graph *g, const struct rn_unit *u, const char *nodes, int in,
                    int residual)
{
    const int part[] = { u->main, u->bn, u->add, u->relu };
    char text[256] = "";
    for (int i = 0; i < 4; i++)
        if (part[i] >= 0) {
            size_t n = strlen(text);
            snprintf(text + n, sizeof text - n, "%s%s", n ? " " : "", g->node[part[i]].name);
        }
    bool right = !strcmp(text, nodes) && u->in == in && u->residual == residual;
    if (!right)
        printf("# %s in %d residual %d\n", text, u->in, u->residual);
    return right;
}

static void test_units(void)
{
    struct rn_spec s;
    struct rn_graph g;
    struct rn_units u;
    static const struct {
        const char *nodes;
        int in, residual;
    } want[] = {
        { "conv1 bn1 relu", -1, -1 },
        { "maxpool", 0, -1 },
        { "layer1.0.conv1 layer1.0.bn1 layer1.0.relu1", 1, -1 },
        { "layer1.0.conv2 layer1.0.bn2 layer1.0.add layer1.0.relu2", 2, 1 },
        { "layer2.0.downsample.0", 3, -1 },
        { "layer2.0.conv1 layer2.0.bn1 layer2.0.relu1", 3, -1 },
        { "layer2.0.conv2 layer2.0.bn2 layer2.0.add layer2.0.relu2", 5, 4 },
        { "avgpool", 6, -1 },
        { "fc", 7, -1 },
    };

    if (!ok(!rn_spec_parse(&s, "d2l-resnet18:stages=1x64+1x128") &&
                !rn_spec_build(&s, 32, 32, &g) && !rn_units_init(&u, &g),
            "units of a d2l network"))
        return;
    ok(u.units == sizeof want / sizeof *want, "%d of them", u.units);
    for (int i = 0; i < u.units && i < (int)(sizeof want / sizeof *want); i++)
        ok(unit_is(&g, &u.unit[i], want[i].nodes, want[i].in, want[i].residual), "unit %d: %s", i,
           want[i].nodes);
    rn_units_release(&u);
    rn_graph_release(&g);
}

/* Adds a node of an op without attributes. */
static int plain(struct rn_graph *g, const struct rn_op *op, const char *name, int a, int b)
{
    struct rn_node n = { .op = op, .inputs = b >= 0 ? 2 : 1, .in = { a, b } };
    n.as.bn.eps = 1e-5f;
    snprintf(n.name, sizeof n.name, "%s", name);
    return rn_graph_add(g, &n);
}

/* A tensor with two readers ends its unit, even where a batch norm, add or ReLU follows. */
static void test_two_readers(void)
{
    struct rn_graph g;
    struct rn_units u;
    rn_graph_init(&g, (struct rn_shape){ 4, 4, 2 });
    rn_graph_stage(&g, "all");
    int bn = plain(&g, &rn_op_bn, "bn", 0, -1);
    int relu = plain(&g, &rn_op_relu, "relu", bn, -1);
    plain(&g, &rn_op_add, "add", bn, relu);
    ok(g.status == 0 && !rn_units_init(&u, &g), "a tensor with two readers");
    ok(u.units == 3 && unit_is(&g, &u.unit[0], "bn", -1, -1) &&
           unit_is(&g, &u.unit[1], "relu", 0, -1) && unit_is(&g, &u.unit[2], "add", 0, 1),
       "is not fused away");
    rn_units_release(&u);
    rn_graph_release(&g);
}

/* ---- liveness ---- */

static bool overlap(const struct rn_span *a, const struct rn_span *b)
{
    return a->first <= b->last && b->first <= a->last && a->offset < b->offset + b->bytes &&
           b->offset < a->offset + a->bytes;
}

static void test_layout(void)
{
    enum { SPANS = 60 };
    struct rn_span s[SPANS];
    struct rn_rng r;
    bool right = true;
    size_t total, sum = 0;

    rn_rng_init(&r, 7, RN_RNG_TEST, 0, 0);
    for (int i = 0; i < SPANS; i++) {
        int first = (int)rn_rng_below(&r, 40);
        s[i] = (struct rn_span){ 1 + rn_rng_below(&r, 5000), first,
                                 first + (int)rn_rng_below(&r, 6), 1 };
        sum += rn_align(s[i].bytes);
    }
    ok(!rn_layout(s, SPANS, &total), "60 random spans");
    for (int i = 0; i < SPANS; i++) {
        right &= s[i].offset % RN_ALIGN == 0 && s[i].offset + s[i].bytes <= total;
        for (int j = 0; j < i; j++)
            right &= !overlap(&s[i], &s[j]);
    }
    ok(right, "no two alive together overlap, all aligned and inside");
    ok(total < sum / 2, "%zu bytes instead of %zu", total, sum);
    s[0].bytes = SIZE_MAX - 8;
    ok(rn_layout(s, SPANS, &total) == RN_EMEM, "a size that overflows: %s", rn_error());
}

int main(void)
{
    test_refusals();
    test_canonical();
    test_units();
    test_two_readers();
    test_layout();
    return done();
}
