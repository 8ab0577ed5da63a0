/* Any bytes as a safetensors file: refused with a sentence, or tensors that lie inside the bytes.
 */
#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>

#include "base/err.h"
#include "weights/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static unsigned sum; /* what was read, so that reading is not optimised away */

static void check(const struct rn_weights *w)
{
    const uint8_t *end = w->map.data + w->map.size;
    for (int i = 0; i < w->tensors; i++) {
        const struct rn_tensor *t = &w->tensor[i];
        const uint8_t *p = t->data;
        size_t bytes = rn_dtype_size(t->dtype);
        for (int d = 0; d < t->rank; d++)
            bytes *= t->dim[d];
        if (p < w->map.data || p > end || t->bytes > (size_t)(end - p) || bytes != t->bytes ||
            rn_weights_find(w, t->name) != t)
            abort();
        for (size_t b = 0; b < t->bytes; b++)
            sum += p[b];
    }
    for (int i = 0; i < w->metas; i++)
        if (rn_weights_meta(w, w->meta[i].key) != w->meta[i].value)
            abort();
}

/* jansson 2.14 stops at an assertion when its parser's buffer can't grow, so its allocations are
 * made where the driver lets none fail. */
static void *json_memory(size_t n)
{
    return memalign(_Alignof(max_align_t), n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    json_set_alloc_funcs(json_memory, free);
    struct rn_weights w = { .map = { .data = data, .size = n } };
    if (!rn_format_safetensors.probe(data, n))
        return 0;
    rn_fail(0, "%s", "");
    int status = rn_format_safetensors.read(&w, "input");
    if (!status)
        check(&w);
    else if ((status != RN_EFORMAT && status != RN_EMEM) || !*rn_error())
        abort();
    rn_gather_release(&w);
    return 0;
}
