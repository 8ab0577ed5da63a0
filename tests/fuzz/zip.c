/* Any bytes as a zip archive: refused with a sentence, or members that lie one behind the other. */
#include "weights/zip.h"

#include "weights.h"

enum { MOST = 1 << 20 }; /* bytes unpacked: hostile sizes must not make the run slow */

static void check_members(const struct rn_zip *z, const uint8_t *data, size_t n)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < z->members; i++) {
        const struct rn_zip_member *m = &z->member[i];
        if (m->data < at + RN_ZIP_LOCAL || m->packed > (size_t)(data + n - m->data) ||
            rn_zip_find(z, m->name) != m || !rn_zip_name_good(m->name))
            abort();
        at = m->data + m->packed;
        if (!m->deflated || m->size > MOST)
            continue;
        uint8_t *to = malloc(m->size + !m->size);
        int status = to ? rn_zip_inflate(m, to, "input") : 0;
        if (status)
            check_status(status);
        free(to);
    }
}

static void read_zip(const uint8_t *data, size_t n)
{
    struct rn_zip z;
    rn_fail(0, "%s", "");
    int status = rn_zip_read(&z, data, n, "input");
    if (status) {
        check_status(status);
        return;
    }
    check_members(&z, data, n);
    rn_zip_release(&z);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    read_zip(data, n);
    uint8_t *copy = right_crcs(data, n);
    read_zip(copy, n);
    free(copy);
    return 0;
}
