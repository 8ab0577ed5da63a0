/*
 * Any bytes as pickles, one behind the other: refused with a sentence, or values; of storages that
 * the bytes themselves are large enough for, the tensors are read.
 */
#include "weights/pickle.h"

#include "weights.h"
#include "weights/state.h"

/* Gives every storage the input's own bytes; false: one is larger. */
static bool lend(struct rn_pickle *p, const uint8_t *data, size_t n)
{
    for (struct rn_pickle_storage *s = p->storages; s; s = s->next) {
        if (s->count > n / rn_dtype_size(s->dtype))
            return false;
        s->data = data;
    }
    return true;
}

static void gather(const struct rn_value *root, const uint8_t *data, size_t n)
{
    struct rn_weights w = { .map = { .data = data, .size = n } };
    int status = rn_state_gather(&w, root, "input");
    if (status)
        check_status(status);
    else
        check_weights(&w);
    rn_gather_release(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct rn_pickle p;
    const struct rn_value *root;
    json_set_alloc_funcs(json_memory, free);
    rn_fail(0, "%s", "");
    rn_pickle_init(&p, data, n, "input");
    for (;;) {
        size_t before = p.at;
        int status = rn_pickle_next(&p, &root);
        if (status) {
            check_status(status);
            break;
        }
        if (p.at <= before || p.at > n || p.depth)
            abort();
        if (lend(&p, data, n))
            gather(root, data, n);
        if (p.at == n)
            break;
    }
    rn_pickle_release(&p);
    return 0;
}
