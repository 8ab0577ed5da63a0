/* What the fuzz programs of pictures share. */
#ifndef RN_TESTS_FUZZ_PICTURE_H
#define RN_TESTS_FUZZ_PICTURE_H

#include <stdlib.h>
#include <string.h>

#include "data/image.h"
#include "rn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 1 << 16 }; /* pixels: hostile headers must not make the run slow */

static volatile uint8_t sink;

/* As RGB or as grey, which follows from the size. */
static inline void decode_any(const uint8_t *data, size_t size)
{
    struct rn_picture p = { 0 };
    struct rn_decode how = { .C = size % 2 ? 1 : 3, .max_pixels = MOST };
    if (!rn_picture_decode(&p, &how, "any", data, size)) {
        size_t n = (size_t)p.H * (size_t)p.W * (size_t)p.C;
        if (p.C != how.C || !n || n > 3 * MOST)
            abort();
        for (size_t i = 0; i < n; i++)
            sink ^= p.pixel[i];
    } else if (!*rn_error() || strpbrk(rn_error(), "\n\r\x1b")) {
        abort();
    }
    rn_picture_release(&p);
}

#endif
