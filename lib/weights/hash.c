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
    struct rn_tensor *tensor; /* in byte order of names, as the digests are */
    struct rn_meta *meta;     /* in byte order of keys */
    char *text;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct rn_tensor *)a)->name, ((const struct rn_tensor *)b)->name);
}

/* A copy of n items in order; what they point to stays the original's. */
static void *sorted(const void *items, int n, size_t size,
                    int (*compare)(const void *, const void *))
{
    void *copy = rn_alloc(n, size);
    if (copy && n) {
        memcpy(copy, items, n * size);
        qsort(copy, n, size, compare);
    }
    return copy;
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
        add_tensor(x, &h->tensor[i]);
    return XXH3_64bits_digest(x);
}

static void hash_release(struct hash *h)
{
    rn_free(h->tensor);
    rn_free(h->meta);
    rn_free(h->text);
}

static int hash_init(struct hash *h, const struct rn_weights *w)
{
    *h = (struct hash){ sorted(w->tensor, w->tensors, sizeof(*h->tensor), compare_names),
                        sorted(w->meta, w->metas, sizeof(*h->meta), rn_meta_compare),
                        rn_alloc((size_t)w->tensors + 1, STEP) };
    if (!h->tensor || !h->meta || !h->text)
        return RN_EMEM;
    XXH3_state_t *x = XXH3_createState();
    if (!x)
        return rn_fail(RN_EMEM, "memory is short");
    char *p = h->text + sprintf(h->text, "%0*" PRIx64, DIGITS, digest_listing(x, h, w));
    XXH3_freeState(x);
    for (int i = 0; i < w->tensors; i++) {
        uint64_t digest = XXH3_64bits(h->tensor[i].data, h->tensor[i].bytes);
        p += sprintf(p, " %0*" PRIx64, DIGITS, digest);
    }
    return 0;
}

char *rn_hash_text(const struct rn_weights *w)
{
    struct hash h;
    char *text = NULL;
    if (!hash_init(&h, w)) {
        text = h.text;
        h.text = NULL;
    }
    hash_release(&h);
    return text;
}

/* Says what differs first between the hash of the content and the one that the file carries. */
static int compare(const struct hash *h, const char *saved, int tensors, const char *path)
{
    if (!strcmp(h->text, saved))
        return 0;
    if (strlen(saved) != strlen(h->text) || strncmp(h->text, saved, DIGITS))
        return rn_fail(RN_EFORMAT, "%s: metadata, names or shapes are damaged (hash differs)",
                       path);
    for (int i = 0; i < tensors; i++)
        if (strncmp(h->text + (i + 1) * STEP, saved + (i + 1) * STEP, DIGITS))
            return rn_fail(RN_EFORMAT, "%s: tensor %s is damaged (hash differs)", path,
                           h->tensor[i].name);
    return rn_fail(RN_EFORMAT, "%s: rn.hash is damaged", path);
}

int rn_hash_check(const struct rn_weights *w, const char *path)
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
        status = compare(&h, saved, w->tensors, path);
    hash_release(&h);
    return status;
}
