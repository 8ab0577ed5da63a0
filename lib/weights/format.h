/* Weight files as named tensors and string metadata, in any format of the table. */
#ifndef RN_WEIGHTS_FORMAT_H
#define RN_WEIGHTS_FORMAT_H

#include "base/file.h"
#include "rn.h"

struct rn_meta {
    char *key, *value;
};

struct rn_weights {
    struct rn_tensor *tensor; /* in the order of the file */
    int tensors;
    struct rn_meta *meta;
    int metas;
    uint64_t *digest;  /* [tensors] of their data, by the file's rn.hash; NULL: it carries none */
    struct rn_map map; /* what tensor data point into, when they were read from a file */
    void **own;        /* blocks of memory that other tensors' data lie in */
    int owns;
    size_t tensor_room, meta_room, own_room;
};

/*
 * Gathering, by a reader or for a writer: appends to w, which was zeroed at first. Names, keys and
 * values are copied, data are not. Return 0 or RN_EMEM. rn_gather_release() leaves w->map alone.
 */
int rn_gather(struct rn_weights *w, const struct rn_tensor *t);
int rn_gather_meta(struct rn_weights *w, const char *key, const char *value);
/* Are names UTF-8 and each another? Returns 0, RN_EUSAGE or RN_EMEM. */
int rn_gather_check(const struct rn_weights *w);
/* Memory of rn_alloc() that w frees, also where it fails. */
int rn_gather_own(struct rn_weights *w, void *block);
void rn_gather_release(struct rn_weights *w);

struct rn_format {
    const char *name; /* and the suffix of its files */
    const char *also; /* another suffix that is written, or NULL */
    bool (*probe)(const uint8_t *head, size_t n);
    int (*read)(
        struct rn_weights *w,
        const char *path); /* w->map is open; fills the rest; RN_EFORMAT names path and tensor.
                            * Tensor data are left to rn_hash_check() */
    int (*write)(const struct rn_weights *w, struct rn_writer *out);
};

extern const struct rn_format rn_format_safetensors, rn_format_npz, rn_format_pth;

/* rn_weights_open() and rn_weights_write() by a table of formats, which NULL ends. */
int rn_formats_read(const struct rn_format *const table[], struct rn_weights **out,
                    const char *path);
int rn_formats_write(const struct rn_format *const table[], const struct rn_weights *w,
                     const char *path, const char *format);

/* rn_weights_open() without a look at tensor data: the caller holds each against rn.hash by
 * rn_hash_holds() before it trusts it. */
int rn_weights_read(struct rn_weights **out, const char *path);

size_t rn_dtype_size(enum rn_dtype t); /* bytes of one element */
int rn_dtype_find(const char *name);   /* F32 -> RN_F32; -1: unknown */

/* Returns 0, RN_EUSAGE where s is no UTF-8, which files demand of all their text, or RN_EMEM. */
int rn_text_check(const char *s);

int rn_meta_compare(const void *a, const void *b); /* for qsort(3): by key, in byte order */

#endif
