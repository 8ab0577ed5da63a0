/*
 * IDX, the format of MNIST and Fashion-MNIST: a big-endian magic 0 0 TYPE RANK, RANK sizes of four
 * bytes, then the values. Pictures are 8-bit of rank 3 [N][H][W], their labels 8-bit of rank 1 in a
 * file of their own. A plain file is mapped, a .gz is inflated into memory, a pipe is streamed.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/source.h"
#include "data/stream.h"

enum {
    PICTURES = 0x803,
    LABELS = 0x801,
    PICTURES_HEADER = 16,
    LABELS_HEADER = 8,
    SIDE_MAX = 65535,
    DEFLATE_MAX = 1032 /* bytes that one byte of deflate data can stand for (zlib's manual) */
};

struct idx {
    struct rn_map map;        /* plain file */
    uint8_t *memory;          /* gzip file, inflated [count][H][W]; a pipe's picture [H][W] */
    const uint8_t *pixel;     /* [count][H][W], in one of them; NULL for a pipe */
    uint8_t *label;           /* [count]; NULL: no labels */
    size_t size;              /* bytes of a picture */
    struct rn_stream *stream; /* a pipe */
    long next;                /* the picture that it gives next */
    size_t have;              /* bytes of it in memory */
};

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* ---- pictures ---- */

/* Checks the header and sets count, shape and, in bytes, the size of all pictures. */
static int parse_header(struct rn_source *s, const uint8_t *p, size_t n, size_t *bytes)
{
    struct idx *x = s->impl;
    if (n >= 4 && be32(p) == LABELS)
        return rn_fail(RN_EFORMAT, "%s: holds IDX labels; name the file of pictures", s->path);
    if (n >= 4 && be32(p) != PICTURES) {
        return rn_fail(RN_EFORMAT, "%s: IDX magic %08x, need %08x (8-bit pictures [N][H][W])",
                       s->path, (unsigned)be32(p), PICTURES);
    }
    if (n < PICTURES_HEADER) {
        return rn_fail(RN_EFORMAT, "%s: cut off in the header (%zu of %d bytes)", s->path, n,
                       PICTURES_HEADER);
    }
    uint32_t count = be32(p + 4), H = be32(p + 8), W = be32(p + 12);
    if (count == 0)
        return rn_fail(RN_EFORMAT, "%s: holds no pictures", s->path);
    if (H < 1 || W < 1 || H > SIDE_MAX || W > SIDE_MAX) {
        return rn_fail(RN_EFORMAT, "%s: pictures of %ux%u pixels, need 1 to %d", s->path,
                       (unsigned)H, (unsigned)W, SIDE_MAX);
    }
    x->size = (size_t)H * W;
    if (!rn_mul(bytes, x->size, count) || *bytes > SIZE_MAX / 2) {
        return rn_fail(RN_EFORMAT, "%s: %u pictures of %ux%u do not fit the address space", s->path,
                       (unsigned)count, (unsigned)H, (unsigned)W);
    }
    s->count = (long)count;
    s->C = 1;
    s->H = (int)H;
    s->W = (int)W;
    return 0;
}

static int map_pictures(struct rn_source *s)
{
    struct idx *x = s->impl;
    size_t bytes;
    int status = rn_map_open(&x->map, s->path);
    status = status ? status : parse_header(s, x->map.data, x->map.size, &bytes);
    if (status)
        return status;
    if (x->map.size - PICTURES_HEADER != bytes) {
        return rn_fail(RN_EFORMAT, "%s: %s: %ld pictures of %dx%d need %zu bytes, the file has %zu",
                       s->path, x->map.size - PICTURES_HEADER < bytes ? "cut off" : "too long",
                       s->count, s->H, s->W, bytes + PICTURES_HEADER, x->map.size);
    }
    x->pixel = x->map.data + PICTURES_HEADER;
    return 0;
}

/* The header of a stream, which is at its beginning. */
static int read_header(struct rn_source *s, struct rn_stream *in, size_t *bytes)
{
    uint8_t header[PICTURES_HEADER];
    size_t got;
    int status = rn_stream_read(in, header, sizeof header, &got);
    return status ? status : parse_header(s, header, got, bytes);
}

static int check_end(const char *path, struct rn_stream *in, const char *what)
{
    uint8_t byte;
    size_t got;
    int status = rn_stream_read(in, &byte, 1, &got);
    if (!status && got)
        status = rn_fail(RN_EFORMAT, "%s: too long: bytes behind the last %s", path, what);
    return status;
}

static int open_stream(struct rn_stream **in, const char *path, off_t *size)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *size = 0;
    if (fd < 0)
        return rn_fail_errno("%s", path);
    if (!fstat(fd, &st))
        *size = st.st_size;
    return rn_stream_new(in, path, fd, NULL, 0);
}

static int inflate_pictures(struct rn_source *s, struct rn_stream *in, off_t file_size)
{
    struct idx *x = s->impl;
    size_t bytes, got;
    int status = read_header(s, in, &bytes);
    if (status)
        return status;
    if (bytes / DEFLATE_MAX > (size_t)file_size) { /* before memory is taken for them */
        return rn_fail(
            RN_EFORMAT,
            "%s: announces %ld pictures of %dx%d, more than %lld bytes of gzip data hold", s->path,
            s->count, s->H, s->W, (long long)file_size);
    }
    x->memory = rn_alloc(bytes, 1);
    if (!x->memory)
        return RN_EMEM;
    status = rn_stream_read(in, x->memory, bytes, &got);
    if (!status && got < bytes) {
        status = rn_fail(RN_EFORMAT, "%s: cut off in picture %zu of %ld", s->path,
                         got / x->size + 1, s->count);
    }
    x->pixel = x->memory;
    return status ? status : check_end(s->path, in, "picture");
}

static int load_gzip(struct rn_source *s)
{
    struct rn_stream *in;
    off_t size;
    int status = open_stream(&in, s->path, &size);
    if (status)
        return status;
    status = inflate_pictures(s, in, size);
    rn_stream_free(in);
    return status;
}

static int begin_pipe(struct rn_source *s)
{
    struct idx *x = s->impl;
    size_t bytes;
    int fd = s->fd;
    s->fd = -1;
    int status = rn_stream_new(&x->stream, s->path, fd, s->head, s->head_size);
    status = status ? status : read_header(s, x->stream, &bytes);
    if (status)
        return status;
    x->memory = rn_alloc(x->size, 1);
    return x->memory ? 0 : RN_EMEM;
}

/* ---- labels ---- */

static int read_labels(struct rn_source *s, const char *path, struct rn_stream *in)
{
    struct idx *x = s->impl;
    uint8_t header[LABELS_HEADER];
    size_t got, count = (size_t)s->count;
    int status = rn_stream_read(in, header, sizeof header, &got);
    if (status)
        return status;
    if (got < sizeof header || be32(header) != LABELS)
        return rn_fail(RN_EFORMAT, "%s: not a file of IDX labels (magic %08x)", path, LABELS);
    if (be32(header + 4) != count) {
        return rn_fail(RN_EFORMAT, "%s: %u labels for the %zu pictures of %s", path,
                       (unsigned)be32(header + 4), count, s->path);
    }
    x->label = rn_alloc(count, 1);
    if (!x->label)
        return RN_EMEM;
    status = rn_stream_read(in, x->label, count, &got);
    if (!status && got < count)
        status = rn_fail(RN_EFORMAT, "%s: cut off: %zu of %zu labels", path, got, count);
    return status ? status : check_end(path, in, "label");
}

static int load_labels(struct rn_source *s, const char *path)
{
    struct idx *x = s->impl;
    struct rn_stream *in;
    off_t size;
    int status = open_stream(&in, path, &size);
    if (status)
        return status;
    status = read_labels(s, path, in);
    rn_stream_free(in);
    for (long i = 0; !status && i < s->count; i++)
        s->classes = x->label[i] >= s->classes ? x->label[i] + 1 : s->classes;
    return status;
}

/* The file of labels that belongs to a file of pictures, by its name, into path[size]; false: none
 * is there. */
static bool labels_beside(const char *pictures, char *path, size_t size)
{
    const char *slash = strrchr(pictures, '/');
    const char *word = strstr(slash ? slash : pictures, "images-idx3");
    if (!word)
        return false;
    const char *tail = word + strlen("images-idx3");
    size_t n = strlen(tail);
    bool gz = n >= 3 && !strcmp(tail + n - 3, ".gz");
    for (int i = 0; i < 2; i++) { /* first with the same ending, then with the other one */
        int stem = (int)(gz && i ? n - 3 : n);
        int length = snprintf(path, size, "%.*slabels-idx1%.*s%s", (int)(word - pictures), pictures,
                              stem, tail, !gz && i ? ".gz" : "");
        if ((size_t)length < size && !access(path, F_OK))
            return true;
    }
    return false;
}

/* ---- the folder with four files ---- */

/* The file of pictures of a part, into path[size]; false: it is not there. */
static bool pictures_in(const char *folder, enum rn_part part, char *path, size_t size)
{
    const char *name = part == RN_PART_TEST ? "t10k" : "train";
    for (int i = 0; i < 2; i++) {
        int length =
            snprintf(path, size, "%s/%s-images-idx3-ubyte%s", folder, name, i ? ".gz" : "");
        if ((size_t)length < size && !access(path, F_OK))
            return true;
    }
    return false;
}

static bool has_part(const char *path, enum rn_part part)
{
    char pictures[PATH_MAX];
    return part != RN_PART_DEFAULT && pictures_in(path, part, pictures, sizeof pictures);
}

/* s->path becomes the file of pictures. */
static int enter_folder(struct rn_source *s, enum rn_part part)
{
    char pictures[PATH_MAX];
    if (!pictures_in(s->path, part, pictures, sizeof pictures)) {
        return rn_fail(RN_EUSAGE, "%s: has no %s part", s->path,
                       part == RN_PART_TEST ? "test" : "train");
    }
    rn_free(s->path);
    s->path = rn_strdup(pictures);
    return s->path ? 0 : RN_EMEM;
}

static bool is_gzip(const char *path)
{
    uint8_t magic[2] = { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool gzip = fd >= 0 && read(fd, magic, 2) == 2 && rn_is_gzip(magic, 2);
    if (fd >= 0)
        close(fd);
    return gzip;
}

/* ---- the interface ---- */

static bool probe(const char *path, const uint8_t *head, size_t n, bool folder)
{
    if (folder)
        return has_part(path, RN_PART_TRAIN) || has_part(path, RN_PART_TEST);
    return n >= 4 && head[0] == 0 && head[1] == 0 && head[2] >= 0x08 && head[2] <= 0x0E &&
           head[3] >= 1 && head[3] <= 4;
}

static int open_idx(struct rn_source *s, const char *path, enum rn_part part)
{
    struct idx *x = s->impl = rn_alloc(1, sizeof *x);
    char labels[PATH_MAX];
    struct stat st;
    if (!x)
        return RN_EMEM;
    if (s->fd >= 0)
        return begin_pipe(s);
    int status = !stat(path, &st) && S_ISDIR(st.st_mode) ? enter_folder(s, part) : 0;
    if (!status)
        status = is_gzip(s->path) ? load_gzip(s) : map_pictures(s);
    s->random = true;
    if (!status && labels_beside(s->path, labels, sizeof labels))
        status = load_labels(s, labels);
    return status;
}

static int label_of(const struct rn_source *s, long index)
{
    const struct idx *x = s->impl;
    return x->label ? x->label[index] : -1;
}

/* One more piece of the pipe's next picture. */
static int read_piece(struct rn_source *s)
{
    struct idx *x = s->impl;
    size_t got;
    int status = rn_stream_some(x->stream, x->memory + x->have, x->size - x->have, &got);
    if (!status && !got) {
        status = rn_fail(RN_EFORMAT, "%s: cut off in picture %ld of %ld", s->path, x->next + 1,
                         s->count);
    }
    x->have += got;
    return status;
}

static int read_pipe(struct rn_source *s, long index)
{
    struct idx *x = s->impl;
    if (index != x->next)
        return rn_fail(RN_EUSAGE, "%s: a pipe is read once, in order", s->path);
    if (index == s->count)
        return check_end(s->path, x->stream, "picture");
    while (x->have < x->size) {
        int status = read_piece(s);
        if (status)
            return status;
    }
    x->have = 0;
    x->next++;
    return 1;
}

/* The pipe's picture moves into the item, as the next one takes its place. */
static int take_pixels(struct rn_source *s, struct rn_item *it)
{
    struct idx *x = s->impl;
    if (rn_item_reserve(it, x->size))
        return RN_EMEM;
    memcpy(it->data, x->memory, x->size);
    it->image.pixel = it->data;
    return 1;
}

static int read_idx(struct rn_source *s, long index, struct rn_item *it)
{
    struct idx *x = s->impl;
    int status = x->stream ? read_pipe(s, index) : index < s->count;
    if (status != 1)
        return status;
    if (rn_item_begin(it, s->path, index))
        return RN_EMEM;
    it->label = label_of(s, index);
    it->image = (struct rn_image){ .H = s->H, .W = s->W, .C = 1 };
    if (x->stream)
        return take_pixels(s, it);
    it->image.pixel = x->pixel + (size_t)index * x->size;
    return 1;
}

/* Takes what the pipe has; ready when the picture is whole. An error is ready: read() will say it.
 */
static bool ready(struct rn_source *s, int ms)
{
    struct idx *x = s->impl;
    if (!x->stream)
        return true;
    if (x->next == s->count)
        return rn_stream_ready(x->stream, ms);
    while (x->have < x->size) {
        if (!rn_stream_ready(x->stream, ms))
            return false;
        if (read_piece(s))
            return true;
    }
    return true;
}

static void close_idx(struct rn_source *s)
{
    struct idx *x = s->impl;
    if (x) {
        rn_map_close(&x->map);
        rn_stream_free(x->stream);
        rn_free(x->memory);
        rn_free(x->label);
        rn_free(x);
    }
}

const struct rn_source_kind rn_source_idx = {
    .name = "IDX",
    .probe = probe,
    .has_part = has_part,
    .open = open_idx,
    .read = read_idx,
    .ready = ready,
    .label = label_of,
    .close = close_idx,
};
