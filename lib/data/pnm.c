/*
 * PNM (netpbm's PBM, PGM, PPM, plain P1 P2 P3 and raw P4 P5 P6) and farbfeld (suckless: "farbfeld",
 * width, height, 16-bit RGBA, big endian). Values are scaled from the file's maximum as Pillow does
 * it: rounded to 255, those of grey beyond 8 bits to 65535, of which the high byte stays.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "data/image.h"

enum { FARBFELD_HEADER = 16, NUMBER_MAX = 1 << 28 };

/* A PNM's header. */
struct header {
    int kind;           /* 1 to 6 */
    uint32_t W, H, max; /* max: 1 for bitmaps */
    size_t at;          /* where the pixels begin */
};

/* A place in the file. */
struct cursor {
    const char *name;
    const uint8_t *data;
    size_t at, n;
};

static bool is_space(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool probe_pnm(const uint8_t *head, size_t n)
{
    return n >= 3 && head[0] == 'P' && head[1] >= '1' && head[1] <= '6' &&
           (is_space(head[2]) || head[2] == '#');
}

static bool probe_farbfeld(const uint8_t *head, size_t n)
{
    return n >= 8 && !memcmp(head, "farbfeld", 8);
}

static int fail_cut(const char *name, size_t n)
{
    return rn_fail(RN_EFORMAT, "%s: cut off: the data end after %zu bytes", name, n);
}

/* ---- numbers in text ---- */

/* White space and comments, which run from # to the end of the line. */
static void skip_space(struct cursor *c)
{
    bool comment = false;
    for (; c->at < c->n; c->at++) {
        uint8_t byte = c->data[c->at];
        comment = comment ? byte != '\n' : byte == '#';
        if (!comment && !is_space(byte))
            return;
    }
}

/* A number and no byte behind it. Returns 0 or RN_EFORMAT. */
static int read_number(struct cursor *c, uint32_t *v)
{
    skip_space(c);
    if (c->at == c->n)
        return fail_cut(c->name, c->n);
    size_t from = c->at;
    for (*v = 0; c->at < c->n && c->data[c->at] >= '0' && c->data[c->at] <= '9'; c->at++) {
        *v = *v * 10 + (uint32_t)(c->data[c->at] - '0');
        if (*v > NUMBER_MAX)
            return rn_fail(RN_EFORMAT, "%s: broken PNM: a number above %d", c->name, NUMBER_MAX);
    }
    return c->at > from
               ? 0
               : rn_fail(RN_EFORMAT, "%s: broken PNM: no number at byte %zu", c->name, from);
}

/* Returns 0 or RN_EFORMAT, also when the header is not whole. */
static int read_header(struct cursor *c, struct header *h)
{
    h->kind = c->data[1] - '0';
    h->max = 1;
    c->at = 2;
    int status = read_number(c, &h->W);
    status = status ? status : read_number(c, &h->H);
    if (!status && h->kind % 3 != 1)
        status = read_number(c, &h->max);
    if (status)
        return status;
    if (h->max < 1 || h->max > 65535)
        return rn_fail(RN_EFORMAT, "%s: broken PNM: the maximum %u is not within 1 to 65535",
                       c->name, h->max);
    if (c->at == c->n)
        return fail_cut(c->name, c->n);
    if (!is_space(c->data[c->at]))
        return rn_fail(RN_EFORMAT, "%s: broken PNM: no space behind the header", c->name);
    h->at = ++c->at;
    return 0;
}

/* Bytes of a row of a raw PNM. */
static uint64_t row_bytes(const struct header *h)
{
    if (h->kind == 4)
        return ((uint64_t)h->W + 7) / 8;
    return (uint64_t)h->W * (h->kind == 6 ? 3 : 1) * (h->max > 255 ? 2 : 1);
}

/* ---- limits: known from the header, before memory is taken ---- */

static int check_pixels(const char *name, uint64_t W, uint64_t H, uint64_t most)
{
    if (W && H > most / W)
        return rn_fail(RN_EFORMAT, "%s: %llux%llu pixels are more than the limit of %llu", name,
                       (unsigned long long)W, (unsigned long long)H, (unsigned long long)most);
    return 0;
}

/* The fewest bytes behind the header: a byte a value in a plain one. */
static uint64_t least_bytes(const struct header *h)
{
    return h->H * (h->kind > 3 ? row_bytes(h) : (uint64_t)h->W * (h->kind == 3 ? 3 : 1));
}

/* ---- pixels ---- */

/* table[v], v from 0 to max: the pixel that a value becomes. Python rounds halves to even. */
static uint8_t *make_table(const struct header *h)
{
    uint8_t *table = rn_alloc((size_t)h->max + 1, 1);
    bool deep = h->max > 255 && h->kind % 3 == 2;
    double top = deep ? 65535 : 255;
    for (uint32_t v = 0; table && v <= h->max; v++) {
        unsigned scaled = (unsigned)nearbyint((double)v / h->max * top);
        table[v] = (uint8_t)(deep ? scaled >> 8 : scaled);
    }
    return table;
}

static void read_raw(struct rn_picture *p, const struct cursor *c, const struct header *h,
                     const uint8_t *table)
{
    size_t values = (size_t)p->W * (size_t)p->C, row = (size_t)row_bytes(h);
    const uint8_t *in = c->data + c->at;
    uint8_t *out = p->pixel;
    for (int y = 0; y < p->H; y++, in += row, out += values)
        for (size_t i = 0; i < values; i++) {
            unsigned v = h->kind == 4   ? 1u - (in[i / 8] >> (7 - i % 8) & 1u)
                         : h->max > 255 ? (unsigned)in[2 * i] << 8 | in[2 * i + 1]
                                        : in[i];
            out[i] = table[v < h->max ? v : h->max];
        }
}

/* A plain bitmap's values are digits that need no space between them, and 1 is black. */
static int read_bit(struct cursor *c, uint32_t *v)
{
    skip_space(c);
    if (c->at == c->n)
        return fail_cut(c->name, c->n);
    uint8_t digit = c->data[c->at++];
    *v = digit == '0';
    return digit == '0' || digit == '1'
               ? 0
               : rn_fail(RN_EFORMAT, "%s: broken PNM: no 0 or 1 at byte %zu", c->name, c->at - 1);
}

static int read_plain(struct rn_picture *p, struct cursor *c, const struct header *h,
                      const uint8_t *table)
{
    size_t values = (size_t)p->H * (size_t)p->W * (size_t)p->C;
    for (size_t i = 0; i < values; i++) {
        uint32_t v;
        int status = h->kind == 1 ? read_bit(c, &v) : read_number(c, &v);
        if (!status && v > h->max)
            status = rn_fail(RN_EFORMAT, "%s: broken PNM: the value %u is above the maximum %u",
                             c->name, v, h->max);
        if (status)
            return status;
        p->pixel[i] = table[v];
    }
    return 0;
}

static int decode_pnm(struct rn_picture *p, const struct rn_decode *how,
                      const struct rn_encoded *in)
{
    struct cursor c = { .name = in->name, .data = in->data, .n = in->n };
    struct header h;
    int status = read_header(&c, &h);
    status = status ? status : check_pixels(in->name, h.W, h.H, how->max_pixels);
    if (!status && c.n - c.at < least_bytes(&h))
        status = fail_cut(in->name, c.n);
    status = status ? status : rn_picture_shape(p, how, in->name, h.H, h.W, h.kind % 3 ? 1 : 3);
    if (status)
        return status;
    uint8_t *table = make_table(&h);
    if (!table)
        return RN_EMEM;
    if (h.kind > 3)
        read_raw(p, &c, &h, table);
    else
        status = read_plain(p, &c, &h, table);
    rn_free(table);
    return status;
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int decode_farbfeld(struct rn_picture *p, const struct rn_decode *how,
                           const struct rn_encoded *in)
{
    if (in->n < FARBFELD_HEADER)
        return fail_cut(in->name, in->n);
    uint64_t W = be32(in->data + 8), H = be32(in->data + 12);
    int status = check_pixels(in->name, W, H, how->max_pixels);
    if (!status && (in->n - FARBFELD_HEADER) / 8 < W * H)
        status = fail_cut(in->name, in->n);
    status = status ? status : rn_picture_shape(p, how, in->name, H, W, 3);
    if (status)
        return status;
    const uint8_t *x = in->data + FARBFELD_HEADER;
    for (size_t i = 0; i < 3 * W * H; i++)
        p->pixel[i] = x[i / 3 * 8 + i % 3 * 2];
    return 0;
}

/* ---- streams ---- */

int rn_pnm_size(const char *name, const uint8_t *data, size_t n, uint64_t max_pixels, size_t *size)
{
    enum { HEADER_MOST = 4096 }; /* with comments */
    struct cursor c = { .name = name, .data = data, .n = n };
    struct header h;
    *size = 0;
    if (probe_farbfeld(data, n)) {
        if (n < FARBFELD_HEADER)
            return 0;
        uint64_t W = be32(data + 8), H = be32(data + 12);
        *size = FARBFELD_HEADER + (size_t)(8 * W * H);
        return check_pixels(name, W, H, max_pixels);
    }
    if (n < 8 && (n < 3 || !memcmp(data, "farbfeld", n)))
        return 0;
    if (!probe_pnm(data, n) || data[1] < '4')
        return rn_fail(RN_EFORMAT, "%s: no raw PNM or farbfeld header where one should begin",
                       name);
    int status = read_header(&c, &h);
    if (status)
        return c.at == c.n && n < HEADER_MOST ? 0 : status;
    *size = h.at + (size_t)(row_bytes(&h) * h.H);
    return check_pixels(name, h.W, h.H, max_pixels);
}

const struct rn_codec rn_codec_pnm = { .name = "PNM", .probe = probe_pnm, .decode = decode_pnm };
const struct rn_codec rn_codec_farbfeld = { .name = "farbfeld",
                                            .probe = probe_farbfeld,
                                            .decode = decode_farbfeld };
