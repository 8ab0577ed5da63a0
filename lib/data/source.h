/* Where pictures come from: one interface over every kind of data set, opened by probing the bytes.
 */
#ifndef RN_DATA_SOURCE_H
#define RN_DATA_SOURCE_H

#include "data/item.h"
#include "rn.h"

struct rn_source;

/*
 * One kind of source.
 *   probe     is it one, by the first n bytes of the file, inflated when they are gzip? n is 0 for
 *             a folder, which is told by what is in it
 *   has_part  does the data set at `path` have that part? NULL: none of this kind has parts
 *   open      fills s->impl and the public fields of s; names of classes only where the data have
 *             them. Returns 0, RN_EIO, RN_EFORMAT, RN_EUSAGE (no such part) or RN_EMEM
 *   read      picture `index` into *it: its name, its class where it is known, and pixels (those of
 *             a `random` source stay valid), bytes or the file to read: whether it can be decoded is
 *             found out later and concerns this picture alone. Returns 1, 0 past the end, or a
 *             status: the data break off. A source that is not `random` is read once, in order from
 *             0
 *   ready     will read() return at once, or within ms milliseconds? NULL: always
 *   label     the class of a picture, without reading it; only where there are labels
 */
struct rn_source_kind {
    const char *name;
    bool (*probe)(const char *path, const uint8_t *head, size_t n, bool folder);
    bool (*has_part)(const char *path, enum rn_part part);
    int (*open)(struct rn_source *s, const char *path, enum rn_part part);
    int (*read)(struct rn_source *s, long index, struct rn_item *it);
    bool (*ready)(struct rn_source *s, int ms);
    int (*label)(const struct rn_source *s, long index);
    void (*close)(struct rn_source *s);
};

/* One IDX file of pictures, or the folder with the usual four. */
extern const struct rn_source_kind rn_source_idx;
extern const struct rn_source_kind rn_source_cifar;   /* CIFAR-10, CIFAR-100: a file, the folder */
extern const struct rn_source_kind rn_source_tar;     /* pictures in a tar archive */
extern const struct rn_source_kind rn_source_picture; /* a picture file; pictures on stdin */
extern const struct rn_source_kind rn_source_folder;  /* of pictures, or of folders of classes */

enum { RN_SOURCE_HEAD = 512 }; /* bytes that probing looks at */

struct rn_source {
    const struct rn_source_kind *kind;
    char *path;              /* the file that holds the pictures */
    void *impl;              /* the kind's own state */
    long count;              /* pictures, -1: unknown */
    bool labelled;           /* wanted: the labels of data that have them beside the pictures */
    bool random;             /* read() takes any index */
    long passed_over;        /* files that are no pictures, as far as it is read */
    int C, H, W;             /* of every picture; 0: they differ */
    int classes;             /* 0: no labels */
    char **class;            /* [classes], names */
    bool numbered;           /* the names are 0 1 2 ...: the data have none */
    int *map;                /* [classes] -> class of the model it is bound to; NULL: as they are */
    struct rn_decode decode; /* of encoded pictures; the channels are the network's affair */

    /* What can't be opened twice (stdin, a pipe): open() takes fd over (it sets -1) and reads it
     * behind head. -1: path is to be opened. */
    int fd;
    uint8_t head[RN_SOURCE_HEAD];
    size_t head_size;
};

/* s becomes a source of the picture files that the list at s->path names; whole: also a pipe is read
 * to its end now, for its classes. Returns 0 or a status. */
int rn_source_read_names(struct rn_source *s, bool null, bool whole);

/*
 * From here on labels are counted by a list of class names: by name, or in order where the list
 * (NULL) or the data have none. Returns 0, or RN_EUSAGE naming the class that is not in the list.
 */
int rn_source_match(struct rn_source *s, char *const *label, int classes);

/* Picture `index`, its label counted by the bound class list. As rn_source_kind.read(). */
int rn_source_read(struct rn_source *s, long index, struct rn_item *it);

/* Will rn_source_read() of the next picture return within ms milliseconds? */
bool rn_source_ready(struct rn_source *s, int ms);

/* A hash over the number of pictures, the names of the classes and the labels, the same however the
 * pictures are stored: what provenance records. Reads nothing twice. */
uint64_t rn_source_hash(const struct rn_source *s);

/*
 * Gives the classes their names: those of the file `labels` (a line each; there may be more than
 * classes seen in the data), else those that the data brought, else 0 1 2 ... Returns 0, RN_EIO,
 * RN_EFORMAT, RN_EUSAGE (no labels to name) or RN_EMEM.
 */
int rn_source_name_classes(struct rn_source *s, const char *labels);

#endif
