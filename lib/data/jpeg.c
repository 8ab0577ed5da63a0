/*
 * JPEG by libjpeg-turbo with its defaults (slow exact DCT, smooth upsampling), as Pillow uses it:
 * grey, YCbCr, RGB, CMYK and YCCK (both inverted, as Adobe's are), baseline and progressive.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h> /* needs stdio.h */

#include <jerror.h>

#include "base/err.h"
#include "base/mem.h"
#include "data/image.h"

/*
 * Scans of a progressive picture: each costs a pass over all of it, and some bytes ask for one. The
 * more pixels the fewer; encoders make about ten.
 */
enum { SCANS_LEAST = 20, SCANS_MOST = 500, SCANNED_PIXELS = 1000000000 };

struct reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr error;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    const struct rn_encoded *in;
    uint8_t *line; /* [W][4], a row of CMYK */
    int status;
    jmp_buf fail;
};

static bool probe(const uint8_t *head, size_t n)
{
    return n >= 3 && !memcmp(head, "\xff\xd8\xff", 3);
}

/* ---- what libjpeg calls ---- */

static void on_error(j_common_ptr jpeg)
{
    struct reader *r = jpeg->client_data;
    char text[JMSG_LENGTH_MAX];
    bool memory = jpeg->err->msg_code == JERR_OUT_OF_MEMORY;
    jpeg->err->format_message(jpeg, text);
    if (!r->status)
        r->status =
            rn_fail(memory ? RN_EMEM : RN_EFORMAT, "%s: broken JPEG: %s", r->in->name, text);
    longjmp(r->fail, 1);
}

static void on_message(j_common_ptr jpeg, int level)
{
    (void)jpeg;
    (void)level;
}

static void on_start(j_decompress_ptr jpeg)
{
    (void)jpeg;
}

/* All bytes are there from the start: more can't come. */
static boolean on_end(j_decompress_ptr jpeg)
{
    struct reader *r = jpeg->client_data;
    r->status = rn_fail(RN_EFORMAT, "%s: cut off: the JPEG data end after %zu bytes", r->in->name,
                        r->in->n);
    longjmp(r->fail, 1);
}

static void on_skip(j_decompress_ptr jpeg, long n)
{
    if (n > 0 && (size_t)n > jpeg->src->bytes_in_buffer)
        on_end(jpeg);
    if (n > 0) {
        jpeg->src->next_input_byte += n;
        jpeg->src->bytes_in_buffer -= (size_t)n;
    }
}

static void on_progress(j_common_ptr common)
{
    struct reader *r = common->client_data;
    uint64_t pixels = (uint64_t)r->jpeg.image_width * r->jpeg.image_height;
    uint64_t most = SCANS_LEAST + SCANNED_PIXELS / (pixels + 1);
    most = most < SCANS_MOST ? most : SCANS_MOST;
    if (r->jpeg.input_scan_number >= 0 && (uint64_t)r->jpeg.input_scan_number > most) {
        r->status = rn_fail(RN_EFORMAT, "%s: more than %d scans in a JPEG of %ux%u pixels",
                            r->in->name, (int)most, r->jpeg.image_width, r->jpeg.image_height);
        longjmp(r->fail, 1);
    }
}

static void set_up(struct reader *r)
{
    r->jpeg.err = jpeg_std_error(&r->error);
    r->jpeg.client_data = r;
    r->error.error_exit = on_error;
    r->error.emit_message = on_message;
    r->source = (struct jpeg_source_mgr){
        .next_input_byte = r->in->data,
        .bytes_in_buffer = r->in->n,
        .init_source = on_start,
        .fill_input_buffer = on_end,
        .skip_input_data = on_skip,
        .resync_to_restart = jpeg_resync_to_restart,
        .term_source = on_start,
    };
    r->progress.progress_monitor = on_progress;
}

/* ---- decoding ---- */

/* Pillow's way, in bytes: x * k / 255 rounded. */
static uint8_t ink(uint8_t inverted, int light)
{
    int v = (255 - inverted) * light + 128;
    return (uint8_t)(light - (((v >> 8) + v) >> 8));
}

static void from_cmyk(const uint8_t *in, uint8_t *out, int W)
{
    for (int w = 0; w < W; w++, in += 4, out += 3)
        for (int c = 0; c < 3; c++)
            out[c] = ink(in[c], in[3]);
}

static void read_orientation(struct reader *r, struct rn_picture *p)
{
    for (jpeg_saved_marker_ptr m = r->jpeg.marker_list; m; m = m->next)
        if (m->data_length > 6 && !memcmp(m->data, "Exif\0\0", 6)) {
            p->orientation = rn_exif_orientation(m->data + 6, m->data_length - 6);
            return;
        }
}

static int begin(struct reader *r, struct rn_picture *p, const struct rn_decode *how)
{
    int components = r->jpeg.num_components;
    if (components != 1 && components != 3 && components != 4)
        return rn_fail(RN_EFORMAT, "%s: a JPEG of %d components, need 1, 3 or 4", r->in->name,
                       components);
    r->jpeg.out_color_space = components == 1   ? JCS_GRAYSCALE
                              : components == 3 ? JCS_RGB
                                                : JCS_CMYK;
    int status = rn_picture_shape(p, how, r->in->name, r->jpeg.image_height, r->jpeg.image_width,
                                  components == 1 ? 1 : 3);
    if (!status && components == 4 && !(r->line = rn_alloc((size_t)p->W, 4)))
        status = RN_EMEM;
    return status;
}

/* Everything between setting up and clean-up; leaves by a jump when something is wrong. */
static void read_all(struct reader *r, struct rn_picture *p, const struct rn_decode *how)
{
    jpeg_create_decompress(&r->jpeg);
    r->jpeg.src = &r->source;
    r->jpeg.progress = &r->progress;
    jpeg_save_markers(&r->jpeg, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&r->jpeg, TRUE);
    read_orientation(r, p);
    if ((r->status = begin(r, p, how)))
        return;
    jpeg_start_decompress(&r->jpeg);
    while (r->jpeg.output_scanline < r->jpeg.output_height) {
        uint8_t *row = p->pixel + (size_t)r->jpeg.output_scanline * (size_t)p->W * (size_t)p->C;
        uint8_t *line = r->line ? r->line : row;
        jpeg_read_scanlines(&r->jpeg, &line, 1);
        if (r->line)
            from_cmyk(line, row, p->W);
    }
    jpeg_finish_decompress(&r->jpeg);
}

static int decode(struct rn_picture *p, const struct rn_decode *how, const struct rn_encoded *in)
{
    struct reader *r = rn_alloc(1, sizeof *r);
    if (!r)
        return RN_EMEM;
    r->in = in;
    set_up(r);
    if (!setjmp(r->fail))
        read_all(r, p, how);
    int status = r->status;
    jpeg_destroy_decompress(&r->jpeg);
    rn_free(r->line);
    rn_free(r);
    return status;
}

const struct rn_codec rn_codec_jpeg = { .name = "JPEG", .probe = probe, .decode = decode };
