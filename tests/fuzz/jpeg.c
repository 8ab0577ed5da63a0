/* Any bytes as a JPEG picture, put upright, as RGB or as grey. */
#include "picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    decode_any(data, size);
    return 0;
}
