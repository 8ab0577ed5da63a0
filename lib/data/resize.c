/*
 * Resizing, byte for byte as Pillow does it: each output pixel is the sum of the input pixels under
 * a triangle around its centre, weighted in fixed point; first along the rows, then along the
 * columns, rounded to 8 bits after each. A pass that would change nothing is left out.
 */
#include "data/resize.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "base/prep.h"
#include "rn.h"

enum { PRECISION = 32 - 8 - 2 }; /* bits of a weight behind the point: 255 * 2^22 fits an int32 */

/* One pass: which pixels it makes, of which pixels. */
struct pass {
    bool resized;    /* false: a copy, without weights */
    int at, n;       /* the output's pixels at .. at + n; the others are padding */
    int lo, need;    /* of the picture's pixels lo .. lo + need */
    int taps;        /* room for weights of one output pixel */
    int *first;      /* [n], first input pixel, behind lo */
    int *count;      /* [n], input pixels */
    int32_t *weight; /* [n][taps] */
};

struct rn_resizer {
    int C, W, P, Q;            /* row of the input, output */
    struct pass rows, columns; /* along a row; along a column */
    uint8_t *half;             /* [columns.need][rows.n][C], between the passes */
    int32_t *sum;              /* [rows.n * C], a row of the second pass */
};

/* Weights of one output pixel, centred at `centre` in input pixels; the triangle is 2 * support
 * wide and its weights are made to sum to 1 before they are rounded, as at the border some are
 * cut off. */
static void weigh(struct pass *p, int out, int in, double centre, double support, double *w)
{
    int first = (int)fmax(centre - support + 0.5, 0), end = (int)(centre + support + 0.5);
    end = end < in ? end : in;
    double sum = 0, slope = 1 / support;
    for (int i = first; i < end; i++) {
        double distance = fabs((i - centre + 0.5) * slope);
        w[i - first] = distance < 1 ? 1 - distance : 0;
        sum += w[i - first];
    }
    for (int i = 0; i < end - first; i++) {
        double share = sum != 0 ? w[i] / sum : w[i];
        p->weight[(size_t)out * (size_t)p->taps + (size_t)i] =
            (int32_t)(0.5 + share * (1 << PRECISION));
    }
    p->first[out] = first;
    p->count[out] = end - first;
}

static int make_weights(struct pass *p, int in, int64_t full, int64_t from)
{
    double scale = (double)in / (double)full, support = scale > 1 ? scale : 1;
    p->taps = (int)ceil(support) * 2 + 1;
    p->first = rn_alloc((size_t)p->n, sizeof *p->first);
    p->count = rn_alloc((size_t)p->n, sizeof *p->count);
    p->weight = rn_alloc((size_t)p->n, (size_t)p->taps * sizeof *p->weight);
    double *w = rn_alloc((size_t)p->taps, sizeof *w);
    if (!p->first || !p->count || !p->weight || !w) {
        rn_free(w);
        return RN_EMEM;
    }
    for (int i = 0; i < p->n; i++)
        weigh(p, i, in, ((double)(from + i) + 0.5) * scale, support, w);
    rn_free(w);
    return 0;
}

/* `in` pixels resized to `full`, of which those from `begin` on are the `out` pixels of output. */
static int pass_init(struct pass *p, int in, int64_t full, int64_t begin, int out)
{
    p->at = begin < 0 ? (int)-begin : 0;
    p->n = (int)(full - begin < out ? full - begin : out) - p->at;
    p->lo = (int)begin + p->at;
    p->need = p->n;
    p->resized = in != full;
    if (!p->resized)
        return 0;
    int status = make_weights(p, in, full, begin + p->at);
    if (status)
        return status;
    p->lo = p->first[0];
    p->need = p->first[p->n - 1] + p->count[p->n - 1] - p->lo;
    for (int i = 0; i < p->n; i++)
        p->first[i] -= p->lo;
    return 0;
}

static void pass_release(struct pass *p)
{
    rn_free(p->first);
    rn_free(p->count);
    rn_free(p->weight);
}

/* ---- views ---- */

/* Where a crop of M pixels begins in n of them; half a pixel goes to the even one, and what is
 * missing is shared so that the larger half is behind. */
static int64_t middle(int64_t n, int M)
{
    return n < M ? -((M - n) / 2) : (n - M) / 2 + ((n - M) % 4 == 3);
}

static struct rn_view whole(int H, int W, int64_t rows, int64_t columns)
{
    return (struct rn_view){ .H = H, .W = W, .rows = rows, .columns = columns };
}

struct rn_view rn_view_of(const struct rn_prep *prep, int H, int W)
{
    int N, M;
    if (!rn_resize_parse(prep->resize, &N, &M) || !N)
        return whole(H, W, prep->H, prep->W);
    struct rn_view v = whole(H, W, N, N);
    if (H < W)
        v.columns = (int64_t)N * W / H;
    else
        v.rows = (int64_t)N * H / W;
    v.top = middle(v.rows, M);
    v.left = middle(v.columns, M);
    return v;
}

bool rn_view_is_whole(const struct rn_view *v, int H, int W, int P, int Q)
{
    return v->H == H && v->W == W && v->rows == H && v->columns == W && H == P && W == Q &&
           !v->top && !v->left;
}

bool rn_view_same(const struct rn_view *a, const struct rn_view *b)
{
    return a->y == b->y && a->x == b->x && a->H == b->H && a->W == b->W && a->rows == b->rows &&
           a->columns == b->columns && a->top == b->top && a->left == b->left;
}

/* ---- resizers ---- */

static int resizer_init(struct rn_resizer *r, const struct rn_view *v)
{
    if (pass_init(&r->rows, v->W, v->columns, v->left, r->Q) ||
        pass_init(&r->columns, v->H, v->rows, v->top, r->P))
        return RN_EMEM;
    r->rows.lo += v->x;
    r->columns.lo += v->y;
    r->half = rn_alloc((size_t)r->columns.need * (size_t)r->rows.n, (size_t)r->C);
    r->sum = rn_alloc((size_t)r->rows.n * (size_t)r->C, sizeof *r->sum);
    return r->half && r->sum ? 0 : RN_EMEM;
}

int rn_resizer_view(struct rn_resizer **out, int C, int H, int W, const struct rn_view *v, int P,
                    int Q)
{
    assert(v->y >= 0 && v->x >= 0 && v->y + v->H <= H && v->x + v->W <= W);
    (void)H;
    struct rn_resizer *r = rn_alloc(1, sizeof *r);
    if (!r)
        return RN_EMEM;
    r->C = C;
    r->W = W;
    r->P = P;
    r->Q = Q;
    if (resizer_init(r, v)) {
        rn_resizer_free(r);
        return RN_EMEM;
    }
    *out = r;
    return 0;
}

int rn_resizer_new(struct rn_resizer **out, int C, int H, int W, int P, int Q)
{
    struct rn_view v = whole(H, W, P, Q);
    return rn_resizer_view(out, C, H, W, &v, P, Q);
}

void rn_resizer_free(struct rn_resizer *r)
{
    if (r) {
        pass_release(&r->rows);
        pass_release(&r->columns);
        rn_free(r->half);
        rn_free(r->sum);
        rn_free(r);
    }
}

/* A fixed-point sum, which holds its half for rounding already, to a pixel. Rounded weights may sum
 * to a little more than 1. */
static inline uint8_t pixel(int32_t sum)
{
    int v = sum >> PRECISION;
    return (uint8_t)(v > 255 ? 255 : v);
}

/* One row [W][C] -> [Q][C]. Inlined with C known, so that small C are unrolled. */
static inline void resize_row(const struct pass *p, int C, const uint8_t *restrict in,
                              uint8_t *restrict out)
{
    for (int q = 0; q < p->n; q++) {
        const int32_t *w = p->weight + (size_t)q * (size_t)p->taps;
        const uint8_t *x = in + (size_t)p->first[q] * (size_t)C;
        for (int c = 0; c < C; c++) {
            int32_t sum = 1 << (PRECISION - 1);
            for (int i = 0; i < p->count[q]; i++)
                sum += w[i] * x[(size_t)i * (size_t)C + (size_t)c];
            out[(size_t)q * (size_t)C + (size_t)c] = pixel(sum);
        }
    }
}

/* The rows that the second pass needs, in and out with their strides. */
static void resize_rows(const struct rn_resizer *r, const uint8_t *in, size_t in_row, uint8_t *out,
                        size_t out_row)
{
    for (int h = 0; h < r->columns.need; h++, in += in_row, out += out_row)
        if (r->C == 1)
            resize_row(&r->rows, 1, in, out);
        else
            resize_row(&r->rows, r->C, in, out);
}

/* Whole rows are added up, so that the inner loop is a vector's. */
static void resize_columns(const struct rn_resizer *r, const uint8_t *in, size_t in_row,
                           uint8_t *restrict out, size_t out_row)
{
    const struct pass *c = &r->columns;
    size_t row = (size_t)r->rows.n * (size_t)r->C;
    int32_t *restrict sum = r->sum;
    for (int p = 0; p < c->n; p++, out += out_row) {
        const int32_t *w = c->weight + (size_t)p * (size_t)c->taps;
        const uint8_t *x = in + (size_t)c->first[p] * in_row;
        for (size_t j = 0; j < row; j++)
            sum[j] = 1 << (PRECISION - 1);
        for (int i = 0; i < c->count[p]; i++, x += in_row)
            for (size_t j = 0; j < row; j++)
                sum[j] += w[i] * x[j];
        for (size_t j = 0; j < row; j++)
            out[j] = pixel(sum[j]);
    }
}

static void copy_rows(const struct rn_resizer *r, const uint8_t *in, size_t in_row, uint8_t *out,
                      size_t out_row)
{
    for (int p = 0; p < r->columns.n; p++, in += in_row, out += out_row)
        memcpy(out, in, (size_t)r->rows.n * (size_t)r->C);
}

void rn_resizer_run(struct rn_resizer *r, const uint8_t *in, uint8_t *out)
{
    const struct pass *rows = &r->rows, *columns = &r->columns;
    size_t C = (size_t)r->C, in_row = (size_t)r->W * C, out_row = (size_t)r->Q * C;
    if (rows->n < r->Q || columns->n < r->P)
        memset(out, 0, (size_t)r->P * out_row);
    in += (size_t)columns->lo * in_row + (size_t)rows->lo * C;
    out += (size_t)columns->at * out_row + (size_t)rows->at * C;
    if (rows->resized) {
        uint8_t *half = columns->resized ? r->half : out;
        size_t half_row = columns->resized ? (size_t)rows->n * C : out_row;
        resize_rows(r, in, in_row, half, half_row);
        in = half;
        in_row = half_row;
    }
    if (columns->resized)
        resize_columns(r, in, in_row, out, out_row);
    else if (!rows->resized)
        copy_rows(r, in, in_row, out, out_row);
}
