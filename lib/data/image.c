/* Bytes -> pixels: the table of codecs, and what is the same for all: limits, orientation, grey to
 * RGB and back. */
#include "data/image.h"

#include <limits.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

static const struct rn_codec *const codecs[] = { &rn_codec_png, &rn_codec_jpeg, &rn_codec_pnm,
                                                 &rn_codec_farbfeld, NULL };

enum { SIDE_MAX = 1 << 24 }; /* a row of RGB fits an int */

static const struct rn_codec *find_codec(const uint8_t *head, size_t n)
{
    for (int i = 0; codecs[i]; i++)
        if (codecs[i]->probe(head, n))
            return codecs[i];
    return NULL;
}

const char *rn_image_kind(const uint8_t *head, size_t n)
{
    const struct rn_codec *c = find_codec(head, n);
    return c ? c->name : NULL;
}

/* ---- memory ---- */

void rn_picture_release(struct rn_picture *p)
{
    rn_free(p->pixel);
    rn_free(p->spare);
    *p = (struct rn_picture){ 0 };
}

static int make_room(uint8_t **block, size_t *room, size_t n)
{
    if (*room >= n)
        return 0;
    rn_free(*block);
    *room = 0;
    *block = rn_alloc(n, 1);
    if (!*block)
        return RN_EMEM;
    *room = n;
    return 0;
}

int rn_picture_shape(struct rn_picture *p, const struct rn_decode *how, const char *name,
                     uint64_t H, uint64_t W, int C)
{
    size_t pixels, bytes;
    if (H < 1 || W < 1)
        return rn_fail(RN_EFORMAT, "%s: a picture without pixels", name);
    if (H > SIDE_MAX || W > SIDE_MAX || H * W > how->max_pixels) {
        return rn_fail(RN_EFORMAT, "%s: %llux%llu pixels are more than the limit of %llu", name,
                       (unsigned long long)W, (unsigned long long)H,
                       (unsigned long long)how->max_pixels);
    }
    if (!rn_mul(&pixels, (size_t)H, (size_t)W) ||
        !rn_mul(&bytes, pixels, (size_t)(C > how->C ? C : how->C)))
        return rn_fail(RN_EMEM, "%s: its pixels do not fit the address space", name);
    p->H = (int)H;
    p->W = (int)W;
    p->C = C;
    return make_room(&p->pixel, &p->room, bytes);
}

/* ---- channels ---- */

/* Pillow's luma (ITU-R 601-2 in 16-bit fixed point). */
static void to_grey(struct rn_picture *p)
{
    size_t n = (size_t)p->H * (size_t)p->W;
    const uint8_t *in = p->pixel;
    for (size_t i = 0; i < n; i++, in += 3)
        p->pixel[i] = (uint8_t)((19595u * in[0] + 38470u * in[1] + 7471u * in[2] + 0x8000) >> 16);
    p->C = 1;
}

/* From the end on, as the pixels move up. */
static void to_rgb(struct rn_picture *p)
{
    for (size_t i = (size_t)p->H * (size_t)p->W; i-- > 0;)
        p->pixel[3 * i] = p->pixel[3 * i + 1] = p->pixel[3 * i + 2] = p->pixel[i];
    p->C = 3;
}

/* ---- orientation ---- */

static unsigned number(const uint8_t *p, int bytes, bool big)
{
    unsigned v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (unsigned)p[i] << 8 * (big ? bytes - 1 - i : i);
    return v;
}

int rn_exif_orientation(const uint8_t *tiff, size_t n)
{
    enum { HEADER = 8, ENTRY = 12, ORIENTATION = 0x112, SHORT = 3 };
    if (n < HEADER || (memcmp(tiff, "II*\0", 4) && memcmp(tiff, "MM\0*", 4)))
        return 1;
    bool big = tiff[0] == 'M';
    size_t at = number(tiff + 4, 4, big);
    if (at > n - 2)
        return 1;
    unsigned entries = number(tiff + at, 2, big);
    for (at += 2; entries > 0 && n - at >= ENTRY; entries--, at += ENTRY) {
        const uint8_t *e = tiff + at;
        unsigned v = number(e + 8, 2, big);
        if (number(e, 2, big) == ORIENTATION && number(e + 2, 2, big) == SHORT)
            return v >= 1 && v <= 8 ? (int)v : 1;
    }
    return 1;
}

/*
 * EXIF's eight ways: out[h][w] is in[y][x] with, for 5 to 8, h and w swapped first, then the row or
 * the column counted from the end.
 */
static int put_upright(struct rn_picture *p)
{
    int o = p->orientation, C = p->C, in_W = p->W, in_H = p->H;
    bool swap = o >= 5, bottom_up = o == 3 || o == 4 || o == 7 || o == 8,
         right_left = o == 2 || o == 3 || o == 6 || o == 7;
    if (o <= 1)
        return 0;
    if (make_room(&p->spare, &p->spare_room, p->room))
        return RN_EMEM;
    int H = swap ? in_W : in_H, W = swap ? in_H : in_W;
    uint8_t *out = p->spare;
    for (int h = 0; h < H; h++)
        for (int w = 0; w < W; w++, out += C) {
            int row = bottom_up ? H - 1 - h : h, column = right_left ? W - 1 - w : w;
            int y = swap ? column : row, x = swap ? row : column;
            memcpy(out, p->pixel + ((size_t)y * (size_t)in_W + (size_t)x) * (size_t)C, (size_t)C);
        }
    *p = (struct rn_picture){ H, W, C, 1, p->spare, p->pixel, p->spare_room, p->room };
    return 0;
}

/* ---- decoding ---- */

int rn_picture_decode(struct rn_picture *p, const struct rn_decode *how, const char *name,
                      const uint8_t *data, size_t n)
{
    const struct rn_codec *codec = find_codec(data, n);
    if (how->C != 0 && how->C != 1 && how->C != 3) {
        return rn_fail(RN_EUSAGE, "%s: pictures have 1 or 3 channels, the network takes %d", name,
                       how->C);
    }
    if (!n)
        return rn_fail(RN_EFORMAT, "%s: is empty", name);
    if (!codec)
        return rn_fail(RN_EFORMAT, "%s: is no PNG, JPEG, PNM or farbfeld picture", name);
    p->orientation = 1;
    int status = codec->decode(p, how, &(struct rn_encoded){ name, data, n });
    if (status)
        return status;
    if (how->C == 1 && p->C == 3)
        to_grey(p);
    if (how->C == 3 && p->C == 1)
        to_rgb(p);
    return how->as_stored ? 0 : put_upright(p);
}
