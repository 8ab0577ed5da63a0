/* Any bytes as a safetensors file: refused with a sentence, or tensors that lie inside the bytes. */
#include "weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    read_weights(&rn_format_safetensors, data, n);
    return 0;
}
