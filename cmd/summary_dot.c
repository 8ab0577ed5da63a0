/* A network as a graph for graphviz: a node for each group of layers, edges where one reads another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "summary.h"

/* A string in quotes, on one line. */
static void put_quoted(const char *s)
{
    putchar('"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            putchar('\\');
        if (*s == '\n')
            fputs("\\n", stdout);
        else
            putchar(*s);
    }
    putchar('"');
}

static void put_node(const struct subject *s, int id, const struct group *g)
{
    char label[256], *what = group_describe(s, g);
    snprintf(label, sizeof label, "%s", g->name);
    if (*what && strlen(label) + strlen(what) + 2 < sizeof label) {
        strcat(label, "\n");
        strcat(label, what);
    }
    printf("    n%d [label=", id);
    put_quoted(label);
    printf("];\n");
    free(what);
}

/* group[i]: the one of layer i. Returns how many there are. */
static int put_nodes(const struct subject *s, int *group)
{
    struct group g;
    int id = 0;
    for (int from = 0; group_next(s, from, &g); from = g.to, id++) {
        put_node(s, id, &g);
        for (int i = g.from; i < g.to; i++)
            group[i] = id;
    }
    return id;
}

/* Edges into group `id`, from -1 (the input) or an earlier group, each once. */
static void put_edges(const struct subject *s, const int *group, int id, bool *seen)
{
    struct rn_layer l;
    memset(seen, 0, (size_t)id + 1);
    for (int i = 0; i < rn_model_layers(s->model); i++) {
        if (group[i] != id)
            continue;
        rn_model_layer(s->model, i, &l);
        for (int j = 0; j < l.inputs; j++) {
            int from = l.in[j] < 0 ? -1 : group[l.in[j]];
            if (from == id || seen[from + 1])
                continue;
            seen[from + 1] = true;
            if (from < 0)
                printf("    input -> n%d;\n", id);
            else
                printf("    n%d -> n%d;\n", from, id);
        }
    }
}

void put_dot(const struct subject *s)
{
    size_t layers = (size_t)rn_model_layers(s->model);
    int *group = allocate(layers, sizeof *group);
    bool *seen = allocate(layers + 1, sizeof *seen);
    const struct rn_prep *in = rn_model_prep(s->model);

    fputs("digraph ", stdout);
    put_quoted(s->name);
    printf(" {\n    node [shape=box];\n    input [label=\"%dx%dx%dx%d\"];\n", s->N, in->C, in->H,
           in->W);
    int groups = put_nodes(s, group);
    for (int id = 0; id < groups; id++)
        put_edges(s, group, id, seen);
    puts("}");
    free(group);
    free(seen);
}
