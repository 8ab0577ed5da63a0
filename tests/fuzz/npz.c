/* Any bytes as NumPy's arrays: in an archive, as they are and with right CRCs, and as one array. */
#include "weights.h"
#include "weights/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct rn_tensor t = { .name = "input" };
    bool fortran;
    size_t begin;
    read_weights(&rn_format_npz, data, n);
    uint8_t *copy = right_crcs(data, n);
    read_weights(&rn_format_npz, copy, n);
    free(copy);
    rn_fail(0, "%s", "");
    int status = rn_npy_read(&t, &fortran, &begin, data, n, "input");
    if (status)
        check_status(status);
    else if (begin > n || t.bytes != n - begin || t.rank > RN_RANK_MAX)
        abort();
    return 0;
}
