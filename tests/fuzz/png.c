/* Any bytes as a PNG picture, put upright, as RGB or as grey. The sums of the chunks are made right,
 * else hardly a mutation would get past the first one. */
#include <zlib.h>

#include "picture.h"

enum { MAGIC = 8, FRAME = 12 /* length, kind and sum of a chunk */ };

static void make_sums_right(uint8_t *p, size_t n)
{
    for (size_t at = MAGIC, size; at + FRAME <= n; at += FRAME + size) {
        size = (size_t)p[at] << 24 | (size_t)p[at + 1] << 16 | (size_t)p[at + 2] << 8 | p[at + 3];
        if (size > n - at - FRAME)
            return;
        uint32_t sum = (uint32_t)crc32(0, p + at + 4, (uInt)(4 + size));
        for (int i = 0; i < 4; i++)
            p[at + 8 + size + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size);
    if (copy && size) {
        memcpy(copy, data, size);
        make_sums_right(copy, size);
        decode_any(copy, size);
    }
    free(copy);
    return 0;
}
