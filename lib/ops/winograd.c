/* Winograd's tiles: which size a layer and pass gets, and where a tile's pixels lie. */
#include "ops/winograd.h"

#include "base/mem.h"

enum {
    CHANNELS_MIN = 32, /* below, the transforms cost more than they save */
    CHANNELS_MIN_TRAINING = 16,
    MAP_MIN = 6,          /* smaller maps waste too much of their tiles */
    MAP_MIN_LARGE = 8,    /* for m = 4: at 7x7 its filters are too long to be read */
    MAP_MIN_TRAINING = 3, /* whole pictures of a batch share the filters */
};

static bool fits_shape(const struct rn_conv_shape *s, int channels)
{
    const struct rn_window *w = &s->win;

    return s->G == 1 && w->R == 3 && w->S == 3 && w->stride_h == 1 && w->stride_w == 1 &&
           s->C >= channels && s->K >= channels;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Multiplications for a map of P x Q outputs, a channel in and out. */
static size_t products(int P, int Q, int m)
{
    size_t edge = (size_t)m + 2;
    return rn_divide_up((size_t)P, (size_t)m) * rn_divide_up((size_t)Q, (size_t)m) * edge * edge;
}

/* In inference the filters may be read for one small picture, so they count: the larger tiles are
 * for maps that repay them. */
static int inference_m(const struct rn_conv_shape *s)
{
    int map = smaller(smaller(s->H, s->W), smaller(s->P, s->Q));

    if (map < MAP_MIN)
        return 0;
    if (map < MAP_MIN_LARGE)
        return 2;
    return products(s->P, s->Q, 3) * 10 < products(s->P, s->Q, 4) * 9 ? 3 : 4;
}

/* In training they are read for a batch: as costly as another tile. */
static int training_m(int P, int Q)
{
    int best = 0;
    size_t least = SIZE_MAX;

    for (int m = 2; m <= 4; m++) {
        size_t cost = products(P, Q, m) + (size_t)((m + 2) * (m + 2));
        if (cost < least) {
            least = cost;
            best = m;
        }
    }
    return smaller(P, Q) < MAP_MIN_TRAINING ? 0 : best;
}

int rn_wino_m(const struct rn_conv *c, enum rn_pass pass)
{
    if (!fits_shape(&c->s, c->training ? CHANNELS_MIN_TRAINING : CHANNELS_MIN))
        return 0;
    if (!c->training)
        return pass == RN_FORWARD ? inference_m(&c->s) : 0;
    return pass == RN_BACKWARD_DATA ? training_m(c->s.H, c->s.W) : training_m(c->s.P, c->s.Q);
}

struct rn_wino_view rn_wino_view(const struct rn_conv *c, enum rn_pass pass)
{
    const struct rn_conv_shape *s = &c->s;
    int m = rn_wino_m(c, pass);
    struct rn_wino_view v = { .H = s->H,
                              .W = s->W,
                              .C = s->C,
                              .P = s->P,
                              .Q = s->Q,
                              .K = s->K,
                              .top = s->win.top,
                              .left = s->win.left,
                              .m = m,
                              .edge = m + 2,
                              .elements = (size_t)((m + 2) * (m + 2)),
                              .k = m == 2   ? &c->k->wino2
                                   : m == 3 ? &c->k->wino3
                                            : &c->k->wino4 };

    if (pass == RN_BACKWARD_DATA) {
        v.H = s->P, v.W = s->Q, v.C = s->K;
        v.P = s->H, v.Q = s->W, v.K = s->C;
        v.top = 2 - s->win.top, v.left = 2 - s->win.left;
    }
    v.rows = rn_divide_up((size_t)v.P, (size_t)m);
    v.cols = rn_divide_up((size_t)v.Q, (size_t)m);
    v.panels = rn_divide_up((size_t)v.K, c->k->igemm_nr);
    return v;
}

struct rn_wino_strip rn_wino_strip(const struct rn_wino_view *v, size_t t, size_t most)
{
    size_t row = t / v->cols, col = t % v->cols, tiles = v->cols - col;
    return (struct rn_wino_strip){ row / v->rows, (int)(row % v->rows) * v->m, (int)col * v->m,
                                   tiles < most ? tiles : most };
}

void rn_wino_input_rows(const struct rn_wino_view *v, const struct rn_wino_strip *s, const float *x,
                        const float *zero, const float **row)
{
    size_t ld = (size_t)v->W * (size_t)v->C;

    for (int i = 0; i < v->edge; i++) {
        int h = s->p - v->top + i;
        bool inside = (unsigned)h < (unsigned)v->H;
        row[i] = inside ? x + (s->n * (size_t)v->H + (size_t)h) * ld : zero;
    }
}

size_t rn_wino_output_at(const struct rn_wino_view *v, const struct rn_wino_strip *s)
{
    size_t row = s->n * (size_t)v->P + (size_t)s->p;
    return (row * (size_t)v->Q + (size_t)s->q) * (size_t)v->K;
}
