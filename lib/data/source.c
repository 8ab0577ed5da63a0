/* Sources of pictures: the table of kinds, opening by probing, and what is the same for all. */
#include "data/source.h"
#include "data/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "data/files.h"

static const struct rn_source_kind *const kinds[] = { &rn_source_idx,     &rn_source_cifar,
                                                      &rn_source_folder,  &rn_source_tar,
                                                      &rn_source_picture, NULL };

/* ---- probing ---- */

/* What else the bytes may be, for a sentence that helps. */
static const struct {
    size_t at;
    const char *bytes, *what;
} foreign[] = {
    { 0, "GIF8", "a GIF picture" },
    { 0, "PK\x03\x04", "a zip archive" },
    { 8, "{\"", "a safetensors file" },
};

static int fail_unknown(const struct rn_source *s, const uint8_t *head, size_t n)
{
    const char *path = s->path;
    if (!s->head_size)
        return rn_fail(RN_EFORMAT, "%s: is empty", path);
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        size_t length = strlen(foreign[i].bytes);
        if (foreign[i].at + length <= n &&
            !memcmp(head + foreign[i].at, foreign[i].bytes, length)) {
            return rn_fail(RN_EFORMAT,
                           "%s: is %s; this version reads pictures (PNG, JPEG, PNM, farbfeld), "
                           "folders and tar archives of them, IDX and CIFAR",
                           path, foreign[i].what);
        }
    }
    return rn_fail(
        RN_EFORMAT,
        "%s: is no picture and no data set that this version reads (PNG, JPEG, PNM, farbfeld, IDX, "
        "tar, CIFAR)",
        path);
}

/* The first bytes behind gzip's, into out[RN_SOURCE_HEAD]; those of other files as they are.
 * Returns how many. */
static size_t look_inside(const uint8_t *head, size_t n, uint8_t *out)
{
    if (!rn_is_gzip(head, n)) {
        memcpy(out, head, n);
        return n;
    }
    z_stream z = { .next_in = (Bytef *)(uintptr_t)head,
                   .avail_in = (uInt)n,
                   .next_out = out,
                   .avail_out = RN_SOURCE_HEAD };
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
        return 0;
    inflate(&z, Z_SYNC_FLUSH); /* damage shows when the file is read */
    size_t got = RN_SOURCE_HEAD - z.avail_out;
    inflateEnd(&z);
    return got;
}

/* Do the first bytes tell the kind of a file? */
static const struct rn_source_kind *find_kind(const char *path, const uint8_t *head, size_t n,
                                              bool folder)
{
    for (int i = 0; kinds[i]; i++)
        if (kinds[i]->probe(path, head, n, folder))
            return kinds[i];
    return NULL;
}

/* As many of the first bytes as come at once, and more until they tell the kind, behind gzip's, if
 * it is gzip; into inside[] as look_inside(). */
static int read_head(struct rn_source *s, int fd, uint8_t *inside, size_t *n)
{
    for (*n = 0; !find_kind(s->path, inside, *n, false) && s->head_size < sizeof s->head;) {
        ssize_t got = read(fd, s->head + s->head_size, sizeof s->head - s->head_size);
        if (got < 0 && errno != EINTR)
            return rn_fail_errno("%s", s->path);
        if (got == 0)
            break;
        s->head_size += got > 0 ? (size_t)got : 0;
        *n = look_inside(s->head, s->head_size, inside);
    }
    return 0;
}

/* Fills s->head and inside[n]; keeps s->fd only where the file can't be opened again. */
static int look_at(struct rn_source *s, bool *folder, uint8_t *inside, size_t *n)
{
    struct stat st;
    bool input = !strcmp(s->path, "-");
    s->fd = input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(s->path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0 || fstat(s->fd, &st))
        return rn_fail_errno("%s", s->path);
    *folder = S_ISDIR(st.st_mode) && !input;
    int status = *folder ? 0 : read_head(s, s->fd, inside, n);
    if (*folder || (S_ISREG(st.st_mode) && !input)) {
        close(s->fd);
        s->fd = -1;
    }
    return status;
}

static int open_kind(struct rn_source *s, const char *path, enum rn_part part,
                     enum rn_part fallback)
{
    bool folder = false;
    uint8_t inside[RN_SOURCE_HEAD];
    size_t n = 0;
    int status = look_at(s, &folder, inside, &n);
    if (status)
        return status;
    s->kind = find_kind(path, inside, n, folder);
    if (s->kind && part != RN_PART_DEFAULT &&
        !(s->kind->has_part && s->kind->has_part(path, part))) {
        s->kind = NULL; /* nothing to close */
        return folder ? rn_fail(RN_EUSAGE, "%s: has no %s part", path,
                                part == RN_PART_TEST ? "test" : "train")
                      : rn_fail(RN_EUSAGE, "%s: is one file, it has no train and test part", path);
    }
    if (s->kind)
        return s->kind->open(s, path, part == RN_PART_DEFAULT ? fallback : part);
    return fail_unknown(s, inside, n);
}

/* ---- opening and closing ---- */

static struct rn_source *new_source(const char *path)
{
    struct rn_source *s = rn_alloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->fd = -1;
    s->decode.max_pixels = RN_MAX_PIXELS;
    s->path = rn_strdup(path);
    if (s->path)
        return s;
    rn_free(s);
    return NULL;
}

/* The last step of opening: the classes get their names. */
static int finish(struct rn_source **out, struct rn_source *s, const char *labels, int status)
{
    status = status ? status : rn_source_name_classes(s, labels);
    if (status)
        rn_source_close(s);
    else
        *out = s;
    return status;
}

static int open_path(struct rn_source **out, const char *path, enum rn_part part,
                     enum rn_part fallback, const char *labels, bool labelled)
{
    struct rn_source *s = new_source(path);
    if (!s)
        return RN_EMEM;
    s->labelled = labelled;
    return finish(out, s, labels, open_kind(s, path, part, fallback));
}

int rn_source_open(struct rn_source **out, const char *path, enum rn_part part,
                   enum rn_part fallback, const char *labels)
{
    return open_path(out, path, part, fallback, labels, labels != NULL);
}

int rn_source_open_labelled(struct rn_source **out, const char *path, enum rn_part part,
                            enum rn_part fallback, const char *labels)
{
    return open_path(out, path, part, fallback, labels, true);
}

int rn_source_open_names(struct rn_source **out, const char *path, bool null, bool whole)
{
    struct rn_source *s = new_source(path);
    return s ? finish(out, s, NULL, rn_source_read_names(s, null, whole)) : RN_EMEM;
}

int rn_source_open_files(struct rn_source **out, const char *const *path, long n)
{
    struct rn_source *s = n > 0 ? new_source(path[0]) : NULL;
    struct rn_files *f = s ? rn_alloc(1, sizeof *f) : NULL;
    int status = f ? 0 : RN_EMEM;
    for (long i = 0; !status && i < n; i++)
        status = rn_files_add(f, path[i], strlen(path[i]), -1);
    if (f)
        rn_files_become(s, f);
    return s ? finish(out, s, NULL, status) : status;
}

int rn_picture_file(const char *path)
{
    uint8_t head[16];
    struct stat st;
    if (stat(path, &st))
        return -1;
    int fd = S_ISREG(st.st_mode) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return S_ISREG(st.st_mode) ? -1 : 0;
    ssize_t n = read(fd, head, sizeof head);
    close(fd);
    return n < 0 ? -1 : n > 0 && rn_image_kind(head, (size_t)n);
}

bool rn_is_picture(const char *path)
{
    return rn_picture_file(path) == 1;
}

void rn_source_close(struct rn_source *s)
{
    if (!s)
        return;
    if (s->kind && s->kind->close) /* folders and pictures that never became files have none */
        s->kind->close(s);
    if (s->fd >= 0)
        close(s->fd);
    for (int i = 0; s->class && i < s->classes; i++)
        rn_free(s->class[i]);
    rn_free(s->class);
    rn_free(s->map);
    rn_free(s->path);
    rn_free(s);
}

bool rn_source_has_part(const char *path, enum rn_part part)
{
    for (int i = 0; kinds[i]; i++)
        if (kinds[i]->has_part && kinds[i]->has_part(path, part))
            return true;
    return false;
}

void rn_source_decode(struct rn_source *s, bool as_stored, uint64_t max_pixels)
{
    s->decode.as_stored = as_stored;
    s->decode.max_pixels = max_pixels ? max_pixels : RN_MAX_PIXELS;
}

/* ---- what is in it ---- */

long rn_source_passed_over(const struct rn_source *s)
{
    return s->passed_over;
}

long rn_source_count(const struct rn_source *s)
{
    return s->count;
}

int rn_source_classes(const struct rn_source *s)
{
    return s->classes;
}

const char *rn_source_class(const struct rn_source *s, int i)
{
    return s->class[i];
}

void rn_source_shape(const struct rn_source *s, int *C, int *H, int *W)
{
    *C = s->C;
    *H = s->H;
    *W = s->W;
}

int rn_source_read(struct rn_source *s, long index, struct rn_item *it)
{
    int status = s->kind->read(s, index, it);
    if (status == 1 && it->label >= 0 && s->map)
        it->label = s->map[it->label];
    return status;
}

bool rn_source_ready(struct rn_source *s, int ms)
{
    return !s->kind->ready || s->kind->ready(s, ms);
}

/* Every piece is hashed with the hash of what came before as its seed. */
static void mix(uint64_t *hash, const void *data, size_t n)
{
    *hash = XXH3_64bits_withSeed(data, n, *hash);
}

/* A number as eight bytes, little endian on every machine. */
static void mix_number(uint64_t *hash, int64_t v)
{
    uint8_t byte[8];
    for (int i = 0; i < 8; i++)
        byte[i] = (uint8_t)((uint64_t)v >> 8 * i);
    mix(hash, byte, sizeof byte);
}

uint64_t rn_source_hash(const struct rn_source *s)
{
    uint64_t hash = 0;
    mix_number(&hash, s->count);
    mix_number(&hash, s->classes);
    for (int i = 0; i < s->classes; i++)
        mix(&hash, s->class[i], strlen(s->class[i]) + 1);
    for (long i = 0; s->classes && i < s->count; i++)
        mix_number(&hash, s->kind->label(s, i));
    return hash;
}
