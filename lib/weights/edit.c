#include "weights/edit.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "weights/cast.h"
#include "weights/modelfile.h"

void rn_edit_begin(struct rn_weights *next, struct rn_weights *w)
{
    *next = (struct rn_weights){
        .map = w->map, .own = w->own, .owns = w->owns, .own_room = w->own_room
    };
    w->map = (struct rn_map){ 0 };
    w->own = NULL;
    w->owns = 0;
    w->own_room = 0;
}

int rn_edit_end(struct rn_weights *w, struct rn_weights *next, int status)
{
    rn_gather_release(w);
    *w = *next;
    return status;
}

void *rn_edit_block(struct rn_weights *next, size_t bytes)
{
    void *block = rn_alloc(bytes, 1);
    return block && !rn_gather_own(next, block) ? block : NULL;
}

int rn_edit_cast(struct rn_weights *next, const struct rn_tensor *t, const char *name,
                 enum rn_dtype type)
{
    struct rn_tensor copy = *t;
    copy.name = name;
    if (t->dtype != type) {
        size_t n = t->bytes / rn_dtype_size(t->dtype);
        void *data = rn_edit_block(next, n * rn_dtype_size(type));
        if (!data)
            return RN_EMEM;
        rn_cast(data, type, t);
        copy.data = data;
        copy.dtype = type;
        copy.bytes = n * rn_dtype_size(type);
    }
    return rn_gather(next, &copy);
}

int rn_edit_meta(struct rn_weights *next, const struct rn_weights *w, bool ours)
{
    int status = 0;
    for (int i = 0; i < w->metas && !status; i++)
        if (!strncmp(w->meta[i].key, "rn.", 3) == ours && strcmp(w->meta[i].key, "rn.hash"))
            status = rn_gather_meta(next, w->meta[i].key, w->meta[i].value);
    return status;
}

void rn_edit_drop(struct rn_weights *next, const char *key)
{
    int kept = 0;
    for (int i = 0; i < next->metas; i++) {
        struct rn_meta *m = &next->meta[i];
        if (strcmp(m->key, key)) {
            next->meta[kept++] = *m;
            continue;
        }
        rn_free(m->key);
        rn_free(m->value);
    }
    next->metas = kept;
}

int rn_edit_values(struct rn_model *m, struct rn_weights *next, const struct rn_weights *w,
                   const char *path)
{
    for (int i = 0; i < m->graph.params; i++) {
        const struct rn_param *p = &m->graph.param[i];
        const struct rn_tensor *t = rn_weights_find(w, p->name);
        int status = rn_param_match(p, t, path);
        if (status)
            return status;
        m->value[i] = (void *)(uintptr_t)t->data;
        if (t->dtype == p->dtype && (uintptr_t)t->data % rn_dtype_size(t->dtype) == 0)
            continue;
        if (!(m->value[i] = rn_edit_block(next, rn_param_bytes(p))))
            return RN_EMEM;
        if (p->dtype == RN_F32)
            rn_cast(m->value[i], p->dtype, t);
        else
            memcpy(m->value[i], t->data, t->bytes);
    }
    return 0;
}

int rn_edit_param(struct rn_weights *next, const struct rn_model *m, int i, const void *data)
{
    const struct rn_param *p = &m->graph.param[i];
    return rn_gather_tensor(next, p->name, p->dtype, p->rank, p->dim, data);
}

int rn_edit_model(struct rn_model **out, const struct rn_weights *w, const char *path)
{
    *out = NULL;
    if (!rn_weights_meta(w, "rn.spec"))
        return rn_fail(RN_EUSAGE, "%s: its network is not known; -a SPEC names it", path);
    return rn_model_described(out, w, path);
}
