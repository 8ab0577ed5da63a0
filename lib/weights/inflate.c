/* A deflated member of a zip archive, unpacked into memory of its size and not a byte further. */
#include <zlib.h>

#include "base/err.h"
#include "weights/zip.h"

enum { STEP = 1 << 30 }; /* bytes that zlib is given at once, which counts them in 32 bits */

static unsigned step(size_t left)
{
    return left < STEP ? (unsigned)left : STEP;
}

/* Unpacks until the stream ends, input or room run out; Z_STREAM_END when all is right. */
static int unpack(z_stream *z, const struct rn_zip_member *m, uint8_t *to)
{
    size_t in = 0, out = 0;
    for (;;) {
        unsigned give = step(m->packed - in), room = step(m->size - out);
        z->next_in = (uint8_t *)(uintptr_t)(m->data + in);
        z->avail_in = give;
        z->next_out = to + out;
        z->avail_out = room;
        int code = inflate(z, Z_NO_FLUSH);
        in += give - z->avail_in;
        out += room - z->avail_out;
        if (code == Z_STREAM_END)
            return in == m->packed && out == m->size ? Z_STREAM_END : Z_DATA_ERROR;
        if (code != Z_OK)
            return code;
    }
}

int rn_zip_inflate(const struct rn_zip_member *m, uint8_t *to, const char *path)
{
    z_stream z = { 0 };
    int code = inflateInit2(&z, -MAX_WBITS);
    if (code == Z_OK) {
        code = unpack(&z, m, to);
        inflateEnd(&z);
    }
    if (code == Z_MEM_ERROR)
        return rn_fail(RN_EMEM, "%s: memory is short", path);
    if (code != Z_STREAM_END)
        return rn_fail(RN_EFORMAT, "%s: zip member %.200s: its deflated data are damaged", path,
                       m->name);
    if ((uint32_t)crc32_z(0, to, m->size) != m->crc)
        return rn_fail(RN_EFORMAT, "%s: zip member %.200s: it is damaged (CRC differs)", path,
                       m->name);
    return 0;
}
