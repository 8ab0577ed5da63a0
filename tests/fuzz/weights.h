/* What the fuzz programs of weight formats share. */
#ifndef RN_TESTS_FUZZ_WEIGHTS_H
#define RN_TESTS_FUZZ_WEIGHTS_H

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/err.h"
#include "weights/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static unsigned sum; /* what was read, so that reading is not optimised away */

/* jansson 2.14 stops at an assertion when its parser's buffer can't grow, so its allocations are
 * made where the driver lets none fail. */
static inline void *json_memory(size_t n)
{
    return memalign(_Alignof(max_align_t), n);
}

/* Where nothing was copied, all data lie inside the file. */
static inline bool is_inside(const struct rn_weights *w, const struct rn_tensor *t)
{
    const uint8_t *p = t->data, *end = w->map.data + w->map.size;
    return w->owns || (p >= w->map.data && p <= end && t->bytes <= (size_t)(end - p));
}

static inline void check_weights(const struct rn_weights *w)
{
    for (int i = 0; i < w->tensors; i++) {
        const struct rn_tensor *t = &w->tensor[i];
        const uint8_t *p = t->data;
        size_t bytes = rn_dtype_size(t->dtype);
        for (int d = 0; d < t->rank; d++)
            bytes *= t->dim[d];
        if (bytes != t->bytes || !is_inside(w, t) || rn_weights_find(w, t->name) != t)
            abort();
        for (size_t b = 0; b < t->bytes; b++)
            sum += p[b];
    }
    for (int i = 0; i < w->metas; i++)
        if (rn_weights_meta(w, w->meta[i].key) != w->meta[i].value)
            abort();
}

/* Refused with a sentence of one line? */
static inline void check_status(int status)
{
    if ((status != RN_EFORMAT && status != RN_EMEM) || !*rn_error() ||
        strpbrk(rn_error(), "\n\r\x1b"))
        abort();
}

static inline void read_weights(const struct rn_format *format, const uint8_t *data, size_t n)
{
    struct rn_weights w = { .map = { .data = data, .size = n } };
    json_set_alloc_funcs(json_memory, free);
    if (!format->probe(data, n))
        return;
    rn_fail(0, "%s", "");
    int status = format->read(&w, "input");
    if (status)
        check_status(status);
    else
        check_weights(&w);
    rn_gather_release(&w);
}

/* A zip archive's bytes with the CRCs of stored members set right, or what is inside would hardly
 * ever be read. The caller frees. */
static inline uint8_t *right_crcs(const uint8_t *data, size_t n)
{
    uint8_t *copy = memalign(_Alignof(max_align_t), n + !n), *p = copy, *end = copy + n;
    memcpy(copy, data, n);
    while ((p = memmem(p, (size_t)(end - p), "PK\1\2", 4)) && end - p >= 46) {
        uint32_t packed, offset, crc, local;
        memcpy(&packed, p + 20, 4);
        memcpy(&offset, p + 42, 4);
        uint8_t *h = copy + offset, *d = NULL;
        if (offset <= n && n - offset >= 30) {
            d = h + 30 + h[26] + (h[27] << 8) + h[28] + (h[29] << 8);
            memcpy(&local, h + 14, 4);
        }
        if (d && d <= end && packed <= (size_t)(end - d) && !p[10]) {
            crc = (uint32_t)crc32_z(0, d, packed);
            memcpy(p + 16, &crc, 4);
            if (local)
                memcpy(h + 14, &crc, 4);
            if (end - d - packed >= 8 && !memcmp(d + packed, "PK\7\10", 4))
                memcpy(d + packed + 4, &crc, 4);
        }
        p += 4;
    }
    return copy;
}

#endif
