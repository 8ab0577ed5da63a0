/*
 * The lines that layer_summary of Dive into Deep Learning prints under four frameworks: ":", a tab
 * and a space before the shape. A single block is one line, its shape, as the text prints it.
 */
#include <stdio.h>
#include <string.h>

#include "summary.h"

/* A shape as the framework writes it; JAX and TensorFlow put channels last. */
static void put_shape(enum style style, const struct group *g, const char *before,
                      const char *after)
{
    fputs(before, stdout);
    if (g->flat)
        printf("%d, %d", g->N, g->C);
    else if (style == STYLE_JAX || style == STYLE_TF)
        printf("%d, %d, %d, %d", g->N, g->H, g->W, g->C);
    else
        printf("%d, %d, %d, %d", g->N, g->C, g->H, g->W);
    puts(after);
}

static void put_line(enum style style, const char *layer, const struct group *g)
{
    printf("%s output shape:\t ", layer);
    put_shape(style, g, style == STYLE_TORCH ? "torch.Size([" : "(",
              style == STYLE_TORCH ? "])" : ")");
}

/* MXNet's head is two layers, of which the pool keeps its 1x1 map. */
static void put_mxnet_head(const struct subject *s, const struct group *head)
{
    struct rn_layer pool;
    struct group pooled = *head;
    rn_model_layer(s->model, head->to - 2, &pool);
    pooled.H = pool.H;
    pooled.W = pool.W;
    pooled.C = pool.C;
    pooled.flat = false;
    bool max = strcmp(pool.op, "max pool") == 0;
    put_line(STYLE_MXNET, max ? "GlobalMaxPool2D" : "GlobalAvgPool2D", &pooled);
    put_line(STYLE_MXNET, "Dense", head);
}

static void put_block(enum style style, const struct group *g)
{
    static const char *const before[] = { [STYLE_TORCH] = "torch.Size([",
                                          [STYLE_MXNET] = "(",
                                          [STYLE_JAX] = "(",
                                          [STYLE_TF] = "TensorShape([" };
    put_shape(style, g, before[style], style == STYLE_TORCH || style == STYLE_TF ? "])" : ")");
}

void put_style(const struct subject *s, enum style style)
{
    struct group g;
    for (int from = 0; group_next(s, from, &g); from = g.to)
        if (strcmp(g.name, "block") == 0)
            put_block(style, &g);
        else if (style == STYLE_MXNET && g.flat)
            put_mxnet_head(s, &g);
        else
            put_line(style, "Sequential", &g);
}
