/*
 * Resizing and cropping against Pillow and torchvision: tests/golden/{resize,crop,box}.bin, which
 * scripts/golden_resize.py writes.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/prep.h"
#include "data/augment.h"
#include "data/resize.h"
#include "rn.h"
#include "tap.h"

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

/* Is the picture of C x H x W, seen as P x Q, the one of this CRC? */
static bool one(int C, int H, int W, struct rn_view v, int P, int Q, uint32_t want)
{
    size_t size = (size_t)C * (size_t)P * (size_t)Q;
    struct rn_resizer *r = NULL;
    uint8_t *in = picture(C, H, W), *out = rn_alloc(size + 1, 1);
    bool right = !rn_resizer_view(&r, C, H, W, &v, P, Q);
    for (int i = 0; right && i < 2; i++) { /* weights serve more than once */
        memset(out, 0x5A, size + 1);
        rn_resizer_run(r, in, out);
        right = crc32(0, out, (uInt)size) == want && out[size] == 0x5A;
    }
    rn_resizer_free(r);
    rn_free(in);
    rn_free(out);
    return right;
}

/* n: C H W, and what the script writes behind them. */
static bool squashed(const int *n, uint32_t want)
{
    struct rn_prep p = { .H = n[3], .W = n[4], .resize = "squash" };
    return one(n[0], n[1], n[2], rn_view_of(&p, n[1], n[2]), n[3], n[4], want);
}

static bool cropped(const int *n, uint32_t want)
{
    struct rn_prep p = { .H = n[4], .W = n[4] };
    snprintf(p.resize, sizeof p.resize, "short=%d,crop=%d", n[3], n[4]);
    return one(n[0], n[1], n[2], rn_view_of(&p, n[1], n[2]), n[4], n[4], want);
}

static bool boxed(const int *n, uint32_t want)
{
    struct rn_prep p = { .H = n[3], .W = n[4] };
    struct rn_augment a = { .area = 1.0 / 3 };
    struct rn_view v = rn_augment_view(&a, &p, n[1], n[2], 1, 2, 3);
    return v.y == n[5] && v.x == n[6] && v.H == n[7] && v.W == n[8] &&
           one(n[0], n[1], n[2], v, n[3], n[4], want);
}

/* Runs a file of cases: `numbers` of 16 bits and a CRC of 32. */
static void test_golden(const char *path, int numbers, bool (*right)(const int *n, uint32_t want))
{
    struct rn_map m;
    size_t size = (size_t)numbers * 2 + 4;
    if (!ok(!rn_map_open(&m, path) && m.size && m.size % size == 0, "%s", path))
        return;
    int failed = 0, cases = 0, n[9];
    for (const uint8_t *p = m.data; p < m.data + m.size; p += size, cases++) {
        for (int i = 0; i < numbers; i++)
            n[i] = p[2 * i] | p[2 * i + 1] << 8;
        const uint8_t *c = p + 2 * numbers;
        uint32_t want =
            (uint32_t)c[0] | (uint32_t)c[1] << 8 | (uint32_t)c[2] << 16 | (uint32_t)c[3] << 24;
        if (!right(n, want) && failed++ < 5)
            ok(false, "%d channels, %dx%d to %d, %d", n[0], n[1], n[2], n[3], n[4]);
    }
    ok(!failed, "%d of %d are Pillow's, byte for byte", cases - failed, cases);
    rn_map_close(&m);
}

static void test_words(void)
{
    static const char *const bad[] = {
        "",
        "squash ",
        "Squash",
        "short=256",
        "short=0,crop=1",
        "short=8,crop=0",
        "short=08,crop=4",
        "short=8,crop=4 ",
        "short=+8,crop=4",
        "short= 8,crop=4",
        "short=8193,crop=4",
        "short=8,crop=8193",
        "short=-8,crop=4",
        "crop=4,short=8",
        "short=99999999999999999999,crop=4",
    };
    int N, M;
    ok(rn_resize_parse("squash", &N, &M) && !N && !M, "squash");
    ok(rn_resize_parse("short=256,crop=224", &N, &M) && N == 256 && M == 224, "short and crop");
    ok(rn_resize_parse("short=8192,crop=8192", &N, &M) && N == 8192 && M == 8192, "the largest");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(!rn_resize_parse(bad[i], &N, &M), "not \"%s\"", bad[i]);
}

/* A row of pixels whose short side grows by 8192: past what an int counts, and past memory if all
 * of it were made. */
static void test_long(void)
{
    enum { W = 300000, M = 16 };
    struct rn_prep p = { .H = M, .W = M, .resize = "short=8192,crop=16" };
    struct rn_view v = rn_view_of(&p, 1, W);
    struct rn_resizer *r = NULL;
    uint8_t *in = rn_alloc(W, 1), out[M * M];
    memset(in, 7, W);
    ok(v.columns == 8192 * (int64_t)W && v.columns > INT_MAX,
       "%d columns become more than an int's", W);
    bool right = !rn_resizer_view(&r, 1, 1, W, &v, M, M);
    if (right)
        rn_resizer_run(r, in, out);
    for (int i = 0; i < M * M; i++)
        right &= out[i] == 7;
    ok(right, "and only its middle is made");
    rn_resizer_free(r);
    rn_free(in);
}

/* Boxes lie in the picture, of an area and an aspect within the limits but for whole pixels. */
static void test_boxes(void)
{
    enum { H = 90, W = 120, TIMES = 2000 };
    struct rn_prep p = { .H = 32, .W = 48 };
    struct rn_augment a = { .area = 0.25 };
    int inside = 0, again = 0, moved = 0, small = 0, wide = 0;
    for (int i = 0; i < TIMES; i++) {
        struct rn_view v = rn_augment_view(&a, &p, H, W, 7, 1, i),
                       same = rn_augment_view(&a, &p, H, W, 7, 1, i),
                       later = rn_augment_view(&a, &p, H, W, 7, 2, i);
        double area = (double)(v.H * v.W) / (H * W), aspect = (double)v.W / v.H;
        inside += v.y >= 0 && v.x >= 0 && v.y + v.H <= H && v.x + v.W <= W && area > 0.24 &&
                  aspect > 0.73 && aspect < 1.36 && v.rows == 32 && v.columns == 48;
        again += rn_view_same(&v, &same);
        moved += !rn_view_same(&v, &later);
        small += area < 0.5;
        wide += aspect > 1;
    }
    ok(inside == TIMES, "%d of %d boxes are within the limits", inside, TIMES);
    ok(again == TIMES && moved > TIMES * 0.99, "the same for the same picture and epoch only");
    ok(small > TIMES * 0.3 && small < TIMES * 0.6, "small ones: %d", small);
    ok(wide > TIMES * 0.4 && wide < TIMES * 0.65, "wide ones: %d", wide);
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
    test_golden("tests/golden/resize.bin", 5, squashed);
    test_golden("tests/golden/crop.bin", 5, cropped);
    test_golden("tests/golden/box.bin", 9, boxed);
    test_words();
    test_long();
    test_boxes();
    test_channels();
    return done();
}
