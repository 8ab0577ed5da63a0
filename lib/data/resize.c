/*
 * Resizing, byte for byte as Pillow does it: each output pixel is the sum of the input pixels under
 * a triangle around its centre, weighted in fixed point; first along the rows, then along the
 * columns, rounded to 8 bits after each. A pass that would change nothing is left out.
 */
#include "data/resize.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "rn.h"

enum { PRECISION = 32 - 8 - 2 }; /* bits of a weight behind the point: 255 * 2^22 fits an int32 */

/* The weights of one pass. */
struct pass {
    int taps;        /* room for weights of one output pixel */
    int *first;      /* [out], first input pixel */
    int *count;      /* [out], input pixels */
    int32_t *weight; /* [out][taps] */
};

struct rn_resizer {
    int C, H, W, P, Q;
    struct pass rows, columns; /* W -> Q, H -> P */
    uint8_t *half;             /* [H][Q][C], between the passes */
    int32_t *sum;              /* [Q * C], a row of the second pass */
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

static int pass_init(struct pass *p, int in, int out)
{
    double scale = (double)in / out, support = scale > 1 ? scale : 1;
    p->taps = (int)ceil(support) * 2 + 1;
    p->first = rn_alloc((size_t)out, sizeof *p->first);
    p->count = rn_alloc((size_t)out, sizeof *p->count);
    p->weight = rn_alloc((size_t)out, (size_t)p->taps * sizeof *p->weight);
    double *w = rn_alloc((size_t)p->taps, sizeof *w);
    if (!p->first || !p->count || !p->weight || !w) {
        rn_free(w);
        return RN_EMEM;
    }
    for (int i = 0; i < out; i++)
        weigh(p, i, in, (i + 0.5) * scale, support, w);
    rn_free(w);
    return 0;
}

static void pass_release(struct pass *p)
{
    rn_free(p->first);
    rn_free(p->count);
    rn_free(p->weight);
}

int rn_resizer_new(struct rn_resizer **out, int C, int H, int W, int P, int Q)
{
    struct rn_resizer *r = rn_alloc(1, sizeof *r);
    if (!r)
        return RN_EMEM;
    r->C = C;
    r->H = H;
    r->W = W;
    r->P = P;
    r->Q = Q;
    r->half = rn_alloc((size_t)H * (size_t)Q, (size_t)C);
    r->sum = rn_alloc((size_t)Q * (size_t)C, sizeof *r->sum);
    if (!r->half || !r->sum || (W != Q && pass_init(&r->rows, W, Q)) ||
        (H != P && pass_init(&r->columns, H, P))) {
        rn_resizer_free(r);
        return RN_EMEM;
    }
    *out = r;
    return 0;
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
static inline void resize_row(const struct pass *p, int C, int Q, const uint8_t *restrict in,
                              uint8_t *restrict out)
{
    for (int q = 0; q < Q; q++) {
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

static void resize_rows(const struct rn_resizer *r, const uint8_t *in, uint8_t *out)
{
    size_t C = (size_t)r->C, W = (size_t)r->W, Q = (size_t)r->Q;
    for (int h = 0; h < r->H; h++, in += W * C, out += Q * C)
        if (r->C == 1)
            resize_row(&r->rows, 1, r->Q, in, out);
        else
            resize_row(&r->rows, r->C, r->Q, in, out);
}

/* [H][Q][C] -> [P][Q][C]: whole rows are added up, so that the inner loop is a vector's. */
static void resize_columns(const struct rn_resizer *r, const uint8_t *in, uint8_t *restrict out)
{
    size_t row = (size_t)r->Q * (size_t)r->C;
    int32_t *restrict sum = r->sum;
    for (int p = 0; p < r->P; p++, out += row) {
        const int32_t *w = r->columns.weight + (size_t)p * (size_t)r->columns.taps;
        const uint8_t *x = in + (size_t)r->columns.first[p] * row;
        for (size_t j = 0; j < row; j++)
            sum[j] = 1 << (PRECISION - 1);
        for (int i = 0; i < r->columns.count[p]; i++, x += row)
            for (size_t j = 0; j < row; j++)
                sum[j] += w[i] * x[j];
        for (size_t j = 0; j < row; j++)
            out[j] = pixel(sum[j]);
    }
}

void rn_resizer_run(struct rn_resizer *r, const uint8_t *in, uint8_t *out)
{
    bool rows = r->W != r->Q, columns = r->H != r->P;
    if (rows) {
        uint8_t *half = columns ? r->half : out;
        resize_rows(r, in, half);
        in = half;
    }
    if (columns)
        resize_columns(r, in, out);
    else if (!rows)
        memcpy(out, in, (size_t)r->H * (size_t)r->W * (size_t)r->C);
}
