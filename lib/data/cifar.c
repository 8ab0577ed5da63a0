/*
 * CIFAR-10 and CIFAR-100 in their binary version: records of a label (CIFAR-100: the coarse one,
 * then the fine one, which counts) and 32x32 pixels as planes of red, green and blue. A file of
 * them has no magic: it is told by its name, *.bin, and by labels that are possible.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/source.h"

enum {
    SIDE = 32,
    CHANNELS = 3,
    PLANE = SIDE * SIDE,
    PIXELS = CHANNELS * PLANE,
    FILES_MAX = 99, /* data_batch_1.bin, data_batch_2.bin, ... */
};

/* The two layouts. */
static const struct layout {
    int labels;       /* bytes before the pixels, the last one counts */
    int most[2];      /* each is below this */
    const char *meta; /* the file beside them that names the classes */
} layouts[] = { { 1, { 10 }, "batches.meta.txt" }, { 2, { 20, 100 }, "fine_label_names.txt" } };

struct file {
    struct rn_map map;
    char *path;
    long first, count; /* pictures */
};

struct cifar {
    const struct layout *layout;
    struct file file[FILES_MAX];
    int files;
    uint8_t *label; /* [count] */
};

static size_t record_size(const struct layout *l)
{
    return (size_t)l->labels + PIXELS;
}

static bool labels_possible(const struct layout *l, const uint8_t *record)
{
    for (int i = 0; i < l->labels; i++)
        if (record[i] >= l->most[i])
            return false;
    return true;
}

/* ---- the names of the files ---- */

/* The path of a file in a folder, into path[PATH_MAX]; false: it is not there. */
static bool has(const char *folder, const char *name, char *path)
{
    int n = snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return n < PATH_MAX && !access(path, F_OK);
}

/* The same of file `number` (from 1) of a part: only the train part of CIFAR-10 has several. */
static bool file_in(const char *folder, enum rn_part part, int number, char *path)
{
    char batch[32];
    snprintf(batch, sizeof batch, "data_batch_%d.bin", number);
    if (part == RN_PART_TEST)
        return number == 1 &&
               (has(folder, "test_batch.bin", path) || has(folder, "test.bin", path));
    return has(folder, batch, path) || (number == 1 && has(folder, "train.bin", path));
}

static bool has_part(const char *path, enum rn_part part)
{
    char file[PATH_MAX];
    return part != RN_PART_DEFAULT && file_in(path, part, 1, file);
}

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);
    return n >= m && !strcmp(s + n - m, tail);
}

static bool probe(const char *path, const uint8_t *head, size_t n, bool folder)
{
    char file[PATH_MAX];
    if (folder) /* train.bin alone may be anything */
        return has(path, "data_batch_1.bin", file) || has(path, "test_batch.bin", file) ||
               (has(path, "train.bin", file) && has(path, "test.bin", file));
    if (n < 2 || !ends_with(path, ".bin"))
        return false;
    return labels_possible(&layouts[0], head) || labels_possible(&layouts[1], head);
}

/* ---- opening ---- */

static int add_file(struct cifar *c, const char *path)
{
    struct file *f = &c->file[c->files++];
    f->path = rn_strdup(path);
    return f->path ? rn_map_open(&f->map, path) : RN_EMEM;
}

static int add_folder(struct rn_source *s, enum rn_part part)
{
    struct cifar *c = s->impl;
    char path[PATH_MAX];
    int status = 0;
    for (int i = 1; !status && i <= FILES_MAX && file_in(s->path, part, i, path); i++)
        status = add_file(c, path);
    if (!status && !c->files)
        status = rn_fail(RN_EUSAGE, "%s: has no %s part", s->path,
                         part == RN_PART_TEST ? "test" : "train");
    return status;
}

/* The picture from 0 in the file whose labels are impossible, -1: all are possible. */
static long impossible(const struct file *f, const struct layout *l)
{
    size_t size = record_size(l);
    for (size_t i = 0; i < f->map.size / size; i++)
        if (!labels_possible(l, f->map.data + i * size))
            return (long)i;
    return -1;
}

/* The first file tells which layout it is: by its size, and where that is a multiple of both, by
 * its labels. */
static int choose_layout(struct cifar *c)
{
    const struct file *f = &c->file[0];
    const struct layout *fits = NULL;
    for (int i = 0; i < 2; i++)
        if (f->map.size && f->map.size % record_size(&layouts[i]) == 0 &&
            (!fits || impossible(f, fits) >= 0))
            fits = &layouts[i];
    c->layout = fits;
    return fits ? 0
                : rn_fail(RN_EFORMAT,
                          "%s: %zu bytes are no multiple of a CIFAR record (%zu, or %zu of "
                          "CIFAR-100)",
                          f->path, f->map.size, record_size(&layouts[0]), record_size(&layouts[1]));
}

static int check_file(const struct cifar *c, struct file *f)
{
    size_t size = record_size(c->layout);
    if (!f->map.size || f->map.size % size)
        return rn_fail(RN_EFORMAT, "%s: %zu bytes are no multiple of %zu, the CIFAR record of %s",
                       f->path, f->map.size, size, c->file[0].path);
    long wrong = impossible(f, c->layout);
    if (wrong >= 0)
        return rn_fail(RN_EFORMAT, "%s: picture %ld has no label of CIFAR-%d", f->path, wrong,
                       c->layout->most[c->layout->labels - 1]);
    f->count = (long)(f->map.size / size);
    return 0;
}

static const uint8_t *record(const struct cifar *c, const struct file *f, long i)
{
    return f->map.data + (size_t)i * record_size(c->layout);
}

static int take_labels(struct rn_source *s, struct cifar *c)
{
    c->label = rn_alloc((size_t)s->count, 1);
    if (!c->label)
        return RN_EMEM;
    for (int i = 0; i < c->files; i++)
        for (long j = 0; j < c->file[i].count; j++)
            c->label[c->file[i].first + j] = record(c, &c->file[i], j)[c->layout->labels - 1];
    return 0;
}

/* The classes are named by the file that comes with the data, where it is there. */
static int name_classes(struct rn_source *s, const struct cifar *c)
{
    char path[PATH_MAX];
    const char *first = c->file[0].path, *slash = strrchr(first, '/');
    int n = snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash - first) + 1 : 0, first,
                     c->layout->meta);
    if (n >= PATH_MAX || access(path, F_OK))
        return 0;
    return rn_source_name_classes(s, path);
}

static int begin(struct rn_source *s, struct cifar *c)
{
    int status = choose_layout(c);
    s->random = true;
    s->C = CHANNELS;
    s->H = s->W = SIDE;
    for (int i = 0; !status && i < c->files; i++) {
        c->file[i].first = s->count;
        status = check_file(c, &c->file[i]);
        s->count += c->file[i].count;
    }
    status = status ? status : take_labels(s, c);
    if (status)
        return status;
    s->classes = c->layout->most[c->layout->labels - 1];
    return name_classes(s, c);
}

static int open_cifar(struct rn_source *s, const char *path, enum rn_part part)
{
    struct cifar *c = s->impl = rn_alloc(1, sizeof *c);
    struct stat st;
    if (!c)
        return RN_EMEM;
    if (s->fd >= 0)
        return rn_fail(RN_EFORMAT, "%s: CIFAR is read from files, not from a pipe", path);
    bool folder = !stat(path, &st) && S_ISDIR(st.st_mode);
    int status = folder ? add_folder(s, part) : add_file(c, path);
    return status ? status : begin(s, c);
}

/* ---- reading ---- */

static int label_of(const struct rn_source *s, long index)
{
    const struct cifar *c = s->impl;
    return c->label[index];
}

/* Planes to pixels: [C][H][W] -> [H][W][C]. */
static void interleave(uint8_t *restrict out, const uint8_t *restrict plane)
{
    for (int i = 0; i < PLANE; i++)
        for (int k = 0; k < CHANNELS; k++)
            out[i * CHANNELS + k] = plane[k * PLANE + i];
}

static int read_cifar(struct rn_source *s, long index, struct rn_item *it)
{
    const struct cifar *c = s->impl;
    const struct file *f = c->file;
    if (index >= s->count)
        return 0;
    while (index >= f->first + f->count)
        f++;
    if (rn_item_begin(it, f->path, index - f->first) || rn_item_reserve(it, PIXELS))
        return RN_EMEM;
    it->label = c->label[index];
    interleave(it->data, record(c, f, index - f->first) + c->layout->labels);
    it->image = (struct rn_image){ SIDE, SIDE, CHANNELS, it->data };
    return 1;
}

static void close_cifar(struct rn_source *s)
{
    struct cifar *c = s->impl;
    for (int i = 0; c && i < c->files; i++) {
        rn_map_close(&c->file[i].map);
        rn_free(c->file[i].path);
    }
    if (c)
        rn_free(c->label);
    rn_free(c);
}

const struct rn_source_kind rn_source_cifar = {
    .name = "CIFAR",
    .probe = probe,
    .has_part = has_part,
    .open = open_cifar,
    .read = read_cifar,
    .label = label_of,
    .close = close_cifar,
};
