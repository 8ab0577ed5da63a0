/* A file's tensors by the names that a dialect gives them, in byte order (see recognise.h). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "weights/recognise.h"

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct rn_seen *)a)->name, ((const struct rn_seen *)b)->name);
}

void rn_view_release(struct rn_view *v)
{
    rn_free(v->item);
    *v = (struct rn_view){ 0 };
}

int rn_view_init(struct rn_view *v, const struct rn_weights *w, const struct rn_dialect *d,
                 const char *path)
{
    *v = (struct rn_view){ .item = rn_alloc((size_t)w->tensors, sizeof *v->item) };
    if (!v->item)
        return RN_EMEM;
    for (; v->n < w->tensors; v->n++) {
        struct rn_seen *s = &v->item[v->n];
        s->t = &w->tensor[v->n];
        if (!rn_name_read(d, s->t->name, s->name))
            return rn_fail(RN_EFORMAT, "%s: tensor %.80s: no network has such a name", path,
                           s->t->name);
    }
    qsort(v->item, (size_t)v->n, sizeof *v->item, compare);
    for (int i = 1; i < v->n; i++)
        if (!compare(&v->item[i - 1], &v->item[i]))
            return rn_fail(RN_EFORMAT, "%s: tensors %s and %s would both be %s", path,
                           v->item[i - 1].t->name, v->item[i].t->name, v->item[i].name);
    return 0;
}

struct rn_seen *rn_view_seen(const struct rn_view *v, const char *name)
{
    int first = 0, last = v->n;
    while (first < last) {
        int middle = (first + last) / 2, c = strcmp(v->item[middle].name, name);
        if (c == 0)
            return &v->item[middle];
        if (c < 0)
            first = middle + 1;
        else
            last = middle;
    }
    return NULL;
}

const struct rn_tensor *rn_view_find(const struct rn_view *v, const char *name)
{
    const struct rn_seen *s = rn_view_seen(v, name);
    return s ? s->t : NULL;
}

const struct rn_tensor *rn_view_get(const struct rn_view *v, const char *fmt, ...)
{
    char name[RN_FOREIGN_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    return rn_view_find(v, name);
}
