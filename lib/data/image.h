/*
 * Pictures: 8-bit pixels, channels innermost; and how bytes become one. The codec is told by the
 * bytes; pixels are those that Pillow gives (Image.open().convert(), ImageOps.exif_transpose()),
 * but 16-bit grey, which Pillow clips, is cut to its high byte as all else of 16 bits.
 */
#ifndef RN_DATA_IMAGE_H
#define RN_DATA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rn_image {
    int H, W, C;          /* C: 1 grey, 3 RGB */
    const uint8_t *pixel; /* [H][W][C] */
};

/* A picture that owns its memory and keeps it for the next one. Zeroed at first. */
struct rn_picture {
    int H, W, C;
    int orientation; /* as EXIF counts, 1 to 8; 1 once it has been put upright */
    uint8_t *pixel;  /* [H][W][C] */
    uint8_t *spare;  /* where pixels are turned to */
    size_t room, spare_room;
};
void rn_picture_release(struct rn_picture *p);

/* What is wanted of a decoded picture. */
struct rn_decode {
    int C;               /* 1 grey, 3 RGB, 0: as it comes */
    bool as_stored;      /* leave EXIF's orientation alone */
    uint64_t max_pixels; /* a larger one is refused before memory is taken */
};

/* Do the first n bytes begin a picture that can be decoded? n of 16 are enough. The codec's name
 * (PNG, JPEG, PNM, farbfeld), else NULL. */
const char *rn_image_kind(const uint8_t *head, size_t n);

/*
 * Decodes the picture that the n bytes of data hold.
 *   name  for sentences
 * Returns 0, RN_EFORMAT (broken, none, too large) or RN_EMEM.
 */
int rn_picture_decode(struct rn_picture *p, const struct rn_decode *how, const char *name,
                      const uint8_t *data, size_t n);

/* ---- for codecs ---- */

/* The encoded picture. */
struct rn_encoded {
    const char *name;
    const uint8_t *data;
    size_t n;
};

/*
 *   probe   do these bytes begin such a picture?
 *   decode  fills p: shapes it by rn_picture_shape(), writes all pixels, grey or RGB, as `how` does
 *           not matter to it, and sets p->orientation where the file has one
 */
struct rn_codec {
    const char *name;
    bool (*probe)(const uint8_t *head, size_t n);
    int (*decode)(struct rn_picture *p, const struct rn_decode *how, const struct rn_encoded *in);
};
extern const struct rn_codec rn_codec_png, rn_codec_jpeg, rn_codec_pnm, rn_codec_farbfeld;

/* Makes room for H x W pixels of C channels, or of how->C where that is more. Returns 0, RN_EFORMAT
 * (no pixels, or more than the limit) or RN_EMEM. */
int rn_picture_shape(struct rn_picture *p, const struct rn_decode *how, const char *name,
                     uint64_t H, uint64_t W, int C);

/* The orientation that an EXIF block, a TIFF header and its first directory, holds; 1 where it
 * holds none. */
int rn_exif_orientation(const uint8_t *tiff, size_t n);

/*
 * Where a stream of PNM or farbfeld pictures is cut: the size in bytes of the one that data begin
 * with, into *size; 0 when the n bytes do not tell yet. Returns 0, or RN_EFORMAT for another header
 * than one of P4, P5, P6 and farbfeld (the plain ones P1, P2, P3 have no size) or one beyond
 * max_pixels.
 */
int rn_pnm_size(const char *name, const uint8_t *data, size_t n, uint64_t max_pixels, size_t *size);

#endif
