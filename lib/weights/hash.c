/* rn.hash: digests over metadata, names, shapes and data of a weight file (see hash.h). */
#include "weights/hash.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/err.h"
#include "base/mem.h"

enum { DIGITS = 16, STEP = DIGITS + 1 }; /* characters from one digest to the next */

struct hash {
    const struct rn_tensor **tensor; /* in byte order of names, as the digests are */
    struct rn_meta *meta;            /* in byte order of keys */
    char *text;
};

static int compare_names(const void *a, const void *b)
{
    const struct rn_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void sort(struct hash *h, const struct rn_weights *w)
{
    for (int i = 0; i < w->tensors; i++)
        h->tensor[i] = &w->tensor[i];
    qsort(h->tensor, (size_t)w->tensors, sizeof *h->tensor, compare_names);
    if (w->metas)
        memcpy(h->meta, w->meta, (size_t)w->metas * sizeof *h->meta);
    qsort(h->meta, (size_t)w->metas, sizeof *h->meta, rn_meta_compare);
}

static void add_string(XXH3_state_t *x, const char *s)
{
    XXH3_64bits_update(x, s, strlen(s) + 1);
}

static void add_tensor(XXH3_state_t *x, const struct rn_tensor *t)
{
    char dims[RN_RANK_MAX * 21 + 1] = "";
    int n = 0;
    for (int d = 0; d < t->rank; d++)
        n += sprintf(dims + n, d ? ",%zu" : "%zu", t->dim[d]);
    add_string(x, t->name);
    add_string(x, rn_dtype_name(t->dtype));
    add_string(x, dims);
}

static uint64_t digest_listing(XXH3_state_t *x, const struct hash *h, const struct rn_weights *w)
{
    XXH3_64bits_reset(x);
    for (int i = 0; i < w->metas; i++) {
        if (!strcmp(h->meta[i].key, "rn.hash"))
            continue;
        add_string(x, h->meta[i].key);
        add_string(x, h->meta[i].value);
    }
    for (int i = 0; i < w->tensors; i++)
        add_tensor(x, h->tensor[i]);
    return XXH3_64bits_digest(x);
}

static void hash_release(struct hash *h)
{
    rn_free(h->tensor);
    rn_free(h->meta);
    rn_free(h->text);
}

/* Everything in order, and the digest of the listing as the first of the text. */
static int hash_init(struct hash *h, const struct rn_weights *w)
{
    *h = (struct hash){ rn_alloc((size_t)w->tensors, sizeof *h->tensor),
                        rn_alloc((size_t)w->metas, sizeof *h->meta),
                        rn_alloc((size_t)w->tensors + 1, STEP) };
    if (!h->tensor || !h->meta || !h->text)
        return RN_EMEM;
    XXH3_state_t *x = XXH3_createState();
    if (!x)
        return rn_fail(RN_EMEM, "memory is short");
    sort(h, w);
    sprintf(h->text, "%0*" PRIx64, DIGITS, digest_listing(x, h, w));
    XXH3_freeState(x);
    return 0;
}

/* The digest of h->tensor[i] into its place in the text. */
static void put_digest(struct hash *h, int i, uint64_t digest)
{
    sprintf(h->text + DIGITS + i * STEP, " %0*" PRIx64, DIGITS, digest);
}

static uint64_t digest_data(const struct rn_tensor *t)
{
    return XXH3_64bits(t->data, t->bytes);
}

char *rn_hash_text(const struct rn_weights *w)
{
    struct hash h;
    char *text = NULL;
    if (!hash_init(&h, w)) {
        for (int i = 0; i < w->tensors; i++)
            put_digest(&h, i, digest_data(h.tensor[i]));
        text = h.text;
        h.text = NULL;
    }
    hash_release(&h);
    return text;
}

/* Fills w->digest from the text that the file carries. */
static int parse(struct rn_weights *w, struct hash *h, const char *saved, const char *path)
{
    if (strlen(saved) != DIGITS + (size_t)w->tensors * STEP || strncmp(h->text, saved, DIGITS))
        return rn_fail(RN_EFORMAT, "%s: metadata, names or shapes are damaged (hash differs)",
                       path);
    w->digest = rn_alloc((size_t)w->tensors, sizeof *w->digest);
    if (!w->digest)
        return RN_EMEM;
    for (int i = 0; i < w->tensors; i++) {
        uint64_t digest = strtoull(saved + (i + 1) * STEP, NULL, 16);
        w->digest[h->tensor[i] - w->tensor] = digest;
        put_digest(h, i, digest);
    }
    return strcmp(h->text, saved) ? rn_fail(RN_EFORMAT, "%s: rn.hash is damaged", path) : 0;
}

int rn_hash_read(struct rn_weights *w, const char *path)
{
    const char *saved = rn_weights_meta(w, "rn.hash");
    if (!saved) {
        for (int i = 0; i < w->metas; i++)
            if (!strncmp(w->meta[i].key, "rn.", 3))
                return rn_fail(RN_EFORMAT,
                               "%s: has %s but no rn.hash: changed by another program, or damaged",
                               path, w->meta[i].key);
        return 0;
    }
    struct hash h;
    int status = hash_init(&h, w);
    if (!status)
        status = parse(w, &h, saved, path);
    hash_release(&h);
    return status;
}

bool rn_hash_holds(const struct rn_weights *w, int i)
{
    return !w->digest || digest_data(&w->tensor[i]) == w->digest[i];
}

int rn_hash_fail(const struct rn_weights *w, int i, const char *path)
{
    return rn_fail(RN_EFORMAT, "%s: tensor %s is damaged (hash differs)", path, w->tensor[i].name);
}

int rn_hash_check(const struct rn_weights *w, const char *path)
{
    for (int i = 0; i < w->tensors; i++)
        if (!rn_hash_holds(w, i))
            return rn_hash_fail(w, i, path);
    return 0;
}
