/* From pixels to input: the dice of a picture, then shift, flip and normalisation in one pass. */
#include "data/augment.h"

#include <math.h>

#include "base/rng.h"

/* Flipped in every other epoch: whether the even ones, a coin says that is thrown once. */
static bool alternates(uint64_t seed, int epoch, long sample)
{
    struct rn_rng r;
    rn_rng_init(&r, seed, RN_RNG_FLIP, 0, (uint64_t)sample);
    return (rn_rng_u32(&r) ^ (uint32_t)epoch) & 1;
}

/* All dice are thrown whatever the options, so that one option does not change what another does.
 */
struct rn_shift rn_augment_draw(const struct rn_augment *a, uint64_t seed, int epoch, long sample)
{
    struct rn_rng r;
    rn_rng_init(&r, seed, RN_RNG_AUGMENT, (uint32_t)epoch, (uint64_t)sample);
    struct rn_shift s = { .flip = (rn_rng_u32(&r) & 1) && a->flip };
    if (a->flip == RN_FLIP_ALTERNATING)
        s.flip = alternates(seed, epoch, sample);
    s.dy = (int)rn_rng_below(&r, 2 * (uint32_t)a->crop + 1) - a->crop;
    s.dx = (int)rn_rng_below(&r, 2 * (uint32_t)a->crop + 1) - a->crop;
    return s;
}

/* ---- random resized crop ---- */

enum { TRIES = 10 };
static const double narrowest = 3.0 / 4, widest = 4.0 / 3; /* columns by rows */

static bool throw_box(struct rn_view *v, int H, int W, double area, struct rn_rng *r)
{
    double part = (double)H * W * (area + (1 - area) * rn_rng_uniform(r));
    double low = log(narrowest), high = log(widest);
    double aspect = exp(low + (high - low) * rn_rng_uniform(r));
    double w = nearbyint(sqrt(part * aspect)), h = nearbyint(sqrt(part / aspect));
    if (w < 1 || w > W || h < 1 || h > H)
        return false;
    v->W = (int)w;
    v->H = (int)h;
    v->y = (int)rn_rng_below(r, (uint32_t)(H - v->H) + 1);
    v->x = (int)rn_rng_below(r, (uint32_t)(W - v->W) + 1);
    return true;
}

/* A picture of a wider or narrower aspect than the limits loses its ends. */
static void middle_box(struct rn_view *v, int H, int W)
{
    double aspect = (double)W / H;
    v->W = aspect > widest ? (int)nearbyint(H * widest) : W;
    v->H = aspect < narrowest ? (int)nearbyint(W / narrowest) : H;
    v->y = (H - v->H) / 2;
    v->x = (W - v->W) / 2;
}

struct rn_view rn_augment_view(const struct rn_augment *a, const struct rn_prep *prep, int H, int W,
                               uint64_t seed, int epoch, long sample)
{
    struct rn_view v = { .rows = prep->H, .columns = prep->W };
    struct rn_rng r;
    rn_rng_init(&r, seed, RN_RNG_BOX, (uint32_t)epoch, (uint64_t)sample);
    for (int i = 0; i < TRIES; i++)
        if (throw_box(&v, H, W, a->area, &r))
            return v;
    middle_box(&v, H, W);
    return v;
}

/* ---- shift, flip, normalise ---- */

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
