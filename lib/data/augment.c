/* From pixels to input: the dice of a picture, then shift, flip and normalisation in one pass. */
#include "data/augment.h"

#include "base/rng.h"

/* All dice are thrown whatever the options, so that one option does not change what another does.
 */
struct rn_shift rn_augment_draw(const struct rn_augment *a, uint64_t seed, int epoch, long sample)
{
    struct rn_rng r;
    rn_rng_init(&r, seed, RN_RNG_AUGMENT, (uint32_t)epoch, (uint64_t)sample);
    struct rn_shift s = { .flip = (rn_rng_u32(&r) & 1) && a->flip };
    s.dy = (int)rn_rng_below(&r, 2 * (uint32_t)a->crop + 1) - a->crop;
    s.dx = (int)rn_rng_below(&r, 2 * (uint32_t)a->crop + 1) - a->crop;
    return s;
}

static void fill_values(const struct rn_prep *prep, float value[][256])
{
    for (int c = 0; c < prep->C; c++)
        for (int v = 0; v < 256; v++)
            value[c][v] = ((float)v / 255 - prep->mean[c]) / prep->std[c];
}

/* One row of output [W][C]: out[w] is in[first + w * step], pixel 0 outside the row. */
static inline void normalise_row(float *restrict out, const uint8_t *restrict in, int W, int C,
                                 int first, int step, float value[][256])
{
    for (int w = 0; w < W; w++, first += step, out += C) {
        bool inside = first >= 0 && first < W;
        for (int c = 0; c < C; c++)
            out[c] = value[c][inside ? in[first * C + c] : 0];
    }
}

void rn_augment_apply(const struct rn_prep *prep, struct rn_shift s, const uint8_t *in, float *out)
{
    int H = prep->H, W = prep->W, C = prep->C;
    size_t row = (size_t)W * (size_t)C;
    float value[RN_CHANNELS_MAX][256];
    fill_values(prep, value);
    for (int h = 0; h < H; h++, out += row) {
        int from = h + s.dy;
        bool inside = from >= 0 && from < H;
        const uint8_t *x = in + (inside ? (size_t)from * row : 0);
        /* Outside, every column is made to count as outside, too. */
        int first = inside ? (s.flip ? W - 1 : 0) + s.dx : W;
        int step = !inside ? 0 : s.flip ? -1 : 1;
        if (C == 1)
            normalise_row(out, x, W, 1, first, step, value);
        else
            normalise_row(out, x, W, C, first, step, value);
    }
}
