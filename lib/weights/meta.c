/* Metadata to and from JSON (see meta.h). */
#include "weights/meta.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "weights/hash.h"

int rn_json_parse(json_t **out, const char *text, size_t n, const char *what, const char *path)
{
    json_error_t e;
    *out = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
    if (*out)
        return 0;
    if (json_error_code(&e) == json_error_out_of_memory || !*e.text)
        return rn_fail(RN_EMEM, "%s: memory is short", path);
    return rn_fail(RN_EFORMAT, "%s: %s is no JSON: byte %d: %s", path, what, e.position, e.text);
}

int rn_json_add(json_t *object, const char *key, json_t *value)
{
    if (json_object_get(object, key)) {
        json_decref(value);
        return rn_fail(RN_EUSAGE, "two are named %s", key);
    }
    if (json_object_set_new(object, key, value))
        return rn_fail(RN_EMEM, "memory is short");
    return 0;
}

int rn_meta_read(struct rn_weights *w, json_t *object, const char *what, const char *path)
{
    const char *key;
    json_t *value;
    if (object && !json_is_object(object))
        return rn_fail(RN_EFORMAT, "%s: %s is no object", path, what);
    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value))
            return rn_fail(RN_EFORMAT, "%s: %s: %s is no string", path, what, key);
        if (rn_gather_meta(w, key, json_string_value(value)))
            return RN_EMEM;
    }
    return 0;
}

/* meta[w->metas + 1] are w's own in order, with `hash` for rn.hash. */
static int fill(json_t *object, const struct rn_weights *w, struct rn_meta *meta, char *hash)
{
    int n = 0, status = 0;
    for (int i = 0; i < w->metas; i++)
        if (strcmp(w->meta[i].key, "rn.hash"))
            meta[n++] = w->meta[i];
    meta[n++] = (struct rn_meta){ "rn.hash", hash };
    qsort(meta, (size_t)n, sizeof(*meta), rn_meta_compare);
    for (int i = 0; i < n && !status; i++)
        if (!(status = rn_text_check(meta[i].key)) && !(status = rn_text_check(meta[i].value)))
            status = rn_json_add(object, meta[i].key, json_string(meta[i].value));
    return status;
}

int rn_meta_object(json_t **out, const struct rn_weights *w)
{
    json_t *object = json_object();
    struct rn_meta *meta = rn_alloc((size_t)w->metas + 1, sizeof(*meta));
    char *hash = rn_hash_text(w);
    int status = object ? 0 : rn_fail(RN_EMEM, "memory is short");
    if (!status)
        status = meta && hash ? fill(object, w, meta, hash) : RN_EMEM;
    if (status)
        json_decref(object);
    else
        *out = object;
    rn_free(meta);
    rn_free(hash);
    return status;
}

int rn_meta_parse(struct rn_weights *w, const char *text, size_t n, const char *path)
{
    json_t *object;
    int status = rn_json_parse(&object, text, n, RN_META_NAME, path);
    if (status)
        return status;
    status = rn_meta_read(w, object, RN_META_NAME, path);
    json_decref(object);
    return status;
}

int rn_meta_text(const struct rn_weights *w, char **text)
{
    json_t *object;
    int status = rn_meta_object(&object, w);
    if (status)
        return status;
    *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return *text ? 0 : rn_fail(RN_EMEM, "memory is short");
}
