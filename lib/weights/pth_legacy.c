/*
 * PyTorch's files from before version 1.6: pickles of a magic number, a version, facts of the
 * machine, the content, and a list of the storages' keys; then for each key the number of elements
 * in 8 bytes and the elements.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "weights/hash.h"
#include "weights/number.h"
#include "weights/pickle.h"
#include "weights/pth.h"
#include "weights/state.h"

enum { VERSION = 1001, PROTOCOL = 1 /* the byte that may differ */ };

static const char magic[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

struct legacy {
    struct rn_pickle pickle;
    struct rn_pickle_storage **storage; /* [storages] that were named, in the order of their keys */
    size_t storages;
    const char *path;
};

static int compare_text(const char *a, size_t n, const char *b, size_t m)
{
    int order = memcmp(a, b, n < m ? n : m);
    return order ? order : (n > m) - (n < m);
}

static int compare_keys(const void *a, const void *b)
{
    const struct rn_pickle_storage *const *x = a, *const *y = b;
    return compare_text((*x)->key, (*x)->key_bytes, (*y)->key, (*y)->key_bytes);
}

static int sort_storages(struct legacy *l)
{
    for (struct rn_pickle_storage *s = l->pickle.storages; s; s = s->next)
        l->storages++;
    l->storage = rn_alloc(l->storages, sizeof(*l->storage));
    if (!l->storage)
        return RN_EMEM;
    size_t n = 0;
    for (struct rn_pickle_storage *s = l->pickle.storages; s; s = s->next)
        l->storage[n++] = s;
    qsort(l->storage, n, sizeof(*l->storage), compare_keys);
    return 0;
}

/* The first record of a key; l->storages when there is none. */
static size_t find(const struct legacy *l, const struct rn_value *key)
{
    size_t low = 0, high = l->storages;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct rn_pickle_storage *s = l->storage[middle];
        if (compare_text(s->key, s->key_bytes, key->text, key->count) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const struct rn_pickle_storage *s = low < l->storages ? l->storage[low] : NULL;
    return s && !compare_text(s->key, s->key_bytes, key->text, key->count) ? low : l->storages;
}

static int fail_storage(const struct legacy *l, const struct rn_value *key, const char *what)
{
    return rn_fail(RN_EFORMAT, "%s: storage %.*s: %s", l->path,
                   (int)(key->count < 100 ? key->count : 100), key->text, what);
}

/* The block at the pickle's place is the one of `key`; all its records get it. */
static int read_storage(struct legacy *l, const struct rn_value *key)
{
    struct rn_pickle *p = &l->pickle;
    if (key->kind != RN_PICKLE_STRING)
        return rn_pickle_fail(p, "its list of storages is none");
    size_t i = find(l, key), bytes;
    if (i == l->storages)
        return fail_storage(l, key, "nothing refers to it");
    const struct rn_pickle_storage *s = l->storage[i];
    if (s->data)
        return fail_storage(l, key, "it is there twice");
    if (p->size - p->at < 8)
        return fail_storage(l, key, "truncated");
    if (rn_u64(p->data + p->at) != s->count || !rn_mul(&bytes, s->count, rn_dtype_size(s->dtype)))
        return fail_storage(l, key, "it has another number of elements than its tensors say");
    p->at += 8;
    if (bytes > p->size - p->at)
        return fail_storage(l, key, "truncated");
    for (size_t j = i; j < l->storages && !compare_keys(&l->storage[j], &l->storage[i]); j++) {
        if (l->storage[j]->count != s->count || l->storage[j]->dtype != s->dtype)
            return fail_storage(l, key, "its tensors do not agree about it");
        l->storage[j]->data = p->data + p->at;
    }
    p->at += bytes;
    return 0;
}

static int read_storages(struct legacy *l)
{
    struct rn_pickle *p = &l->pickle;
    const struct rn_value *keys;
    int status = sort_storages(l);
    if (!status)
        status = rn_pickle_next(p, &keys);
    if (!status && keys->kind != RN_PICKLE_LIST)
        status = rn_pickle_fail(p, "its list of storages is none");
    for (uint32_t i = 0; !status && i < keys->count; i++)
        status = read_storage(l, keys->item[i]);
    for (size_t i = 0; i < l->storages && !status; i++)
        if (!l->storage[i]->data)
            status = rn_pickle_fail(p, "truncated, or its list of storages lacks one");
    if (!status && p->at != p->size)
        status =
            rn_fail(RN_EFORMAT, "%s: %zu bytes behind the last storage", l->path, p->size - p->at);
    return status;
}

/* Magic number, version, facts of the machine. */
static int read_head(struct legacy *l)
{
    struct rn_pickle *p = &l->pickle;
    size_t n = sizeof(magic) - 1;
    if (p->size > PROTOCOL && p->data[PROTOCOL] > RN_PICKLE_PROTOCOL_MAX)
        return rn_pickle_fail_protocol(p->data[PROTOCOL], l->path);
    if (p->size < n || p->data[0] != (uint8_t)magic[0] ||
        memcmp(p->data + PROTOCOL + 1, magic + PROTOCOL + 1, n - PROTOCOL - 1))
        return rn_fail(RN_EFORMAT,
                       "%s: a pickle, but not torch.save's; in Python: torch.save(STATE_DICT, "
                       "'weights.pth')",
                       l->path);
    p->at = n;
    const struct rn_value *version, *facts, *little;
    int status = rn_pickle_next(p, &version);
    if (!status && (version->kind != RN_PICKLE_INTEGER || version->integer != VERSION))
        status = rn_pickle_fail(p, "its version of torch.save's format is unknown");
    if (!status)
        status = rn_pickle_next(p, &facts);
    if (status)
        return status;
    little = rn_pickle_get(facts, "little_endian");
    if (!little || little->kind != RN_PICKLE_BOOL)
        return rn_pickle_fail(p, "it does not say its byte order");
    return little->integer ? 0 : rn_fail(RN_EFORMAT, "%s: it is of a big-endian machine", l->path);
}

int rn_pth_read_legacy(struct rn_weights *w, const char *path)
{
    struct legacy l = { .path = path };
    const struct rn_value *root;
    rn_pickle_init(&l.pickle, w->map.data, w->map.size, path);
    int status = read_head(&l);
    if (!status)
        status = rn_pickle_next(&l.pickle, &root);
    if (!status)
        status = read_storages(&l);
    if (!status)
        status = rn_state_gather(w, root, path);
    rn_free(l.storage);
    rn_pickle_release(&l.pickle);
    return status ? status : rn_hash_read(w, path);
}
