/* Resizing against Pillow: tests/golden/resize.bin, which scripts/golden_resize.py writes. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/resize.h"
#include "rn.h"
#include "tap.h"

enum { CASE = 14 }; /* bytes */

/* The picture of the script: noise with flat black and white patches. */
static uint8_t *picture(int C, int H, int W)
{
    uint8_t *p = rn_alloc((size_t)C * (size_t)H * (size_t)W, 1), *out = p;
    for (int h = 0; h < H; h++) {
        for (int w = 0; w < W; w++) {
            for (int c = 0; c < C; c++) {
                uint32_t v = (uint32_t)(h * 7919 + w * 104729 + c * 1299709);
                v = (v ^ v >> 13) * 2654435761u;
                int patch = (h / 4 + w / 4) % 5;
                *out++ = (uint8_t)(patch == 0 ? 255 : patch == 1 ? 0 : v >> 24);
            }
        }
    }
    return p;
}

static bool one(int C, int H, int W, int P, int Q, uint32_t want)
{
    size_t size = (size_t)C * (size_t)P * (size_t)Q;
    struct rn_resizer *r = NULL;
    uint8_t *in = picture(C, H, W), *out = rn_alloc(size + 1, 1);
    memset(out, 0x5A, size + 1);
    bool right = !rn_resizer_new(&r, C, H, W, P, Q);
    for (int i = 0; right && i < 2; i++) { /* weights serve more than once */
        rn_resizer_run(r, in, out);
        right = crc32(0, out, (uInt)size) == want && out[size] == 0x5A;
    }
    rn_resizer_free(r);
    rn_free(in);
    rn_free(out);
    return right;
}

static void test_golden(void)
{
    struct rn_map m;
    if (!ok(!rn_map_open(&m, "tests/golden/resize.bin") && m.size && m.size % CASE == 0,
            "golden file"))
        return;
    int failed = 0, cases = 0;
    for (const uint8_t *p = m.data; p < m.data + m.size; p += CASE, cases++) {
        int n[5];
        for (int i = 0; i < 5; i++)
            n[i] = p[2 * i] | p[2 * i + 1] << 8;
        uint32_t want =
            (uint32_t)p[10] | (uint32_t)p[11] << 8 | (uint32_t)p[12] << 16 | (uint32_t)p[13] << 24;
        if (!one(n[0], n[1], n[2], n[3], n[4], want) && failed++ < 5)
            ok(false, "%d channels, %dx%d to %dx%d", n[0], n[1], n[2], n[3], n[4]);
    }
    ok(!failed, "%d of %d sizes are Pillow's, byte for byte", cases - failed, cases);
    rn_map_close(&m);
}

/* Another number of channels than Pillow has: each channel for itself, as one of grey. */
static void test_channels(void)
{
    enum { C = 4, H = 13, W = 17, P = 9, Q = 31 };
    struct rn_resizer *all = NULL, *grey = NULL;
    uint8_t *in = picture(C, H, W), plane[H * W], out[P * Q * C], want[P * Q];
    bool right = !rn_resizer_new(&all, C, H, W, P, Q) && !rn_resizer_new(&grey, 1, H, W, P, Q);
    if (right)
        rn_resizer_run(all, in, out);
    for (int c = 0; right && c < C; c++) {
        for (int i = 0; i < H * W; i++)
            plane[i] = in[i * C + c];
        rn_resizer_run(grey, plane, want);
        for (int i = 0; i < P * Q; i++)
            right &= out[i * C + c] == want[i];
    }
    ok(right, "%d channels", C);
    rn_resizer_free(all);
    rn_resizer_free(grey);
    rn_resizer_free(NULL);
    rn_free(in);
}

int main(void)
{
    test_golden();
    test_channels();
    return done();
}
