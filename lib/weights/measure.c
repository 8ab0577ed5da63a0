/* Figures of tensors: of one alone, of the distance of two, and their mean. */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "weights/cast.h"
#include "weights/edit.h"

static size_t elements(const struct rn_tensor *t)
{
    return t->bytes / rn_dtype_size(t->dtype);
}

/* Two passes: the variance is that about the mean. */
void rn_tensor_stats(const struct rn_tensor *t, struct rn_stats *s)
{
    size_t n = elements(t), numbers = 0;
    double sum = 0, squares = 0;
    *s = (struct rn_stats){ NAN, NAN, NAN, NAN, 0 };
    for (size_t i = 0; i < n; i++) {
        double v = rn_element(t, i);
        if (isnan(v)) {
            s->nans++;
            continue;
        }
        s->min = numbers && s->min <= v ? s->min : v;
        s->max = numbers && s->max >= v ? s->max : v;
        sum += v;
        numbers++;
    }
    if (!numbers)
        return;
    s->mean = sum / (double)numbers;
    for (size_t i = 0; i < n; i++) {
        double v = rn_element(t, i) - s->mean;
        squares += isnan(v) ? 0 : v * v;
    }
    s->std = sqrt(squares / (double)numbers);
}

static bool same_shape(const struct rn_tensor *a, const struct rn_tensor *b)
{
    return a->rank == b->rank && !memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim);
}

/* Long integers may differ where their doubles do not. */
static bool same_integer(const struct rn_tensor *a, const struct rn_tensor *b, size_t i)
{
    size_t n = rn_dtype_size(a->dtype);
    return a->dtype != b->dtype || !rn_dtype_is_whole(a->dtype) ||
           !memcmp((const char *)a->data + i * n, (const char *)b->data + i * n, n);
}

bool rn_tensor_distance(const struct rn_tensor *a, const struct rn_tensor *b, double *absolute,
                        double *relative)
{
    double most = 0, largest = 0;
    if (!same_shape(a, b))
        return false;
    for (size_t i = 0; i < elements(a); i++) {
        double x = rn_element(a, i), y = rn_element(b, i), d = fabs(x - y);
        if (x == y || (isnan(x) && isnan(y)))
            d = same_integer(a, b, i) ? 0 : 1;
        else if (isnan(d))
            d = INFINITY;
        most = d > most ? d : most;
        largest = fabs(y) > largest ? fabs(y) : largest;
    }
    *absolute = most;
    *relative = most > 0 ? most / largest : 0;
    return true;
}

/* ---- means ---- */

static int find_same(const struct rn_tensor **other, const struct rn_weights *w, const char *path,
                     const struct rn_tensor *t)
{
    *other = rn_weights_find(w, t->name);
    if (!*other)
        return rn_fail(RN_EFORMAT, "%s: no tensor %s in it, so there is no mean", path, t->name);
    if (!same_shape(*other, t) || !rn_dtype_is_float((*other)->dtype))
        return rn_fail(RN_EFORMAT, "%s: tensor %s has another shape or type, so there is no mean",
                       path, t->name);
    return 0;
}

/* sum[] += t */
static void add(double *sum, const struct rn_tensor *t)
{
    for (size_t i = 0; i < elements(t); i++)
        sum[i] += rn_element(t, i);
}

/* The mean of t and its like in the others, in sum[], as a tensor. */
static int mean_of(struct rn_weights *next, const struct rn_tensor *t, double *sum,
                   struct rn_weights *const others[], int n, const char *const path[])
{
    struct rn_tensor mean = *t;
    memset(sum, 0, elements(t) * sizeof *sum);
    add(sum, t);
    for (int i = 0; i < n; i++) {
        const struct rn_tensor *other;
        int status = find_same(&other, others[i], path[i + 1], t);
        if (status)
            return status;
        add(sum, other);
    }
    for (size_t i = 0; i < elements(t); i++)
        sum[i] /= n + 1;
    mean.dtype = RN_F64;
    mean.data = sum;
    mean.bytes = elements(t) * sizeof *sum;
    struct rn_tensor rounded = *t;
    void *data = rn_edit_block(next, t->bytes);
    if (!data)
        return RN_EMEM;
    rn_cast(data, t->dtype, &mean);
    rounded.data = data;
    return rn_gather(next, &rounded);
}

static size_t largest(const struct rn_weights *w)
{
    size_t most = 1;
    for (int i = 0; i < w->tensors; i++)
        most = elements(&w->tensor[i]) > most ? elements(&w->tensor[i]) : most;
    return most;
}

/* The same network, where both say theirs. */
static int check_spec(const struct rn_weights *w, const struct rn_weights *other,
                      const char *const path[], int i)
{
    const char *a = rn_weights_meta(w, "rn.spec"), *b = rn_weights_meta(other, "rn.spec");
    if (a && b && !strcmp(a, b))
        return 0;
    return rn_fail(RN_EUSAGE, "%s is %s and %s is %s: there is no mean", path[0],
                   a ? a : "of no known network", path[i + 1], b ? b : "of no known network");
}

/* The same classes, of pictures that are prepared alike. */
static int check_use(const struct rn_weights *w, const struct rn_weights *other,
                     const char *const path[], int i)
{
    static const char *const keys[] = { "rn.labels", "rn.input", "rn.resize", "rn.mean", "rn.std" };
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        const char *a = rn_weights_meta(w, keys[k]), *b = rn_weights_meta(other, keys[k]);
        if (a != b && (!a || !b || strcmp(a, b)))
            return rn_fail(RN_EUSAGE, "%s and %s differ in %s: there is no mean", path[0],
                           path[i + 1], keys[k]);
    }
    return 0;
}

int rn_weights_average(struct rn_weights *w, struct rn_weights *const others[], int n,
                       const char *const path[])
{
    struct rn_weights next;
    int status = rn_weights_strip(w, path[0]);
    for (int i = 0; i < n && !status; i++)
        if (!(status = check_spec(w, others[i], path, i)))
            status = check_use(w, others[i], path, i);
    if (status)
        return status;
    double *sum = rn_alloc(largest(w), sizeof *sum);
    rn_edit_begin(&next, w);
    status = sum ? rn_edit_meta(&next, w, true) : RN_EMEM;
    if (!status)
        status = rn_edit_meta(&next, w, false);
    for (int i = 0; i < w->tensors && !status; i++)
        status = rn_dtype_is_float(w->tensor[i].dtype)
                     ? mean_of(&next, &w->tensor[i], sum, others, n, path)
                     : rn_gather(&next, &w->tensor[i]);
    rn_free(sum);
    if (!status)
        rn_edit_drop(&next, "rn.provenance");
    return rn_edit_end(w, &next, status);
}

int rn_weights_cast(struct rn_weights *w, enum rn_dtype type)
{
    struct rn_weights next;
    rn_edit_begin(&next, w);
    int status = rn_edit_meta(&next, w, true);
    if (!status)
        status = rn_edit_meta(&next, w, false);
    for (int i = 0; i < w->tensors && !status; i++) {
        const struct rn_tensor *t = &w->tensor[i];
        status = rn_edit_cast(&next, t, t->name, rn_dtype_is_float(t->dtype) ? type : t->dtype);
    }
    return rn_edit_end(w, &next, status);
}
