/* The names of a source's classes: read from a file or counted, and matched to those of a model. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/source.h"

/* Names end up in JSON, which is UTF-8. */
static bool is_text(const char *s)
{
    size_t n = 1;
    for (; n && *s; s += n)
        n = rn_utf8_length(s);
    return n > 0;
}

static int find(char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(names[i], name))
            return i;
    return -1;
}

/* The names of a file, as they come. */
struct names {
    char **name;
    int n;
    size_t room;
};

/* One line of the file as the name of the next class. */
static int add_name(struct names *p, const char *labels, const uint8_t *line, size_t n)
{
    int number = p->n + 1;
    if (n == 0) {
        return rn_fail(RN_EFORMAT, "%s: line %d is empty, every line names a class", labels,
                       number);
    }
    if (rn_array_grow(&p->name, (size_t)p->n, &p->room, sizeof *p->name))
        return RN_EMEM;
    char *name = rn_alloc(n + 1, 1);
    if (!name)
        return RN_EMEM;
    memcpy(name, line, n);
    if (strlen(name) != n || !is_text(name)) {
        rn_free(name);
        return rn_fail(RN_EFORMAT, "%s: line %d is not UTF-8 text", labels, number);
    }
    int before = find(p->name, p->n, name);
    p->name[p->n++] = name;
    return before < 0 ? 0
                      : rn_fail(RN_EFORMAT, "%s: lines %d and %d name the same class, %s", labels,
                                before + 1, number, name);
}

/* The bytes without empty lines at the end, which CIFAR-10's own list has. */
static size_t without_tail(const struct rn_map *m)
{
    size_t n = m->size;
    while (n >= 2 && m->data[n - 1] == '\n' && m->data[n - 2] == '\n')
        n--;
    return n;
}

void rn_labels_free(char **label, int n)
{
    for (int i = 0; label && i < n; i++)
        rn_free(label[i]);
    rn_free(label);
}

int rn_labels_read(char ***label, int *n, const char *path)
{
    struct rn_map m;
    struct names names = { 0 };
    int status = rn_map_open(&m, path);
    size_t size = status ? 0 : without_tail(&m);
    for (size_t at = 0; !status && at < size;) {
        const uint8_t *line = m.data + at, *end = memchr(line, '\n', size - at);
        size_t count = end ? (size_t)(end - line) : size - at;
        at += count + 1;
        status = add_name(&names, path, line, count && line[count - 1] == '\r' ? count - 1 : count);
    }
    rn_map_close(&m);
    if (status) {
        rn_labels_free(names.name, names.n);
        names = (struct names){ 0 };
    }
    *label = names.name;
    *n = names.n;
    return status;
}

static int number_classes(struct rn_source *s)
{
    s->numbered = true;
    s->class = rn_alloc((size_t)s->classes, sizeof *s->class);
    if (!s->class)
        return RN_EMEM;
    for (int i = 0; i < s->classes; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        s->class[i] = rn_strdup(name);
        if (!s->class[i])
            return RN_EMEM;
    }
    return 0;
}

static void drop_names(struct rn_source *s)
{
    rn_labels_free(s->class, s->classes);
    s->class = NULL;
    s->classes = 0;
    s->numbered = false;
}

int rn_source_name_classes(struct rn_source *s, const char *labels)
{
    int classes = s->classes;
    if (!labels)
        return s->class ? 0 : number_classes(s);
    if (!classes)
        return rn_fail(RN_EUSAGE, "%s: no labels in the data that %s could name", s->path, labels);
    drop_names(s);
    int status = rn_labels_read(&s->class, &s->classes, labels);
    if (!status && s->classes < classes) {
        status = rn_fail(RN_EFORMAT, "%s: names %d classes, %s has %d", labels, s->classes, s->path,
                         classes);
    }
    return status;
}

/* Numbers are the model's own order; its list of names says more than they do. */
static int bind_in_order(const struct rn_source *s, int classes)
{
    if (s->classes <= classes)
        return 0;
    return rn_fail(RN_EUSAGE, "%s: has %d classes, the model %d: it does not know class %s",
                   s->path, s->classes, classes, s->class[classes]);
}

static int bind_by_name(struct rn_source *s, char *const *label, int classes)
{
    s->map = rn_alloc((size_t)s->classes, sizeof *s->map);
    if (!s->map)
        return RN_EMEM;
    for (int i = 0; i < s->classes; i++) {
        s->map[i] = find(label, classes, s->class[i]);
        if (s->map[i] < 0)
            return rn_fail(RN_EUSAGE, "%s: the model does not know class %s", s->path, s->class[i]);
    }
    return 0;
}

int rn_source_match(struct rn_source *s, char *const *label, int classes)
{
    rn_free(s->map);
    s->map = NULL;
    return s->numbered || !label ? bind_in_order(s, classes) : bind_by_name(s, label, classes);
}
