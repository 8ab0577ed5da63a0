/* A file's tensors become the parameters of a model of ours (see recognise.h). */
#include <string.h>

#include "weights/cast.h"
#include "weights/edit.h"
#include "weights/modelfile.h"
#include "weights/recognise.h"

static const void *made(struct rn_weights *next, const struct rn_model *fresh,
                        const struct rn_param *p, int i)
{
    if (p->dtype == RN_I64)
        return rn_edit_block(next, sizeof(int64_t));
    void *data = rn_edit_block(next, rn_param_bytes(p));
    if (data)
        memcpy(data, fresh->value[i], rn_param_bytes(p));
    return data;
}

/* Parameter i from its tensor t, in the type that it has in our files. */
static int gather(struct rn_weights *next, const struct rn_model *m, int i,
                  const struct rn_tensor *t)
{
    const struct rn_param *p = &m->graph.param[i];
    if (p->dtype != RN_I64)
        return rn_edit_cast(next, t, p->name, p->dtype);
    int64_t *count = rn_edit_block(next, sizeof *count);
    if (!count)
        return RN_EMEM;
    *count = (int64_t)rn_element(t, 0);
    return rn_edit_param(next, m, i, count);
}

int rn_adopt(struct rn_weights *w, const struct rn_model *m, const struct rn_tensor *const tensor[],
             bool fresh_head)
{
    struct rn_weights next;
    struct rn_model *fresh = NULL;
    int status = 0;
    if (fresh_head && !(status = rn_model_new(&fresh, m->text, 0, 0, 0, 0)))
        rn_model_init(fresh, RN_INIT_DEFAULT, 0);
    rn_edit_begin(&next, w);
    if (!status)
        status = rn_edit_meta(&next, w, false);
    if (!status)
        status = rn_gather_description(&next, m);
    for (int i = 0; i < m->graph.params && !status; i++) {
        const void *data;
        if (tensor[i])
            status = gather(&next, m, i, tensor[i]);
        else if ((data = made(&next, fresh, &m->graph.param[i], i)))
            status = rn_edit_param(&next, m, i, data);
        else
            status = RN_EMEM;
    }
    rn_model_free(fresh);
    return rn_edit_end(w, &next, status);
}
