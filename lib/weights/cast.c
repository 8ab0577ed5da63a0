/* Floating-point types into each other, by way of double, which holds all of them exactly. */
#include "weights/cast.h"

#include <math.h>
#include <string.h>

#include "weights/format.h"

/* Bits of exponent and mantissa of the two short types. */
struct layout {
    int exponent, mantissa;
};
static const struct layout f16 = { 5, 10 }, bf16 = { 8, 7 };

enum { WIDE_MANTISSA = 52, WIDE_BIAS = 1023, WIDE_TOP = 2047 }; /* of double */

static int bias_of(struct layout l)
{
    return (1 << (l.exponent - 1)) - 1;
}

static double widen(uint16_t bits, struct layout l)
{
    uint64_t sign = (uint64_t)(bits >> 15) << 63, mantissa = bits & ((1u << l.mantissa) - 1);
    int exponent = bits >> l.mantissa & ((1 << l.exponent) - 1);
    double v;
    if (exponent == 0) {
        v = ldexp((double)mantissa, 1 - bias_of(l) - l.mantissa);
        return sign ? -v : v;
    }
    uint64_t e = exponent == (1 << l.exponent) - 1 ? WIDE_TOP
                                                   : (uint64_t)(exponent - bias_of(l) + WIDE_BIAS);
    uint64_t all = sign | e << WIDE_MANTISSA | mantissa << (WIDE_MANTISSA - l.mantissa);
    memcpy(&v, &all, sizeof v);
    return v;
}

/* v >> shift, to nearest, ties to even; shift is at least 1. */
static uint64_t shift_round(uint64_t v, int shift)
{
    if (shift > WIDE_MANTISSA + 2)
        return 0;
    uint64_t q = v >> shift, rest = v & ((1ull << shift) - 1), half = 1ull << (shift - 1);
    return q + (rest > half || (rest == half && (q & 1)));
}

static uint16_t narrow(double v, struct layout l)
{
    uint64_t all, mantissa;
    memcpy(&all, &v, sizeof all);
    uint16_t sign = (uint16_t)(all >> 63 << 15);
    uint64_t infinite = ((1ull << l.exponent) - 1) << l.mantissa;
    int e = (int)(all >> WIDE_MANTISSA & WIDE_TOP), shift = WIDE_MANTISSA - l.mantissa;
    mantissa = all & ((1ull << WIDE_MANTISSA) - 1);
    if (e == WIDE_TOP)
        return sign | (uint16_t)(infinite | (mantissa ? 1ull << (l.mantissa - 1) : 0));
    mantissa |= e ? 1ull << WIDE_MANTISSA : 0;
    e += bias_of(l) - WIDE_BIAS;
    /* Below the smallest exponent the mantissa is shifted instead; rounding carries upwards. */
    uint64_t r = e > 0 ? ((uint64_t)(e - 1) << l.mantissa) + shift_round(mantissa, shift)
                       : shift_round(mantissa, shift + 1 - e);
    return sign | (uint16_t)(r < infinite ? r : infinite);
}

bool rn_dtype_is_float(enum rn_dtype t)
{
    return t == RN_F64 || t == RN_F32 || t == RN_F16 || t == RN_BF16;
}

bool rn_dtype_is_whole(enum rn_dtype t)
{
    return !rn_dtype_is_float(t);
}

#define READ(type)                                                                                 \
    {                                                                                              \
        type v;                                                                                    \
        memcpy(&v, at, sizeof v);                                                                  \
        return (double)v;                                                                          \
    }

double rn_element(const struct rn_tensor *t, size_t i)
{
    const char *at = (const char *)t->data + i * rn_dtype_size(t->dtype);
    uint16_t bits;
    switch (t->dtype) {
    case RN_F64:
        READ(double)
    case RN_F32:
        READ(float)
    case RN_F16:
        memcpy(&bits, at, sizeof bits);
        return widen(bits, f16);
    case RN_BF16:
        memcpy(&bits, at, sizeof bits);
        return widen(bits, bf16);
    case RN_I64:
        READ(int64_t)
    case RN_I32:
        READ(int32_t)
    case RN_I16:
        READ(int16_t)
    case RN_I8:
        READ(int8_t)
    case RN_U64:
        READ(uint64_t)
    case RN_U32:
        READ(uint32_t)
    case RN_U16:
        READ(uint16_t)
    case RN_U8:
    case RN_BOOL:
        READ(uint8_t)
    }
    return NAN;
}

void rn_cast(void *to, enum rn_dtype type, const struct rn_tensor *from)
{
    size_t n = from->bytes / rn_dtype_size(from->dtype);
    for (size_t i = 0; i < n; i++) {
        double v = rn_element(from, i);
        if (type == RN_F64)
            ((double *)to)[i] = v;
        else if (type == RN_F32)
            ((float *)to)[i] = (float)v;
        else
            ((uint16_t *)to)[i] = narrow(v, type == RN_F16 ? f16 : bf16);
    }
}
