/* The geometry of convolutions in narrow groups, and their packed filters. */
#include "ops/grouped.h"

#include <string.h>

#include "ops/team.h"

enum {
    BLOCK_FLOATS = 128 * 1024, /* weights and ring of a block of vectors: half an L2 */
    BAND_FLOATS = 6 * 1024,    /* of the ring that a vector's band uses: half an L1 */
};

struct rn_grouped_sight rn_grouped_sight(const struct rn_grouped_axis *a, int o)
{
    if (!a->back)
        return (struct rn_grouped_sight){ o * a->stride - a->pad, a->taps, 0, 1 };
    int rest = (o + a->pad) % a->stride;
    int n = rest < a->taps ? (a->taps - rest - 1) / a->stride + 1 : 0;
    return (struct rn_grouped_sight){ (o + a->pad) / a->stride - n + 1, n,
                                      rest + (n - 1) * a->stride, -a->stride };
}

/* Inputs that `n` outputs see, wherever they begin. */
static int seen(const struct rn_grouped_axis *a, int n)
{
    int most = 0;
    for (int o = 0; o < rn_grouped_phases(a); o++) {
        struct rn_grouped_sight first = rn_grouped_sight(a, o),
                                last = rn_grouped_sight(a, o + n - 1);
        int all = last.first + last.n - first.first;
        most = all > most ? all : most;
    }
    return most;
}

static size_t divide(size_t a, size_t b)
{
    return a / b ? a / b : 1;
}

/* What a vector's band uses of the ring and of dy. */
static size_t band_floats(const struct rn_grouped_view *v, int band)
{
    return (size_t)seen(&v->h, band) * rn_grouped_line(v) + (size_t)band * rn_grouped_dy_line(v);
}

/* A band may be high as long as its rows pass whole: pieces of pixels come slowly from memory. */
static bool fits_caches(const struct rn_grouped_view *v, int band)
{
    size_t n = band_floats(v, band);
    return n <= BAND_FLOATS && v->vectors * (rn_grouped_filter(v) + n) <= BLOCK_FLOATS;
}

static void make_blocks(struct rn_grouped_view *v)
{
    int band = 1;
    while (band < v->h.out && fits_caches(v, band + 1))
        band++;
    v->band = (size_t)band;
    v->depth = (size_t)seen(&v->h, band);
    v->block = divide(BLOCK_FLOATS, rn_grouped_filter(v) + band_floats(v, band));
    v->block = v->block < v->vectors ? v->block : v->vectors;
}

struct rn_grouped_view rn_grouped_view(const struct rn_conv *c, enum rn_pass pass)
{
    const struct rn_conv_shape *s = &c->s;
    const struct rn_window *w = &s->win;
    bool back = pass == RN_BACKWARD_DATA;
    struct rn_grouped_view v = { .h = { s->H, s->P, w->R, w->top, w->stride_h, back },
                                 .w = { s->W, s->Q, w->S, w->left, w->stride_w, back },
                                 .C = (size_t)s->C,
                                 .width = (size_t)(s->C / s->G),
                                 .nr = c->k->group_nr,
                                 .vectors = rn_divide_up((size_t)s->C, c->k->group_nr),
                                 .weights = pass == RN_BACKWARD_WEIGHTS };
    if (back) {
        v.h.in = s->P, v.h.out = s->H;
        v.w.in = s->Q, v.w.out = s->W;
    }
    struct rn_grouped_sight first = rn_grouped_sight(&v.w, 0),
                            last = rn_grouped_sight(&v.w, v.w.out - 1);
    v.left = first.first < 0 ? (size_t)-first.first : 0;
    v.columns = v.left + (size_t)(last.first + last.n);
    make_blocks(&v);
    return v;
}

/* ---- packed filters ---- */

size_t rn_grouped_packed(const struct rn_conv *c, enum rn_pass pass)
{
    struct rn_grouped_view v = rn_grouped_view(c, pass);
    return v.vectors * (v.nr + rn_grouped_filter(&v)) * sizeof(float);
}

/* The filter's taps in the order in which they are packed: those of one phase side by side. */
static void order_taps(const struct rn_grouped_view *v, int *tap)
{
    for (int i = 0; i < rn_grouped_phases(&v->h) * rn_grouped_phases(&v->w); i++) {
        struct rn_grouped_sight h = rn_grouped_sight(&v->h, i / rn_grouped_phases(&v->w)),
                                w = rn_grouped_sight(&v->w, i % rn_grouped_phases(&v->w));
        for (int r = 0; r < h.n; r++)
            for (int s = 0; s < w.n; s++)
                *tap++ = (h.at + r * h.by) * v->w.taps + w.at + s * w.by;
    }
}

int rn_grouped_taps_before(const struct rn_grouped_axis *a, int phase)
{
    int n = 0;
    for (int i = 0; i < phase; i++)
        n += rn_grouped_sight(a, i).n;
    return n;
}

void rn_grouped_pack(const struct rn_conv *c, enum rn_pass pass, const float *w, const float *bias,
                     void *to, int thread, int threads)
{
    struct rn_grouped_view v = rn_grouped_view(c, pass);
    size_t nr = v.nr, width = v.width, T = (size_t)(v.h.taps * v.w.taps);
    bool forward = pass == RN_FORWARD;
    struct rn_range r = rn_share(v.vectors, thread, threads);
    int tap[RN_TAPS_MAX];

    order_taps(&v, tap);
    for (size_t i = r.first; i < r.last; i++) {
        float *front = (float *)to + i * nr;
        float *out = (float *)to + v.vectors * nr + i * rn_grouped_filter(&v);
        memset(front, 0, nr * sizeof *front);
        memset(out, 0, rn_grouped_filter(&v) * sizeof *out);
        for (size_t l = 0, in = i * nr; l < nr && in < v.C; l++, in++) {
            front[l] = forward && bias ? bias[in] : 0;
            for (size_t d = 0; d < width; d++) {
                /* input `in` meets output in ^ d of its group; w is [K][width][T] */
                size_t at = forward ? (in ^ d) * width + in % width : in * width + (in ^ d) % width;
                for (size_t t = 0; t < T; t++)
                    out[(t * width + d) * nr + l] = w[at * T + (size_t)tap[t]];
            }
        }
    }
}
