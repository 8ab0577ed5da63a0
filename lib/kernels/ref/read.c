/* Reference of reading memory: the exclusive or of the words. */
#include "kernels/ref/ref.h"

#include <string.h>

uint32_t rn_read_ref(const float *x, size_t n)
{
    uint32_t all = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        all ^= bits;
    }
    return all;
}
