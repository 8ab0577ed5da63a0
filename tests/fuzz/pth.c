/* Any bytes as a checkpoint of PyTorch, as they are and with right CRCs. */
#include "weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    read_weights(&rn_format_pth, data, n);
    uint8_t *copy = right_crcs(data, n);
    read_weights(&rn_format_pth, copy, n);
    free(copy);
    return 0;
}
