/* Two tables, the same job: do they agree? */
#include "check.h"
#include "guard.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What floats are filled with. SIZES_ONLY is REAL without signs, for the tolerance. */
enum fill { INTEGERS, SPECIALS, REAL, FILLS, SIZES_ONLY };

static uint64_t state;

static uint32_t random_bits(void) /* a linear congruential generator's upper half */
{
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(state >> 32);
}

static float random_float(enum fill fill, size_t chain)
{
    static const float special[] = { NAN, INFINITY, -INFINITY, -0.0F };
    uint32_t r = random_bits(), kind = random_bits();
    if (fill == INTEGERS || fill == SPECIALS) {
        bool odd = fill == SPECIALS && kind % (8 + 4 * chain) == 0;
        return odd ? special[r % 4] : (float)((int)(r % 9) - 4);
    }
    float v = (float)(int32_t)r * 0x1p-30F;
    return fill == SIZES_ONLY ? fabsf(v) : v;
}

int stream(const float *y, size_t ld)
{
    return (uintptr_t)y % (RN_LINE * sizeof *y) == 0 && ld % RN_LINE == 0 ? RN_STREAM : 0;
}

static bool is_bytes(const struct array *a)
{
    return a->content == BYTES || a->content == INDICES;
}

static size_t array_bytes(const struct array *a)
{
    return is_bytes(a) ? a->n : a->n * sizeof(float);
}

static void fill_array(void *p, const struct array *a, enum fill fill, size_t chain)
{
    float *f = p;
    uint8_t *b = p;
    memset(p, 0x5A, array_bytes(a)); /* unlike guard.c's */
    for (size_t i = 0; i < a->n; i++) {
        if (a->content == INDICES) {
            b[i] = (uint8_t)(random_bits() % a->limit);
        } else if (a->content == VALUES || a->content == NEGATED) {
            float v = random_float(fill, chain);
            f[i] = a->content == NEGATED && fill == SIZES_ONLY ? -v : v;
        }
    }
}

/* One run on fresh arrays: a[]. The same seed gives the same numbers, or their sizes. */
static void run(const struct rn_kernels *k, const struct job *j, uint64_t seed, enum fill fill,
                void **a)
{
    state = seed;
    for (int i = 0; i < ARRAYS_MAX; i++) {
        const struct array *array = &j->array[i];
        a[i] = guard_take(array_bytes(array), is_bytes(array) ? 1 : sizeof(float));
        fill_array(a[i], array, fill, j->chain);
    }
    j->run(k, a, j->arg);
}

static bool same(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static bool compare(const struct array *a, const void *got, const void *want, const void *size,
                    float tolerance, const char *what)
{
    if (is_bytes(a))
        return memcmp(got, want, a->n) == 0 || (printf("# %s: bytes differ\n", what), false);
    const float *g = got, *w = want, *s = size;
    for (size_t i = 0; i < a->n; i++) {
        if (!same(g[i], w[i]) && !(s && fabsf(g[i] - w[i]) <= tolerance * s[i])) {
            printf("# %s: [%zu] is %.9g, not %.9g\n", what, i, (double)g[i], (double)w[i]);
            return false;
        }
    }
    return true;
}

static bool agree_on(const struct rn_kernels *k, const struct rn_kernels *right,
                     const struct job *j, enum place where, enum fill fill)
{
    static uint64_t seed;
    void *got[ARRAYS_MAX], *want[ARRAYS_MAX], *size[ARRAYS_MAX] = { NULL };
    bool exact = fill != REAL || k->isa == right->isa || (fused(k) && fused(right));
    guard_reset(where);
    seed++;
    run(k, j, seed, fill, got);
    run(right, j, seed, fill, want);
    if (!exact)
        run(right, j, seed, SIZES_ONLY, size);
    if (!guard_intact()) {
        printf("# %s: wrote outside its arrays\n", j->what);
        return false;
    }
    for (int i = 0; i < ARRAYS_MAX; i++) {
        float tolerance = (float)j->chain * FLT_EPSILON;
        if (!compare(&j->array[i], got[i], want[i], size[i], tolerance, j->what))
            return false;
    }
    return true;
}

bool agree(const struct rn_kernels *k, const struct rn_kernels *right, const struct job *j)
{
    for (enum place where = 0; where < PLACES; where++) {
        for (enum fill fill = 0; fill < FILLS; fill++)
            if (!agree_on(k, right, j, where, fill))
                return false;
    }
    return true;
}

bool fused(const struct rn_kernels *k)
{
    return strcmp(k->isa, "sse2") != 0; /* as the contract says */
}

void *take(size_t bytes)
{
    return guard_take(bytes, 64);
}
