/* A decoded picture: 8-bit pixels, channels innermost. */
#ifndef RN_DATA_IMAGE_H
#define RN_DATA_IMAGE_H

#include <stdint.h>

struct rn_image {
    int H, W, C;          /* C: 1 grey, 3 RGB */
    const uint8_t *pixel; /* [H][W][C] */
};

#endif
