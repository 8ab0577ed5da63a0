/*
 * Every kernel's contract and the table that holds the chosen ones.
 *
 * A kernel is a single-threaded pure function over raw pointers: it never allocates, threads or
 * fails, reads nothing outside what its contract names and writes nothing else. Pointers need
 * 4-byte alignment only, unless said. Names of sizes are those of graph/tensor.h. Every output
 * element is computed in an order that depends on nothing but T, C and the number of rows, so
 * cutting the work into tiles and threads does not change a bit. NaN goes through everything.
 * A multiply-add is fused, one rounding; only SSE2, which has none, rounds the product as well.
 */
#ifndef RN_KERNELS_H
#define RN_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RN_LINE = 16 }; /* floats of a cache line */

/* What is done with outputs last, or-ed. RN_STREAM: whole vectors are stored past the caches, which
 * spares reading what is overwritten, where y is so large that they lose it before it is read. Every
 * pixel of y then begins a cache line, and ops/stream.h says how other threads see it. */
enum { RN_RELU = 1, RN_STREAM = 2 };

/*
 * One tile of a convolution by indirection (Dukhan 2019, "The indirect convolution algorithm"):
 *   y[row[m] + k] = act(bias[k] + sum over taps t, channels c of x[t*M + m][c] * w[t][c][k]
 *                       + res[row[m] + k])
 * one chain of multiply-adds per output, in the order bias, then t, then c; the residual last.
 *   y     out  base of the output; row m starts at y + row[m]
 *   res   in   residual, laid out like y; may be y itself (accumulate); NULL: none
 *   row   in   [M] offsets in floats
 *   x     in   [T][M] pointers to [C] floats; a tap in the padding points to zeros
 *   w     in   one panel [T][C][igemm_nr], 64-byte aligned, columns past K zero
 *   bias  in   [igemm_nr], 64-byte aligned, or NULL: 0
 *   next  what is fetched into the second cache meanwhile, being read soon: with each channel of each
 *         tap the line `step` floats on; a hint, it may end behind the array; NULL: nothing
 *   step  RN_LINE, a half or a quarter of it; without next it says nothing
 * 1 <= M <= igemm_mr, 1 <= K <= igemm_nr. act is ReLU when `end` has RN_RELU, else nothing.
 */
typedef void rn_igemm_fn(float *y, const float *res, const size_t *row, const float *const *x,
                         const float *w, const float *bias, const float *next, size_t step,
                         size_t M, size_t K, size_t T, size_t C, int end);

/* The same, but a NULL in x leaves the tap out of that row's chain: taps in the padding of small
 * maps, where there are many. */
typedef rn_igemm_fn rn_igemm_sparse_fn;

/*
 * M pixels of a row and one vector of channels of a convolution in groups of `width` channels, as
 * many out as in (depthwise: width 1). Lane k of the vector has the inputs i = k ^ d, d from 0 below
 * width, of its group:
 *   y[m*ldy + k] = act(join over d of (sum over taps t of x[t][m*step + (k ^ d)] * w[t][d][k ^ d])
 *                      + res[m*ldy + k])
 * for each d one chain of multiply-adds in the order of t, from bias[k] for d = 0 and from 0 for the
 * others. join adds chains d and d + 1, then those sums by pairs: (0 + 1) + (2 + 3); the residual
 * last. The chains need no shuffle; only the join brings them from the inputs' lanes to the
 * outputs'.
 *   x     in   [T] pointers to [M] pixels of [group_nr], step floats apart: blocks that cut made
 *   w     in   [T][width][group_nr], 64-byte aligned, lanes past K zero
 * y, res, bias [group_nr], act and end as in igemm. M >= 1; T >= 0; 1 <= K <= group_nr, a multiple
 * of width; width 1, 2, 4, 8 or 16, at most group_nr.
 */
typedef void rn_group_fn(float *y, const float *res, size_t ldy, const float *const *x, size_t step,
                         const float *w, const float *bias, size_t M, size_t K, size_t T,
                         size_t width, int end);

/*
 * What a few rows of M pixels and one vector of channels add to the weight gradient of such a
 * convolution, each lane an input of its group:
 *   acc[t][d][i] += sum over r, m of x[r*T + t][m*step + i] * dy[r*row + m*ldy + (i ^ d)]
 * the sum in one chain from 0, pixel by pixel and row by row; dy counts as zero past K.
 *   acc  in/out  [T][width][group_nr], 64-byte aligned
 *   x    in      [rows][T] pointers                     dy  in  [rows][M] pixels of [K]
 * step, K and width as in group; rows, M >= 1.
 */
typedef void rn_group_grad_fn(float *acc, const float *const *x, size_t step, const float *dy,
                              size_t ldy, size_t row, size_t rows, size_t M, size_t K, size_t T,
                              size_t width);

/* Cache lines that will be read soon, n of them, `step` floats apart: a kernel fetches them into the
 * second cache while it computes. A hint: they may lie anywhere. */
struct rn_fetch {
    const float *at;
    size_t step, n;
};

/*
 * One tile of a sum of outer products (a convolution's weight gradient):
 *   acc[i*lda + j] = (first ? 0 : acc[i*lda + j]) + (sum over m of x[off[m] + i] * dy[m][j])
 * the sum in one chain from 0 and m = 0.
 *   acc   in/out  [I][outer_nr], rows lda floats apart
 *   x     in      base                   off  in  [M] offsets in floats
 *   dy    in      [M][outer_nr]
 *   fetch in      [fetches] or NULL for 0: one stretch after the other, spread over the pixels, a line
 *         with each at most
 * 1 <= I <= outer_mr.
 */
typedef void rn_outer_fn(float *acc, size_t lda, const float *x, const int32_t *off,
                         const float *dy, size_t M, size_t I, bool first,
                         const struct rn_fetch *fetch, size_t fetches);

/* The same for few columns: tiles of outer_narrow_mr and outer_narrow_nr; fetches nothing. */
typedef rn_outer_fn rn_outer_narrow_fn;

/*
 * Channels of pixels cut into blocks: to[b*ldb + m*block + i] = x[m*ldx + b*block + i], 0 past C.
 *   to  out  [divide_up(C, block)] blocks ldb floats apart, of [M][block]
 *   x   in   [M][C], ldx floats apart
 */
typedef void rn_cut_fn(float *to, size_t ldb, size_t block, const float *x, size_t ldx, size_t M,
                       size_t C);

/*
 * A product of matrices, a panel of columns of it:
 *   y[m*ldy + k] = sum over c of x[m*ldx + c] * w[c][k]
 * one chain of multiply-adds from 0 in the order of c.
 *   w     in   [C][igemm_nr], 64-byte aligned
 *   next  in   a panel like w that is read after it and fetched on the way; NULL: none
 * M >= 1, 1 <= K <= igemm_nr.
 */
typedef void rn_gemm_fn(float *y, size_t ldy, const float *x, size_t ldx, const float *w,
                        const float *next, size_t M, size_t K, size_t C);

/* y[i] = x[i] <= 0 ? 0 : x[i]; y may be x. (With < a compiler may make -0 of it, or 0.) */
typedef void rn_relu_fn(float *y, const float *x, size_t n);

/* y[i] = act(a[i] + b[i]), act as in igemm; y may be a or b. */
typedef void rn_add_fn(float *y, const float *a, const float *b, size_t n, bool relu);

/* dx[i] = (add ? dx[i] : 0) + (y[i] <= 0 ? 0 : dy[i]), y the output of the ReLU; dx may be dy. */
typedef void rn_relu_grad_fn(float *dx, const float *dy, const float *y, size_t n, bool add);

/* y[r][c] = act(x[r][c] * scale[c] + shift[c] + res[r][c]), a multiply-add and a sum; act and end as
 * in igemm. res may be NULL; y may be x or res. */
typedef void rn_affine_fn(float *y, const float *x, const float *res, const float *scale,
                          const float *shift, size_t rows, size_t C, int end);

/* sum[c] = sum over r of x[r][c] - origin[c];  square[c] = sum over r of (x[r][c] - origin[c])^2 by
 * multiply-adds; rows in order. */
typedef void rn_bn_sums_fn(float *sum, float *square, const float *x, const float *origin,
                           size_t rows, size_t C);

/*
 * What batch norm's gradient is made of. Behind a fused ReLU g[r][c] = v[r][c] <= 0 ? 0 : dy[r][c],
 * where v is the output y, or without y what rn_affine_fn made it of, x[r][c] * scale[c] + shift[c]
 * by the same multiply-add: one tensor less to read where nothing was added. With neither y nor
 * shift there is no ReLU, g = dy.
 */
struct rn_bn_back {
    const float *dy, *x, *y;           /* [rows][C] */
    const float *mean, *scale, *shift; /* [C] */
};

/* sum[c] = sum over r of g[r][c];  dot[c] = sum over r of g[r][c] * (x[r][c] - mean[c]) by
 * multiply-adds; rows in order. */
typedef void rn_bn_grad_sums_fn(float *sum, float *dot, const struct rn_bn_back *in, size_t rows,
                                size_t C);

/*
 * dx[r][c] = scale[c] * g + (b[c] * (x[r][c] - mean[c]) + k[c])    two multiply-adds
 * dres[r][c] = (dres_add ? dres[r][c] : 0) + g                     dres may be NULL
 * dx may be dy or x; dres may not overlap the others. stream: it is stored as with RN_STREAM.
 */
typedef void rn_bn_grad_fn(float *dx, float *dres, const struct rn_bn_back *in, const float *b,
                           const float *k, size_t rows, size_t C, bool dres_add, bool stream);

/*
 * y[c] = max over t of x[t][c], arg[c] = the first t that has it; a NaN wins and the last NaN stays
 * (as PyTorch).
 *   x    in   [T] pointers to [C] floats, T from 1 to 255
 *   arg  out  [C], or NULL
 */
typedef void rn_maxpool_fn(float *y, uint8_t *arg, const float *const *x, size_t T, size_t C);

/* dx[arg[c]][c] += dy[c];  dx in/out [T] pointers to [C] floats. */
typedef void rn_maxpool_grad_fn(float *const *dx, const uint8_t *arg, const float *dy, size_t C);

/* sum[c] = sum over r of x[r * ld + c], rows in order. */
typedef void rn_colsum_fn(float *sum, const float *x, size_t ld, size_t rows, size_t C);

/*
 * Winograd's F(m x m, 3x3) (Lavin and Gray 2016): y = A^T [(G g G^T) * (B^T d B)] A for a tile d of
 * (m + 2)^2 = E inputs, a filter g, a tile y of m^2 outputs; the gradient of g by that of y is
 * dg = G^T [(A dy A^T) * (B^T d B)] G. m = 2 stands on the points 0, +-1, infinity, m = 3 on 0,
 * +-3/4, 2, infinity, m = 4 on 0, +-sqrt(1/2), +-sqrt(2), infinity. Products and sums round one by
 * one: every instruction set gives the same bits.
 *
 * Tiles come in strips: T side by side in a picture, tile t m pixels right of tile t - 1.
 *
 * v[e*ld + t*ldt + c] = (B^T d B)[e][c], e = 0 .. E - 1 by rows; d: the columns left + t*m + (0 ..
 * m + 1) of the rows of pixels, zero where they are not from 0 to W - 1.
 *   row   in  [m + 2] pointers to [W][C]
 */
typedef void rn_wino_input_fn(float *v, size_t ld, size_t ldt, const float *const *row, int left,
                              int W, size_t T, size_t C);

/* u[e*ld + k] = (G g G^T)[e][k];  g in [9][K], the filter by rows. */
typedef void rn_wino_filter_fn(float *u, size_t ld, const float *g, size_t K);

/*
 * y[p*ldy + q*step + k] = act((A^T m A)[e][k] + bias[k] + res[p*ldy + q*step + k]); p < P is the row
 * of output e in tile t, q < Q is t*m and its column. No other outputs are written.
 *   m     in  [E] matrices, ld floats apart, of [T] rows of [K], ldt apart
 *   bias  in  [K], or NULL: 0
 * y, res and act as in igemm, ReLU when `relu`; (T - 1)*m < Q.
 */
typedef void rn_wino_output_fn(float *y, const float *res, size_t ldy, size_t step, size_t P,
                               size_t Q, const float *m, size_t ld, size_t ldt, const float *bias,
                               size_t T, size_t K, bool relu);

/*
 * d[e*ld + t*ldt + k / nr * panel + k % nr] = (A dy A^T)[e][k], and zeros behind K up to a multiple
 * of outer_narrow_nr; nr is outer_nr, a multiple of that. Columns of dy from Q on are zeros.
 *   row   in  [m] pointers to [Q] pixels of [K], step floats apart
 * (T - 1)*m < Q.
 */
typedef void rn_wino_output_grad_fn(float *d, size_t ld, size_t ldt, size_t panel,
                                    const float *const *row, size_t step, size_t Q, size_t T,
                                    size_t K);

/* dg[t*K + k] = (G^T m G)[t][k], t = 0 .. 8;  m in [E] rows of [K], ld floats apart. */
typedef void rn_wino_filter_grad_fn(float *dg, const float *m, size_t ld, size_t K);

/* The transforms of one m. */
struct rn_wino {
    rn_wino_input_fn *input;
    rn_wino_filter_fn *filter;
    rn_wino_output_fn *output;
    rn_wino_output_grad_fn *output_grad;
    rn_wino_filter_grad_fn *filter_grad;
};

/*
 * Stochastic gradient descent as PyTorch defines it, a multiply-add a line:
 *   g = dw + decay * w;  v = momentum * v + g;  d = nesterov ? g + momentum * v : v;  w -= lr * d
 * v NULL: d = g. w, v in/out [n].
 */
typedef void rn_sgd_fn(float *w, float *v, const float *dw, size_t n, float lr, float momentum,
                       bool nesterov, float decay);

/* Independent fused multiply-adds from registers: returns how many floating-point operations
 * `rounds` rounds were. */
typedef double rn_peak_fn(size_t rounds);

/* The exclusive or of the bits of x[0] .. x[n - 1], which no order changes: it measures how fast
 * memory can be read. */
typedef uint32_t rn_read_fn(const float *x, size_t n);

struct rn_kernels {
    const char *isa;
    size_t igemm_mr, igemm_nr;
    rn_igemm_fn *igemm;
    rn_igemm_sparse_fn *igemm_sparse;
    size_t group_nr;
    rn_group_fn *group;
    rn_group_grad_fn *group_grad;
    size_t outer_mr, outer_nr;
    rn_outer_fn *outer;
    size_t outer_narrow_mr, outer_narrow_nr;
    rn_outer_narrow_fn *outer_narrow;
    rn_gemm_fn *gemm;
    rn_cut_fn *cut;
    rn_relu_fn *relu;
    rn_add_fn *add;
    rn_relu_grad_fn *relu_grad;
    rn_affine_fn *affine;
    rn_bn_sums_fn *bn_sums;
    rn_bn_grad_sums_fn *bn_grad_sums;
    rn_bn_grad_fn *bn_grad;
    rn_maxpool_fn *maxpool;
    rn_maxpool_grad_fn *maxpool_grad;
    rn_colsum_fn *colsum;
    struct rn_wino wino2, wino3, wino4; /* m = 2, 3, 4 */
    rn_sgd_fn *sgd;
    rn_peak_fn *peak;
    rn_read_fn *read;
};

enum { RN_MR_MAX = 16, RN_NR_MAX = 64 }; /* no table has larger tiles */
enum { RN_GROUP_MAX = 16 };              /* the widest group of rn_group_fn */

/* One step of the ladder: does this machine have it, and what it overrides. */
struct rn_isa {
    const char *name;
    bool (*has)(void);
    void (*use)(struct rn_kernels *k);
};

/* Those of the architecture, weakest first, ended by a NULL name: kernels/<arch>/arch.c. */
extern const struct rn_isa rn_isas[];

void rn_kernels_ref(struct rn_kernels *k); /* the plain C reference in every slot; isa "ref" */

/*
 * Fills the table: reference first, then every step of the ladder up to `isa` (NULL: the best here;
 * "ref": no step). Returns 0, or RN_EUSAGE when the machine has no such step; the sentence lists
 * those it has.
 */
int rn_kernels_init(struct rn_kernels *k, const char *isa);

/*
 * The table in force: rn_isa_select()'s, else RN_ISA's, else the best here. A table never changes,
 * so what is made keeps its own when another one is selected later.
 */
const struct rn_kernels *rn_kernels_get(void);

#endif
