/* Decoding against Pillow: tests/golden/pictures, which scripts/golden_pictures.py writes; broken and
 * hostile pictures; where a stream is cut. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <zlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/image.h"
#include "rn.h"
#include "tap.h"

#define FOLDER "tests/golden/pictures/"

static struct rn_decode how(int C, bool as_stored)
{
    return (struct rn_decode){ .C = C, .as_stored = as_stored, .max_pixels = RN_MAX_PIXELS };
}

/* ---- Pillow's pixels ---- */

struct row {
    char name[64];
    int W, H, stored_W, stored_H;
    unsigned rgb, grey, stored;
};

static bool same(struct rn_picture *p, const struct rn_decode *d, const char *name,
                 const struct rn_map *m, int W, int H, unsigned want)
{
    if (rn_picture_decode(p, d, name, m->data, m->size)) {
        printf("# %s\n", rn_error());
        return false;
    }
    size_t n = (size_t)p->H * (size_t)p->W * (size_t)p->C;
    return p->W == W && p->H == H && p->C == d->C && crc32(0, p->pixel, (uInt)n) == want;
}

static void test_row(struct rn_picture *p, const struct row *r)
{
    struct rn_map m;
    char path[128];
    struct rn_decode rgb = how(3, false), grey = how(1, false), stored = how(3, true);
    snprintf(path, sizeof path, FOLDER "%s", r->name);
    bool right = !rn_map_open(&m, path) && rn_image_kind(m.data, 16);
    bool a = right && same(p, &rgb, r->name, &m, r->W, r->H, r->rgb);
    bool b = right && same(p, &grey, r->name, &m, r->W, r->H, r->grey);
    bool c = right && same(p, &stored, r->name, &m, r->stored_W, r->stored_H, r->stored);
    ok(a && b && c, "%s is Pillow's: RGB %s, grey %s, as stored %s", r->name, a ? "yes" : "no",
       b ? "yes" : "no", c ? "yes" : "no");
    rn_map_close(&m);
}

static void test_golden(void)
{
    struct rn_picture p = { 0 }; /* one for all: it keeps its memory */
    struct row r;
    int rows = 0;
    FILE *f = fopen(FOLDER "pillow.tsv", "r");
    while (f && fscanf(f, "%63s %d %d %x %x %d %d %x", r.name, &r.W, &r.H, &r.rgb, &r.grey,
                       &r.stored_W, &r.stored_H, &r.stored) == 8) {
        test_row(&p, &r);
        rows++;
    }
    ok(rows >= 40, "%d pictures", rows);
    if (f)
        fclose(f);
    rn_picture_release(&p);
}

/* ---- what is broken ---- */

static void refused(const char *what, const uint8_t *data, size_t n)
{
    struct rn_picture p = { 0 };
    struct rn_decode d = how(3, false);
    uint8_t *copy = malloc(n + !n); /* so that a sanitizer sees a read past the end */
    memcpy(copy, data, n);
    int status = rn_picture_decode(&p, &d, "broken", copy, n);
    ok(status == RN_EFORMAT && !strncmp(rn_error(), "broken: ", 8), "%s: %s", what,
       status ? rn_error() : "was taken");
    rn_picture_release(&p);
    free(copy);
}

/* Cut off at seven places. */
static void test_cut(const char *name)
{
    struct rn_map m;
    char path[128], what[96];
    snprintf(path, sizeof path, FOLDER "%s", name);
    if (!ok(!rn_map_open(&m, path), "%s", name))
        return;
    for (size_t i = 1; i < 8; i++) {
        size_t n = m.size * i / 8;
        snprintf(what, sizeof what, "%s cut off at %zu of %zu bytes", name, n, m.size);
        refused(what, m.data, n);
    }
    rn_map_close(&m);
}

/* A byte of the compressed pixels changed: the sum of the chunk tells. */
static void test_crc(void)
{
    struct rn_map m;
    if (rn_map_open(&m, FOLDER "rgb-8.png"))
        return;
    uint8_t *data = malloc(m.size);
    memcpy(data, m.data, m.size);
    data[m.size - 14] ^= 1; /* IEND is 12 bytes, before it stands the sum of IDAT */
    refused("PNG with a wrong sum", data, m.size);
    memcpy(data, m.data, m.size);
    data[20] ^= 1;
    refused("PNG with a wrong sum of the header", data, m.size);
    refused("PNG without its end", m.data, m.size - 6);
    free(data);
    rn_map_close(&m);
}

/* The header of a golden picture with the sides made 65535. */
static void test_huge(const char *name, size_t at, int bytes)
{
    struct rn_map m;
    char path[128];
    snprintf(path, sizeof path, FOLDER "%s", name);
    if (rn_map_open(&m, path))
        return;
    uint8_t *data = malloc(m.size);
    memcpy(data, m.data, m.size);
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < bytes; i++)
            data[at + (size_t)(side * bytes + i)] = i >= bytes - 2 ? 255 : 0;
    if (bytes == 4 && name[0] != 'a') { /* PNG: the sum of the header */
        uint32_t sum = (uint32_t)crc32(0, data + 12, 17);
        for (int i = 0; i < 4; i++)
            data[29 + i] = (uint8_t)(sum >> (24 - 8 * i));
    }
    refused(name, data, m.size);
    ok(strstr(rn_error(), "65535x65535 pixels are more than the limit") ||
           strstr(rn_error(), "65500"), /* libjpeg's own limit */
       "%s: the limit is named", name);
    free(data);
    rn_map_close(&m);
}

static size_t find_frame(const char *name)
{
    struct rn_map m;
    size_t at = 0;
    if (!rn_map_open(&m, name))
        for (at = 2; at + 9 < m.size && m.data[at + 1] != 0xC0;)
            at += 2 + ((size_t)m.data[at + 2] << 8 | m.data[at + 3]);
    rn_map_close(&m);
    return at + 5; /* marker, length, precision */
}

/* A progressive picture, its last scan said again and again. */
static void test_scans(void)
{
    enum { TIMES = 600 };
    struct rn_map m;
    if (rn_map_open(&m, FOLDER "progressive.jpg"))
        return;
    size_t last = m.size - 2, scan = last;
    while (scan > 2 && (m.data[scan] != 0xff || m.data[scan + 1] != 0xda))
        scan--;
    size_t n = last - scan;
    uint8_t *data = malloc(m.size + TIMES * n);
    memcpy(data, m.data, last);
    for (size_t i = 0; i < TIMES; i++)
        memcpy(data + last + i * n, m.data + scan, n);
    memcpy(data + last + TIMES * n, "\xff\xd9", 2);
    refused("JPEG of 600 scans", data, m.size + TIMES * n);
    ok(strstr(rn_error(), "scans"), "the limit on scans is named");
    free(data);
    rn_map_close(&m);
}

static void test_broken(void)
{
    static const char *const cut[] = { "rgb-8.png", "interlaced-palette.png",
                                       "420.jpg",   "progressive.jpg",
                                       "P6.ppm",    "P3.ppm",
                                       "a.ff" };
    static const char *const text[] = { "",
                                        "P",
                                        "P6\n",
                                        "P6 0 1 255\n",
                                        "P6 1 1 0\n123",
                                        "P6 1 1 65536\n123",
                                        "P6 1 1 255x123",
                                        "P2 1 1 7\n8",
                                        "P1 2 1\n12",
                                        "P5 99999999999 1 255\n1",
                                        "P5 65535 65535 255\n1",
                                        "P6 a 1 255\n",
                                        "P6 # no end",
                                        "P7\nWIDTH 1\n",
                                        "GIF89a",
                                        "farbfel",
                                        "\xff\xd8\xff",
                                        "\x89PNG\r\n\x1a\n" };
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++)
        test_cut(cut[i]);
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        refused("text", (const uint8_t *)text[i], strlen(text[i]));
    test_crc();
    test_huge("rgb-8.png", 16, 4);
    test_huge("a.ff", 8, 4);
    test_huge("420.jpg", find_frame(FOLDER "420.jpg"), 2);
    test_scans();
    struct rn_picture p = { 0 };
    struct rn_decode four = how(4, false);
    ok(rn_picture_decode(&p, &four, "x", (const uint8_t *)"P5 1 1 255\n1", 12) == RN_EUSAGE,
       "four channels: %s", rn_error());
    rn_picture_release(&p);
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
#ifndef __SANITIZE_ADDRESS__
    ok(use.ru_maxrss < 64 * 1024, "all that in %ld KiB", use.ru_maxrss);
#endif
}

/* ---- streams ---- */

static bool size_is(const char *data, size_t n, size_t want)
{
    size_t size;
    return !rn_pnm_size("s", (const uint8_t *)data, n, RN_MAX_PIXELS, &size) && size == want;
}

static void test_sizes(void)
{
    static const char ff[] = "farbfeld\0\0\0\2\0\0\0\3";
    size_t size;
    bool whole = true;
    for (size_t i = 0; i < 12; i++)
        whole &= size_is("P6 2 3 255\n", i, i < 11 ? 0 : 11 + 18);
    ok(whole, "the size of a PPM is known when its header is whole");
    ok(size_is("P5\n#x\n2 3 256\nabc", 17, 14 + 12), "of 16 bits, with a comment");
    ok(size_is("P4 9 3\n", 7, 7 + 6), "of a bitmap, rows of whole bytes");
    ok(size_is(ff, 16, 16 + 48) && size_is(ff, 15, 0) && size_is(ff, 3, 0), "of a farbfeld");
    ok(rn_pnm_size("s", (const uint8_t *)"P3 1 1 1\n1 1 1", 14, 10, &size) == RN_EFORMAT &&
           rn_pnm_size("s", (const uint8_t *)"P5 4 3 255\n", 11, 10, &size) == RN_EFORMAT &&
           rn_pnm_size("s", (const uint8_t *)"\x89PNG....", 8, 10, &size) == RN_EFORMAT,
       "no size: plain ones, too large ones, others");
}

int main(void)
{
    test_broken(); /* first: it measures memory */
    test_golden();
    test_sizes();
    return done();
}
