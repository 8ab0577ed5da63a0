/* Any bytes as a PNM or farbfeld picture, and as a stream of them. */
#include "picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t one = 0;
    decode_any(data, size);
    for (size_t at = 0; at < size && !rn_pnm_size("any", data + at, size - at, MOST, &one) && one &&
                        one <= size - at;
         at += one)
        decode_any(data + at, one);
    return 0;
}
