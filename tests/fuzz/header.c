/*
 * Any bytes as the JSON header of a safetensors file, its length put right (what stands behind the
 * last brace is data), and as the metadata of the other formats: a length hardly ever survives in
 * what fuzz/safetensors.c is given.
 */
#include "weights.h"
#include "weights/meta.h"

enum { LENGTH = 8 };

static void read_header(const uint8_t *data, size_t n)
{
    const uint8_t *brace = memrchr(data, '}', n);
    uint64_t length = brace ? (uint64_t)(brace - data) + 1 : n;
    uint8_t *file = memalign(_Alignof(max_align_t), LENGTH + n);
    memcpy(file, &length, LENGTH);
    if (n)
        memcpy(file + LENGTH, data, n);
    read_weights(&rn_format_safetensors, file, LENGTH + n);
    free(file);
}

static void read_meta(const uint8_t *data, size_t n)
{
    struct rn_weights w = { 0 };
    rn_fail(0, "%s", "");
    int status = rn_meta_parse(&w, (const char *)data, n, "input");
    if (status)
        check_status(status);
    else
        check_weights(&w);
    rn_gather_release(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    read_header(data, n);
    read_meta(data, n);
    return 0;
}
