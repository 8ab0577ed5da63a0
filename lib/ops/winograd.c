/* Winograd's tiles: which size a layer and pass gets, and where a tile's pixels lie. */
#include "ops/winograd.h"

#include "base/mem.h"

enum {
    CHANNELS_MIN = 32, /* below, the transforms cost more than they save */
    CHANNELS_MIN_BACKWARD = 16,
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
    if (!fits_shape(&c->s, pass == RN_FORWARD ? CHANNELS_MIN : CHANNELS_MIN_BACKWARD))
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

/* Tile number t of the batch: its picture and the place of its first output. */
struct tile {
    size_t n;
    int p, q;
};

static struct tile tile_at(const struct rn_wino_view *v, size_t t)
{
    size_t in_picture = t % (v->rows * v->cols);
    return (struct tile){ t / (v->rows * v->cols), (int)(in_picture / v->cols) * v->m,
                          (int)(in_picture % v->cols) * v->m };
}

/* A tile that lies inside the picture is most of a large map's. */
static void input_inside(const struct rn_wino_view *v, const float *first, const float **pixel)
{
    size_t C = (size_t)v->C, row = (size_t)v->W * C;

    for (int i = 0; i < v->edge; i++, first += row)
        for (int l = 0; l < v->edge; l++)
            *pixel++ = first + (size_t)l * C;
}

void rn_wino_input_at(const struct rn_wino_view *v, const float *x, const float *zero, size_t t,
                      const float **pixel)
{
    size_t C = (size_t)v->C;
    struct tile tile = tile_at(v, t);
    int top = tile.p - v->top, left = tile.q - v->left;
    const float *picture = x + tile.n * (size_t)v->H * (size_t)v->W * C;

    if (top >= 0 && left >= 0 && top + v->edge <= v->H && left + v->edge <= v->W) {
        input_inside(v, picture + ((size_t)top * (size_t)v->W + (size_t)left) * C, pixel);
        return;
    }
    for (int i = 0, e = 0; i < v->edge; i++)
        for (int l = 0; l < v->edge; l++, e++) {
            int h = top + i, w = left + l;
            bool inside = (unsigned)h < (unsigned)v->H && (unsigned)w < (unsigned)v->W;
            pixel[e] = inside ? picture + ((size_t)h * (size_t)v->W + (size_t)w) * C : zero;
        }
}

void rn_wino_output_at(const struct rn_wino_view *v, size_t t, size_t *row)
{
    struct tile tile = tile_at(v, t);

    for (int i = 0, e = 0; i < v->m; i++)
        for (int l = 0; l < v->m; l++, e++) {
            int p = tile.p + i, q = tile.q + l;
            size_t pixel = (tile.n * (size_t)v->P + (size_t)p) * (size_t)v->Q + (size_t)q;
            row[e] = p < v->P && q < v->Q ? pixel * (size_t)v->K : SIZE_MAX;
        }
}
