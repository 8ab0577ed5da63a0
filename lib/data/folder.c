/*
 * Folders of pictures, walked in the order of bytes. Where every picture stands in a folder within
 * the folder, those are its classes; a folder with train and test (or val) inside is a data set with
 * two parts.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "data/files.h"

/* The folders from the top to the one being walked: a link to one of them is a loop. */
struct level {
    const struct level *above;
    dev_t dev;
    ino_t ino;
};

struct walk {
    struct rn_source *source;
    struct rn_files *files;
    size_t class_room;
    int label;  /* of the folder below the top that is being walked, -1: the top itself */
    bool loose; /* a picture stands in the top folder: there are no classes */
};

static bool is_folder(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* ---- parts ---- */

static bool part_in(const char *folder, enum rn_part part, char *path, size_t size)
{
    static const char *const names[][2] = { { "train", "train" }, { "test", "val" } };
    for (int i = 0; i < 2; i++) {
        int n = snprintf(path, size, "%s/%s", folder, names[part == RN_PART_TEST][i]);
        if ((size_t)n < size && is_folder(path))
            return true;
    }
    return false;
}

static bool has_part(const char *path, enum rn_part part)
{
    char folder[PATH_MAX];
    return part != RN_PART_DEFAULT && part_in(path, RN_PART_TRAIN, folder, sizeof folder) &&
           part_in(path, RN_PART_TEST, folder, sizeof folder);
}

/* ---- walking ---- */

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int walk_folder(struct walk *w, const char *path, const struct level *above);

/* The class that a folder below the top stands for gets its name when its first picture is met. */
static int add_class(struct walk *w, const char *path)
{
    struct rn_source *s = w->source;
    const char *name = path + strlen(s->path), *end;
    name += strspn(name, "/");
    end = strchrnul(name, '/');
    if (rn_array_grow(&s->class, (size_t)s->classes, &w->class_room, sizeof *s->class))
        return RN_EMEM;
    char *copy = rn_alloc((size_t)(end - name) + 1, 1);
    if (!copy)
        return RN_EMEM;
    memcpy(copy, name, (size_t)(end - name));
    s->class[s->classes++] = copy;
    return 0;
}

static int add_file(struct walk *w, const char *path, int depth)
{
    if (!rn_picture_file(path)) { /* one that can't be read has a row, which says so */
        w->source->passed_over++;
        return 0;
    }
    w->loose = w->loose || depth == 0;
    if (depth > 0 && w->label == w->source->classes && add_class(w, path))
        return RN_EMEM;
    return rn_files_add(w->files, path, strlen(path), depth > 0 ? w->label : -1);
}

static int depth_of(const struct level *l)
{
    int n = 0;
    for (; l->above; l = l->above)
        n++;
    return n;
}

static int visit(struct walk *w, const char *folder, const char *name, const struct level *here)
{
    size_t n = strlen(folder), size = n + strlen(name) + 2;
    char *path = rn_alloc(size, 1);
    struct stat st;
    int status = path ? 0 : RN_EMEM;
    if (!path)
        return status;
    snprintf(path, size, "%s%s%s", folder, n && folder[n - 1] == '/' ? "" : "/", name);
    if (!here->above)
        w->label = w->source->classes;
    if (stat(path, &st) || (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)))
        w->source->passed_over++; /* a device, a pipe, a link that leads nowhere */
    else if (S_ISDIR(st.st_mode))
        status = walk_folder(w, path, here);
    else
        status = add_file(w, path, depth_of(here));
    rn_free(path);
    return status;
}

static int walk_folder(struct walk *w, const char *path, const struct level *above)
{
    struct dirent **entry;
    struct stat st;
    if (stat(path, &st))
        return rn_fail_errno("%s", path);
    for (const struct level *l = above; l; l = l->above)
        if (l->dev == st.st_dev && l->ino == st.st_ino)
            return 0;
    struct level here = { above, st.st_dev, st.st_ino };
    int n = scandir(path, &entry, visible, by_bytes), status = 0;
    if (n < 0)
        return rn_fail_errno("%s", path);
    for (int i = 0; i < n; i++) {
        status = status ? status : visit(w, path, entry[i]->d_name, &here);
        free(entry[i]);
    }
    free(entry);
    return status;
}

/* ---- the interface ---- */

static bool probe(const char *path, const uint8_t *head, size_t n, bool folder)
{
    (void)path, (void)head, (void)n;
    return folder;
}

static int enter_part(struct rn_source *s, enum rn_part part)
{
    char path[PATH_MAX];
    if (!part_in(s->path, part, path, sizeof path))
        return rn_fail(RN_EUSAGE, "%s: has no %s part", s->path,
                       part == RN_PART_TEST ? "test" : "train");
    rn_free(s->path);
    s->path = rn_strdup(path);
    return s->path ? 0 : RN_EMEM;
}

/* Pictures beside the classes' folders: none has a class. */
static void forget_classes(struct rn_source *s, struct rn_files *f)
{
    for (long i = 0; i < f->count; i++)
        f->label[i] = -1;
    for (int i = 0; i < s->classes; i++)
        rn_free(s->class[i]);
    s->classes = 0;
}

static int open_folder(struct rn_source *s, const char *path, enum rn_part part)
{
    struct rn_files *f = rn_alloc(1, sizeof *f);
    struct walk w = { .source = s, .files = f };
    if (!f)
        return RN_EMEM;
    rn_files_become(s, f);
    int status = has_part(path, RN_PART_TRAIN) ? enter_part(s, part) : 0;
    status = status ? status : walk_folder(&w, s->path, NULL);
    if (w.loose)
        forget_classes(s, f);
    if (!status && !f->count)
        status = rn_fail(RN_EFORMAT, "%s: no pictures in the folder", s->path);
    s->count = f->count;
    return status;
}

const struct rn_source_kind rn_source_folder = {
    .name = "folder", .probe = probe, .has_part = has_part, .open = open_folder
};
