/*
 * PyTorch's archive: ARCHIVE/data.pkl, a pickle, and ARCHIVE/data/KEY, a storage each, stored; small
 * members about versions and byte order; and in ours ARCHIVE/rn.metadata. Another member is refused.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "weights/hash.h"
#include "weights/meta.h"
#include "weights/pickle.h"
#include "weights/pth.h"
#include "weights/state.h"
#include "weights/zip.h"

struct archive {
    struct rn_zip zip;
    const char *path;
    const char *root; /* the folder, [root_bytes] with its slash */
    size_t root_bytes;
    bool *used; /* [zip.members] */
};

static int fail_member(const struct archive *a, const struct rn_zip_member *m, const char *what)
{
    return rn_fail(RN_EFORMAT, "%s: member %.200s: %s", a->path, m->name, what);
}

/* The member of that name in the folder, or NULL with *status 0 when there is none. */
static const struct rn_zip_member *find(const struct archive *a, const char *folder,
                                        const char *name, size_t n, int *status)
{
    char *full;
    *status = 0;
    if (asprintf(&full, "%.*s%s%.*s", (int)a->root_bytes, a->root, folder, (int)n, name) < 0) {
        *status = rn_fail(RN_EMEM, "%s: memory is short", a->path);
        return NULL;
    }
    const struct rn_zip_member *m = rn_zip_find(&a->zip, full);
    free(full);
    if (m)
        a->used[m - a->zip.member] = true;
    return m;
}

/* All members are in one folder; archives of programs are told by theirs. */
static int check_folder(struct archive *a)
{
    if (!a->zip.members)
        return rn_fail(RN_EFORMAT, "%s: it is an empty zip archive", a->path);
    const struct rn_zip_member *m = a->zip.member;
    const char *slash = strchr(m->name, '/');
    if (!slash)
        return fail_member(a, m, "neither PyTorch's (in a folder) nor NumPy's (.npy)");
    a->root = m->name;
    a->root_bytes = (size_t)(slash - m->name) + 1;
    for (size_t i = 0; i < a->zip.members; i++) {
        if (strncmp(m[i].name, a->root, a->root_bytes))
            return fail_member(a, &m[i], "it is outside the archive's folder");
        const char *name = m[i].name + a->root_bytes;
        if (!strcmp(name, "constants.pkl") || !strncmp(name, "code/", 5))
            return rn_fail(RN_EFORMAT,
                           "%s: a TorchScript archive, which is a program; in Python: "
                           "torch.save(torch.jit.load(FILE).state_dict(), 'weights.pth')",
                           a->path);
        if (m[i].deflated)
            return fail_member(a, &m[i], "it is compressed; torch.save stores");
    }
    return 0;
}

/* A small member that must have one of two values where it is there at all. */
static int check_value(const struct archive *a, const char *name, const char *value)
{
    int status;
    const struct rn_zip_member *m = find(a, "", name, strlen(name), &status);
    if (!m || (m->size == strlen(value) && !memcmp(m->data, value, m->size)))
        return status;
    return fail_member(a, m, "it is not \"little\": the file is of a big-endian machine");
}

/* Members whose content is of no use here. */
static int pass_over(const struct archive *a)
{
    static const char *const names[] = { "version", ".format_version", ".storage_alignment" };
    int status = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !status; i++)
        find(a, "", names[i], strlen(names[i]), &status);
    for (size_t i = 0; i < a->zip.members; i++)
        if (!strncmp(a->zip.member[i].name + a->root_bytes, ".data/", 6))
            a->used[i] = true;
    return status;
}

static int read_meta(const struct archive *a, struct rn_weights *w)
{
    int status;
    const struct rn_zip_member *m = find(a, "", RN_META_NAME, sizeof(RN_META_NAME) - 1, &status);
    return m ? rn_meta_parse(w, (const char *)m->data, m->size, a->path) : status;
}

/* Finds the block of every storage that the pickle names. */
static int find_storages(const struct archive *a, struct rn_pickle *p)
{
    for (struct rn_pickle_storage *s = p->storages; s; s = s->next) {
        int status;
        size_t bytes;
        const struct rn_zip_member *m = find(a, "data/", s->key, s->key_bytes, &status);
        if (status)
            return status;
        int n = (int)(s->key_bytes < 100 ? s->key_bytes : 100);
        if (!m)
            return rn_fail(RN_EFORMAT, "%s: no storage data/%.*s in it", a->path, n, s->key);
        if (!rn_mul(&bytes, s->count, rn_dtype_size(s->dtype)) || bytes != m->size)
            return rn_fail(RN_EFORMAT,
                           "%s: storage data/%.*s has %zu bytes, not %zu elements of %s", a->path,
                           n, s->key, m->size, s->count, rn_dtype_name(s->dtype));
        s->data = m->data;
    }
    return 0;
}

static int read_pickle(const struct archive *a, struct rn_weights *w)
{
    int status;
    const struct rn_value *root;
    const struct rn_zip_member *m = find(a, "", "data.pkl", 8, &status);
    if (!m)
        return status ? status
                      : rn_fail(RN_EFORMAT,
                                "%s: a zip archive without a data.pkl: not torch.save's", a->path);
    struct rn_pickle p;
    rn_pickle_init(&p, m->data, m->size, a->path);
    status = rn_pickle_next(&p, &root);
    if (!status && p.at != p.size)
        status = rn_pickle_fail(&p, "something stands behind its end");
    if (!status)
        status = find_storages(a, &p);
    if (!status)
        status = rn_state_gather(w, root, a->path);
    rn_pickle_release(&p);
    return status;
}

static int check_used(const struct archive *a)
{
    for (size_t i = 0; i < a->zip.members; i++)
        if (!a->used[i])
            return fail_member(a, &a->zip.member[i], "nothing refers to it");
    return 0;
}

int rn_pth_read_zip(struct rn_weights *w, const char *path)
{
    struct archive a = { .path = path };
    int status = rn_zip_read(&a.zip, w->map.data, w->map.size, path);
    if (status)
        return status;
    a.used = rn_alloc(a.zip.members, sizeof(*a.used));
    status = a.used ? check_folder(&a) : RN_EMEM;
    if (!status)
        status = check_value(&a, "byteorder", "little");
    if (!status)
        status = pass_over(&a);
    if (!status)
        status = read_pickle(&a, w);
    if (!status)
        status = read_meta(&a, w);
    if (!status)
        status = check_used(&a);
    rn_free(a.used);
    rn_zip_release(&a.zip);
    return status ? status : rn_hash_read(w, path);
}
