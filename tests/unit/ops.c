/* ReLU, add, max pool, average pools, zero-padding shortcut, softmax cross-entropy. */
#include "opcheck.h"
#include "ops/loss.h"

/* y = x: what add (its second operand as the residual) and ReLU (its op as the epilogue) begin
 * with. */
static void copy_ref(const struct optest *t, const struct operands *o, double *y, double *scale)
{
    for (size_t i = 0; i < t->ys; i++) {
        y[i] = o->x[i];
        if (scale)
            scale[i] = fabs(o->x[i]);
    }
}

static void max_ref(const struct optest *t, const struct operands *o, double *y, double *scale)
{
    const struct rn_node *n = t->node;
    const struct rn_window *w = &n->as.pool.win;
    size_t C = (size_t)n->y.C, Q = (size_t)n->y.W, P = (size_t)n->y.H;

    for (size_t i = 0; i < t->ys; i++) {
        const double *x = o->x + i / (C * Q * P) * rn_shape_count(n->x) + i % C;
        int top = (int)(i / (C * Q) % P) * w->stride_h - w->top,
            left = (int)(i / C % Q) * w->stride_w - w->left;
        y[i] = -INFINITY;
        for (int h = top; h < top + w->R; h++)
            for (int v = left; v < left + w->S; v++) {
                if (h < 0 || h >= n->x.H || v < 0 || v >= n->x.W)
                    continue;
                double at = x[(size_t)(h * n->x.W + v) * C];
                y[i] = at > y[i] || isnan(at) ? at : y[i];
            }
        if (scale)
            scale[i] = 0; /* a copy is exact */
    }
}

static void average_ref(const struct optest *t, const struct operands *o, double *y, double *scale)
{
    size_t C = (size_t)t->node->y.C, pixels = rn_shape_count(t->node->x) / C;

    for (size_t i = 0; i < t->ys; i++) {
        double sum = 0, size = 0;
        for (size_t p = 0; p < pixels; p++) {
            double at = o->x[(i / C * pixels + p) * C + i % C];
            sum += at;
            size += fabs(at);
        }
        y[i] = sum / (double)pixels;
        if (scale)
            scale[i] = size / (double)pixels;
    }
}

/* Pixels outside the picture do not count. */
static void mean_ref(const struct optest *t, const struct operands *o, double *y, double *scale)
{
    const struct rn_node *n = t->node;
    const struct rn_window *w = &n->as.pool.win;
    size_t C = (size_t)n->y.C, Q = (size_t)n->y.W, P = (size_t)n->y.H;

    for (size_t i = 0; i < t->ys; i++) {
        const double *x = o->x + i / (C * Q * P) * rn_shape_count(n->x) + i % C;
        int top = (int)(i / (C * Q) % P) * w->stride_h - w->top,
            left = (int)(i / C % Q) * w->stride_w - w->left, pixels = 0;
        double sum = 0, size = 0;
        for (int h = top; h < top + w->R; h++)
            for (int v = left; v < left + w->S; v++) {
                if (h < 0 || h >= n->x.H || v < 0 || v >= n->x.W)
                    continue;
                double at = x[(size_t)(h * n->x.W + v) * C];
                sum += at;
                size += fabs(at);
                pixels++;
            }
        y[i] = sum / pixels;
        if (scale)
            scale[i] = size / pixels;
    }
}

static void pad_ref(const struct optest *t, const struct operands *o, double *y, double *scale)
{
    const struct rn_node *n = t->node;
    int C = n->x.C, K = n->y.C, stride = n->as.pad.stride;
    size_t i = 0;

    for (int b = 0; b < t->N; b++)
        for (int p = 0; p < n->y.H; p++)
            for (int q = 0; q < n->y.W; q++)
                for (int k = 0; k < K; k++, i++) {
                    int c = k - n->as.pad.before,
                        at = ((b * n->x.H + p * stride) * n->x.W + q * stride) * C + c;
                    y[i] = c < 0 || c >= C ? 0 : o->x[at];
                    if (scale)
                        scale[i] = 0;
                }
}

/* Part d of nine looks d / 3 - 1 rows and d % 3 - 1 columns away; what nine does not divide stays. */
static void shift_ref(const struct optest *t, const struct operands *o, double *y, double *scale)
{
    const struct rn_node *n = t->node;
    int C = n->y.C, part = C / 9;
    size_t i = 0;

    for (int b = 0; b < t->N; b++)
        for (int p = 0; p < n->y.H; p++)
            for (int q = 0; q < n->y.W; q++)
                for (int c = 0; c < C; c++, i++) {
                    int d = c < 9 * part ? c / part : 4, h = p + d / 3 - 1, w = q + d % 3 - 1;
                    bool inside = h >= 0 && h < n->y.H && w >= 0 && w < n->y.W;
                    y[i] = inside ? o->x[((b * n->y.H + h) * n->y.W + w) * C + c] : 0;
                    if (scale)
                        scale[i] = 0;
                }
}

static void test(struct optest t, struct rn_shape x, struct rn_node node)
{
    if (optest_init(&t, x, node))
        optest_run(&t);
}

static void test_relu_and_add(void)
{
    struct rn_node relu = { .op = &rn_op_relu }, add = { .op = &rn_op_add };
    test((struct optest){ .text = "ReLU", .N = 3, .relu = true, .ref = copy_ref },
         (struct rn_shape){ 5, 7, 17 }, relu);
    test((struct optest){ .text = "ReLU of one", .N = 1, .relu = true, .ref = copy_ref },
         (struct rn_shape){ 1, 1, 1 }, relu);
    test((struct optest){ .text = "add", .N = 3, .residual = true, .ref = copy_ref },
         (struct rn_shape){ 5, 3, 33 }, add);
    test(
        (struct optest){
            .text = "add with ReLU", .N = 2, .residual = true, .relu = true, .ref = copy_ref },
        (struct rn_shape){ 4, 5, 40 }, add);
}

static void test_shifts(void)
{
    struct rn_node shift = { .op = &rn_op_shift };
    struct optest t = { .text = "shift of 9 x 2 channels", .N = 3, .ref = shift_ref };
    test(t, (struct rn_shape){ 5, 4, 18 }, shift);
    t.text = "shift of 9 x 3 + 2 channels";
    test(t, (struct rn_shape){ 3, 6, 29 }, shift);
    t.text = "shift of too few channels: none";
    test(t, (struct rn_shape){ 3, 3, 8 }, shift);
    t.text = "shift of a pixel";
    test(t, (struct rn_shape){ 1, 1, 9 }, shift);
}

static void test_pools(void)
{
    struct rn_node stem = { .op = &rn_op_maxpool, .as.pool = { rn_window_square(3, 2, 1) } };
    struct rn_node odd = { .op = &rn_op_maxpool, .as.pool = { { 2, 3, 1, 2, 0, 0, 1, 2 } } };
    struct rn_node average = { .op = &rn_op_avgpool };
    struct optest max = { .text = "max pool 3x3 stride 2", .N = 3, .picks = true, .ref = max_ref };
    test(max, (struct rn_shape){ 7, 8, 17 }, stem);
    max.text = "max pool 3x3 stride 2, 1 channel";
    test(max, (struct rn_shape){ 8, 8, 1 }, stem);
    max.text = "max pool 2x3 stride 1x2, padding behind";
    test(max, (struct rn_shape){ 5, 6, 40 }, odd);
    test((struct optest){ .text = "average pool", .N = 3, .ref = average_ref },
         (struct rn_shape){ 3, 5, 33 }, average);
    test((struct optest){ .text = "average pool of one pixel", .N = 5, .ref = average_ref },
         (struct rn_shape){ 1, 1, 5 }, average);
    test((struct optest){ .text = "average pool 7x7, 1 channel", .N = 2, .ref = average_ref },
         (struct rn_shape){ 7, 7, 1 }, average);
}

static void test_mean_pools(void)
{
    struct rn_node half = { .op = &rn_op_meanpool, .as.pool = { { 2, 2, 2, 2, 0, 0, 1, 0 } } };
    struct rn_node lapping = { .op = &rn_op_meanpool, .as.pool = { { 3, 2, 1, 2, 1, 0, 2, 1 } } };
    struct optest t = { .text = "average pool 2x2, odd rows", .N = 3, .ref = mean_ref };
    test(t, (struct rn_shape){ 7, 8, 17 }, half);
    t.text = "average pool 3x2 stride 1x2, padded";
    test(t, (struct rn_shape){ 5, 5, 33 }, lapping);
}

static void test_pads(void)
{
    struct rn_node half = { .op = &rn_op_pad, .as.pad = { 8, 8, 2 } },
                   uneven = { .op = &rn_op_pad, .as.pad = { 2, 3, 1 } };
    struct optest pad = { .text = "shortcut 16 to 32, stride 2", .N = 3, .ref = pad_ref };
    test(pad, (struct rn_shape){ 6, 6, 16 }, half);
    pad.text = "shortcut of odd size, stride 2";
    test(pad, (struct rn_shape){ 5, 7, 3 }, half);
    pad.text = "shortcut 17 to 22";
    test(pad, (struct rn_shape){ 3, 4, 17 }, uneven);
}

/* Equal values: the first of the window has the gradient, as in PyTorch. A NaN takes it. */
static void test_max_ties(const char *isa)
{
    struct rn_kernels k;
    struct optest t = { .text = "ties", .N = 1, .picks = true, .ref = max_ref };
    struct rn_node node = { .op = &rn_op_maxpool, .as.pool = { rn_window_square(3, 3, 0) } };
    bool right = !rn_kernels_init(&k, isa) && optest_init(&t, (struct rn_shape){ 3, 3, 40 }, node);
    struct how how = { .k = &k, .threads = 1, .backward = true };

    for (size_t i = 0; i < t.xs; i++)
        t.in.x[i] = i / 40 < 2 ? -1 : 0.5; /* pixels 2 to 8 are equal and the largest */
    t.in.x[5 * 40 + 7] = NAN;
    struct result r = run_op(&t, &t.in, t.dy, how);
    for (size_t i = 0; i < t.xs; i++)
        right &= r.dx[i] == (i / 40 == (i % 40 == 7 ? 5 : 2) ? (float)t.dy[i % 40] : 0);
    ok(right, "max pool, %s: the first of equal values, or the NaN, has the gradient", isa);
    rn_graph_release(&t.graph);
    give_back(0);
}

/* ---- softmax cross-entropy ---- */

/* Cross-entropy against the label with weight 1 - smoothing and the mean over all classes with the
 * weight `smoothing`: what a class costs is log(sum exp(v)) - v[class]. */
static double loss_ref(const double *v, int classes, int label, double smoothing)
{
    double sum = 0, all = 0;
    for (int j = 0; j < classes; j++) {
        sum += exp(v[j] - v[label]);
        all += v[j] - v[label];
    }
    return log(sum) - smoothing * all / classes;
}

static void loss_team(const float *v, const int *label, int N, int classes, double smoothing,
                      double *loss, float *d, int threads)
{
    omp_set_dynamic(0);
#pragma omp parallel num_threads(threads)
    rn_cross_entropy_grad(v, label, N, classes, smoothing, 1.0 / N, loss, d, omp_get_thread_num(),
                          omp_get_num_threads());
}

static void test_loss(int N, int classes, double size, double smoothing)
{
    size_t n = (size_t)(N * classes);
    double *v = take_random(n),
           *loss[2] = { take((size_t)N, sizeof(double)), take((size_t)N, sizeof(double)) };
    float *d[2] = { take(n, sizeof(float)), take(n, sizeof(float)) };
    int *label = take((size_t)N, sizeof *label);
    bool right = true, grad = true;

    for (size_t i = 0; i < n; i++)
        v[i] = (float)(size * v[i]);
    for (int i = 0; i < N; i++)
        label[i] = (int)random_below((size_t)classes);
    float *logits = to_float(v, n);
    loss_team(logits, label, N, classes, smoothing, loss[0], d[0], 1);
    loss_team(logits, label, N, classes, smoothing, loss[1], d[1], 5);
    for (size_t i = 0; i < n; i++) {
        int b = (int)i / classes;
        double *row = v + (size_t)(b * classes), ref = loss_ref(row, classes, label[b], smoothing),
               h = 1e-5, was = v[i];
        right &= fabs(loss[0][b] - ref) <= 1e-12 * (1 + ref);
        right &= smoothing > 0 ||
                 loss[0][b] == rn_cross_entropy(logits + (size_t)(b * classes), classes, label[b]);
        v[i] = was + h;
        double up = loss_ref(row, classes, label[b], smoothing);
        v[i] = was - h;
        double slope = (up - loss_ref(row, classes, label[b], smoothing)) / (2 * h);
        grad &= fabs(d[0][i] - slope / N) < 1e-7;
        v[i] = was;
    }
    ok(right, "cross-entropy, %d of %d classes, logits to %g, smoothing %g", N, classes, size,
       smoothing);
    ok(grad, "cross-entropy, %d of %d classes, logits to %g, smoothing %g: gradient", N, classes,
       size, smoothing);
    ok(!memcmp(loss[0], loss[1], (size_t)N * sizeof(double)) &&
           !memcmp(d[0], d[1], n * sizeof(float)),
       "cross-entropy, %d of %d classes: same bits on 1 and 5 threads", N, classes);
    ok(give_back(0), "cross-entropy: nothing else written");
}

static void test_loss_extremes(void)
{
    const float large[2][3] = { { 3e38f, -3e38f, 0 }, { -3e38f, -3e38f, -3e38f } },
                nan[3] = { 1, NAN, 2 };
    const int label[2] = { 0, 2 }, one = 0;
    double loss[2], lost;
    float d[2][3], dn[3], p[3];
    rn_cross_entropy_grad(large[0], label, 2, 3, 0, 1, loss, d[0], 0, 1);
    ok(loss[0] == 0 && fabs(loss[1] - log(3)) < 1e-12 && d[0][0] == 0 &&
           fabsf(d[1][2] + 2.0f / 3) < 1e-6f,
       "cross-entropy of the largest floats does not overflow");
    rn_cross_entropy_grad(nan, &one, 1, 3, 0, 1, &lost, dn, 0, 1);
    ok(isnan(lost) && isnan(dn[0]) && isnan(dn[1]) && isnan(dn[2]) &&
           isnan(rn_cross_entropy(nan, 3, 0)),
       "NaN in a logit reaches the loss and every gradient");
    rn_softmax(nan, 3, p);
    ok(isnan(p[0]) && isnan(p[1]) && isnan(p[2]), "NaN in a logit reaches every probability");
    rn_softmax(large[0], 3, p);
    ok(p[0] == 1 && p[1] == 0 && p[2] == 0, "softmax of the largest floats does not overflow");
}

int main(void)
{
    const char *isa[ISAS];
    test_relu_and_add();
    test_pools();
    test_mean_pools();
    test_pads();
    test_shifts();
    for (int i = 0, n = all_isas(isa); i < n; i++)
        test_max_ties(isa[i]);
    test_loss(7, 10, 1, 0);
    test_loss(4, 1000, 20, 0);
    test_loss(3, 1, 1, 0);
    test_loss(7, 10, 1, 0.1);
    test_loss(4, 1000, 20, 0.5);
    test_loss(3, 4, 1, 1);
    test_loss_extremes();
    return done();
}
