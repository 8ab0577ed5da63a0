/*
 * PNG by libpng: every depth, palettes, interlaced ones. Alpha is dropped, 16 bits are cut to the
 * high byte, colour profiles and gamma are left alone, as in Pillow.
 */
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "data/image.h"

struct reader {
    const struct rn_encoded *in;
    size_t at;
    png_structp png;
    png_infop info;
    int status; /* of what went wrong */
    bool short_of_memory;
    jmp_buf fail;
};

static bool probe(const uint8_t *head, size_t n)
{
    return n >= 8 && !memcmp(head, "\x89PNG\r\n\x1a\n", 8);
}

/* ---- what libpng calls ---- */

static void on_error(png_structp png, png_const_charp text)
{
    struct reader *r = png_get_error_ptr(png);
    if (!r->status)
        r->status = rn_fail(r->short_of_memory ? RN_EMEM : RN_EFORMAT, "%s: broken PNG: %s",
                            r->in->name, text);
    longjmp(r->fail, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void on_read(png_structp png, png_bytep out, size_t n)
{
    struct reader *r = png_get_io_ptr(png);
    if (n > r->in->n - r->at) {
        r->status = rn_fail(RN_EFORMAT, "%s: cut off: the PNG data end after %zu bytes",
                            r->in->name, r->in->n);
        png_error(png, "cut off");
    }
    memcpy(out, r->in->data + r->at, n);
    r->at += n;
}

static png_voidp on_malloc(png_structp png, png_alloc_size_t n)
{
    struct reader *r = png_get_mem_ptr(png);
    void *p = malloc(n);
    if (!p)
        r->short_of_memory = true;
    return p;
}

static void on_free(png_structp png, png_voidp p)
{
    (void)png;
    free(p);
}

/* ---- decoding ---- */

/* Says what rows are to be: 8 bits of grey, RGB or palette index. Returns the channels of pixels. */
static int set_transforms(struct reader *r, int *palette)
{
    int type = png_get_color_type(r->png, r->info), depth = png_get_bit_depth(r->png, r->info);
    *palette = type == PNG_COLOR_TYPE_PALETTE;
    if (depth == 16)
        png_set_strip_16(r->png);
    if (depth < 8 && type == PNG_COLOR_TYPE_GRAY)
        png_set_expand_gray_1_2_4_to_8(r->png);
    else if (depth < 8)
        png_set_packing(r->png);
    png_set_strip_alpha(r->png);
    return type & PNG_COLOR_MASK_COLOR ? 3 : 1;
}

/* Indexes [W] at the front of each row become colours [W][3]; one past the palette is a grey, as in
 * Pillow. */
static void look_up(struct reader *r, struct rn_picture *p)
{
    uint8_t table[256][3];
    png_colorp colour = NULL;
    int colours = 0;
    png_get_PLTE(r->png, r->info, &colour, &colours);
    for (int i = 0; i < 256; i++)
        if (i < colours)
            memcpy(table[i], (uint8_t[]){ colour[i].red, colour[i].green, colour[i].blue }, 3);
        else
            memset(table[i], i, 3);
    for (int h = 0; h < p->H; h++) {
        uint8_t *row = p->pixel + (size_t)h * (size_t)p->W * 3;
        for (size_t w = (size_t)p->W; w-- > 0;)
            memcpy(row + 3 * w, table[row[w]], 3);
    }
}

static void read_orientation(struct reader *r, struct rn_picture *p)
{
    png_uint_32 n = 0;
    png_bytep exif = NULL;
    if (png_get_eXIf_1(r->png, r->info, &n, &exif))
        p->orientation = rn_exif_orientation(exif, n);
}

/* Everything between setting up and clean-up; leaves by a jump when something is wrong. */
static void read_all(struct reader *r, struct rn_picture *p, const struct rn_decode *how)
{
    int palette;
    png_set_read_fn(r->png, r, on_read);
    png_read_info(r->png, r->info);
    int C = set_transforms(r, &palette);
    r->status = rn_picture_shape(p, how, r->in->name, png_get_image_height(r->png, r->info),
                                 png_get_image_width(r->png, r->info), C);
    if (r->status)
        return;
    int passes = png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    for (int pass = 0; pass < passes; pass++)
        for (int h = 0; h < p->H; h++)
            png_read_row(r->png, p->pixel + (size_t)h * (size_t)p->W * (size_t)C, NULL);
    png_read_end(r->png, r->info);
    if (palette)
        look_up(r, p);
    read_orientation(r, p);
}

static void create(struct reader *r)
{
    r->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, r, on_error, on_warning, r, on_malloc,
                                      on_free);
    r->info = r->png ? png_create_info_struct(r->png) : NULL;
    if (!r->info)
        r->status = rn_fail(RN_EMEM, "%s: memory is short", r->in->name);
}

/* (What is changed between setjmp and longjmp is kept out of this function's frame.) */
static int decode(struct rn_picture *p, const struct rn_decode *how, const struct rn_encoded *in)
{
    struct reader *r = rn_alloc(1, sizeof *r);
    if (!r)
        return RN_EMEM;
    r->in = in;
    if (!setjmp(r->fail)) {
        create(r);
        if (!r->status)
            read_all(r, p, how);
    }
    int status = r->status;
    png_destroy_read_struct(&r->png, &r->info, NULL);
    rn_free(r);
    return status;
}

const struct rn_codec rn_codec_png = { .name = "PNG", .probe = probe, .decode = decode };
