/* Do two models compute the same? Their logits of random pictures, held against each other. */
#include <math.h>

#include "base/err.h"
#include "base/rng.h"
#include "infer/session.h"

static bool same_input(const struct rn_model *a, const struct rn_model *b)
{
    return a->prep.C == b->prep.C && a->prep.H == b->prep.H && a->prep.W == b->prep.W &&
           a->spec.classes == b->spec.classes;
}

static int run(const struct rn_model *m, const float *x, int n, float *logits)
{
    struct rn_session *s;
    int status = rn_session_new(&s, m, n, 1);

    if (status)
        return status;
    rn_session_run(s, x, n, logits);
    rn_session_free(s);
    return 0;
}

/* max |a - b| / max |a|; NaN where there is one. */
static double distance(const float *a, const float *b, size_t n)
{
    double most = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - b[i]);
        most = d <= most ? most : d; /* a NaN stays */
        size = fmax(size, fabs((double)a[i]));
    }
    return most == 0 ? 0 : most / size;
}

int rn_model_compare(const struct rn_model *a, const struct rn_model *b, int n, uint64_t seed,
                     double *difference)
{
    size_t pixels = (size_t)n * (size_t)a->prep.H * (size_t)a->prep.W * (size_t)a->prep.C;
    size_t logits = (size_t)n * (size_t)a->spec.classes;
    float *x = NULL, *y = NULL;
    struct rn_rng r;
    int status = same_input(a, b)
                     ? 0
                     : rn_fail(RN_EUSAGE, "%s and %s: other inputs or classes", a->text, b->text);

    if (!status && (!(x = rn_alloc(pixels, sizeof *x)) || !(y = rn_alloc(2 * logits, sizeof *y))))
        status = RN_EMEM;
    rn_rng_init(&r, seed, RN_RNG_TEST, 0, 0);
    for (size_t i = 0; i < pixels && !status; i++)
        x[i] = (float)rn_rng_normal(&r);
    status = status ? status : run(a, x, n, y);
    status = status ? status : run(b, x, n, y + logits);
    if (!status)
        *difference = distance(y, y + logits, logits);
    rn_free(x);
    rn_free(y);
    return status;
}
