/*
 * The inception block (Szegedy et al. 2015, Dive into Deep Learning 8.4): four branches side by
 * side, their shares of the channels those of the first block of GoogLeNet, (64, (96, 128),
 * (16, 32), 32) of 256. Names are the text's.
 */
#include <stdio.h>

#include "base/err.h"
#include "model/build.h"

enum { LEAST = 8 }; /* channels, one for the narrowest branch */

/* Convolution and ReLU; in an inception-bn block batch norm between them. */
static int layer(struct rn_build *b, int x, const char *name, int K, int size)
{
    char text[16];

    x = rn_put_conv(b, x, name, K < 1 ? 1 : K, size, 1, 1);
    if (b->s->block == RN_BLOCK_INCEPTION_BN) {
        snprintf(text, sizeof text, "%s_bn", name);
        x = rn_put_bn(b, x, text);
    }
    snprintf(text, sizeof text, "%s_relu", name);
    return rn_put_relu(b, x, text);
}

/* As in GoogLeNet the stride is a max pool before. */
int rn_put_inception(struct rn_build *b, const struct rn_place *p)
{
    int x = p->x, K = p->channels, K2 = K / 2, K3 = K / 8, K1 = K / 4, K4 = K - K1 - K2 - K3;

    if (K < LEAST && !b->g->status)
        b->g->status = rn_fail(RN_EUSAGE, "%s: an inception block has %d channels or more, not %d",
                               *b->prefix ? b->prefix : "block", LEAST, K);
    if (p->stride > 1)
        x = rn_put_maxpool(b, x, "maxpool", 3, p->stride, 1);
    int b1 = layer(b, x, "b1_1", K1, 1);
    int b2 = layer(b, layer(b, x, "b2_1", 3 * K / 8, 1), "b2_2", K2, 3);
    int low = rn_put_concat(b, b1, b2, "concat1");
    int b3 = layer(b, layer(b, x, "b3_1", K / 16, 1), "b3_2", K3, 5);
    int b4 = layer(b, rn_put_maxpool(b, x, "b4_1", 3, 1, 1), "b4_2", K4, 1);
    return rn_put_concat(b, low, rn_put_concat(b, b3, b4, "concat2"), "concat3");
}
