/*
 * Vectors of floats in the extensions of GCC and clang, as wide as the instruction set has them.
 * The Makefile compiles each file of this folder once per set and says VB, the bytes of a vector,
 * and RN_SUFFIX, the set's name; the few intrinsics hide here. A function is static inline or
 * carries the suffix: a plain one that the linker keeps for all would need the widest set.
 */
#ifndef RN_KERNELS_VEC_H
#define RN_KERNELS_VEC_H

#include "kernels/kernels.h"

/* MR rows by NV vectors of columns are a tile: these accumulators, a row of weights and a broadcast
 * fill the registers, 16 or 32, and keep two multiply-add pipes busy. */
#if defined __x86_64__ || defined __i386__
#include <immintrin.h>
enum { MR = VB == 64 ? 12 : 6 };
#elif defined __aarch64__
#include <arm_neon.h>
enum { MR = 8 };
#endif

enum {
    VL = VB / 4, /* lanes */
    NV = 2,
    NR = NV * VL,
    MR_NARROW = MR == 12 || MR == 8 ? 16 : 12, /* rows of a tile one vector wide, the same way */
    ROWS_MAX = 12                              /* the largest MR of all sets */
};

#define RN_PASTE(name, suffix) name##_##suffix
#define RN_EXPAND(name, suffix) RN_PASTE(name, suffix)
#define RN_ISA(name) RN_EXPAND(name, RN_SUFFIX)

rn_igemm_fn RN_ISA(rn_igemm);
rn_igemm_sparse_fn RN_ISA(rn_igemm_sparse);
rn_group_fn RN_ISA(rn_group);
rn_group_grad_fn RN_ISA(rn_group_grad);
rn_outer_fn RN_ISA(rn_outer);
rn_outer_narrow_fn RN_ISA(rn_outer_narrow);
rn_gemm_fn RN_ISA(rn_gemm);
rn_cut_fn RN_ISA(rn_cut);
rn_relu_fn RN_ISA(rn_relu);
rn_add_fn RN_ISA(rn_add);
rn_relu_grad_fn RN_ISA(rn_relu_grad);
rn_affine_fn RN_ISA(rn_affine);
rn_bn_sums_fn RN_ISA(rn_bn_sums);
rn_bn_grad_sums_fn RN_ISA(rn_bn_grad_sums);
rn_bn_grad_fn RN_ISA(rn_bn_grad);
rn_maxpool_fn RN_ISA(rn_maxpool);
rn_colsum_fn RN_ISA(rn_colsum);
rn_wino_input_fn RN_ISA(rn_wino2_input), RN_ISA(rn_wino3_input), RN_ISA(rn_wino4_input);
rn_wino_filter_fn RN_ISA(rn_wino2_filter), RN_ISA(rn_wino3_filter), RN_ISA(rn_wino4_filter);
rn_wino_output_fn RN_ISA(rn_wino2_output), RN_ISA(rn_wino3_output), RN_ISA(rn_wino4_output);
rn_wino_output_grad_fn RN_ISA(rn_wino2_output_grad), RN_ISA(rn_wino3_output_grad),
    RN_ISA(rn_wino4_output_grad);
rn_wino_filter_grad_fn RN_ISA(rn_wino2_filter_grad), RN_ISA(rn_wino3_filter_grad),
    RN_ISA(rn_wino4_filter_grad);
rn_sgd_fn RN_ISA(rn_sgd);
rn_peak_fn RN_ISA(rn_peak);
rn_read_fn RN_ISA(rn_read);

/* A function whose sizes are constants at each place that calls it. */
#define TEMPLATE static inline __attribute__((always_inline))

/* For tables of functions, one for each number of rows: f(1) f(2) ..., and a row of their names. */
#define EACH_ROWS(f) f(1) f(2) f(3) f(4) f(5) f(6) f(7) f(8) f(9) f(10) f(11) f(12)
#define NAMES(f)                                                                                   \
    {                                                                                              \
        f##_1, f##_2, f##_3, f##_4, f##_5, f##_6, f##_7, f##_8, f##_9, f##_10, f##_11, f##_12      \
    }

/* Before a loop over constant sizes: vectors in arrays get registers only when it is gone. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

typedef float vf __attribute__((vector_size(VB), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(VB), aligned(4), may_alias)); /* 0 or -1: a mask */
typedef uint8_t vb __attribute__((vector_size(VL), aligned(1), may_alias));

/* How many lanes the vector at the head of `left` elements uses. */
static inline size_t lanes(size_t left)
{
    return left < VL ? left : VL;
}

static inline vf vload(const float *p)
{
    return *(const vf *)p;
}

static inline void vstore(float *p, vf v)
{
    *(vf *)p = v;
}

/* v in a register, where there are 32 of them: compilers like to load it anew at each use, until
 * loads are the limit. */
static inline vf vhold(vf v)
{
#if VB == 64
    __asm__("" : "+v"(v));
#elif defined __aarch64__
    __asm__("" : "+w"(v));
#endif
    return v;
}

static inline vf vsplat(float f)
{
    return f - (vf){ 0 };
}

#if VB == 64
#define SWAPPED(s)                                                                                 \
    0 ^ s, 1 ^ s, 2 ^ s, 3 ^ s, 4 ^ s, 5 ^ s, 6 ^ s, 7 ^ s, 8 ^ s, 9 ^ s, 10 ^ s, 11 ^ s, 12 ^ s,  \
        13 ^ s, 14 ^ s, 15 ^ s
#elif VB == 32
#define SWAPPED(s) 0 ^ s, 1 ^ s, 2 ^ s, 3 ^ s, 4 ^ s, 5 ^ s, 6 ^ s, 7 ^ s
#else
#define SWAPPED(s) 0 ^ s, 1 ^ s, 2 ^ s, 3 ^ s
#endif

/* Lanes k and k ^ span change places; span is 1, 2, 4 or 8, less than VL, and constant. */
TEMPLATE vf vswap(vf v, const size_t span)
{
    if (span == 1)
        return __builtin_shufflevector(v, v, SWAPPED(1));
    if (span == 2)
        return __builtin_shufflevector(v, v, SWAPPED(2));
    if (span == 4)
        return __builtin_shufflevector(v, v, SWAPPED(4));
    return __builtin_shufflevector(v, v, SWAPPED(8 % VL));
}

#if VB == 32
/* A mask of the first n lanes. */
static inline __m256i vmask(size_t n)
{
    static const int32_t edge[2 * VL] = { -1, -1, -1, -1, -1, -1, -1, -1 };
    return *(const __m256i_u *)(edge + VL - n);
}
#endif

/* n lanes, from 1 to VL; the rest is zero, and nothing behind them is touched. */
static inline vf vload_n(const float *p, size_t n)
{
    if (n == VL)
        return vload(p);
#if VB == 64
    return (vf)_mm512_maskz_loadu_ps((__mmask16)((1U << n) - 1), p);
#elif VB == 32
    return (vf)_mm256_maskload_ps(p, vmask(n));
#else
    return (vf){ p[0], n > 1 ? p[1] : 0, n > 2 ? p[2] : 0 };
#endif
}

static inline void vstore_n(float *p, vf v, size_t n)
{
    if (n == VL) {
        vstore(p, v);
        return;
    }
#if VB == 64
    _mm512_mask_storeu_ps(p, (__mmask16)((1U << n) - 1), (__m512)v);
#elif VB == 32
    _mm256_maskstore_ps(p, vmask(n), (__m256)v);
#else
    p[0] = v[0];
    if (n > 1)
        p[1] = v[1];
    if (n > 2)
        p[2] = v[2];
#endif
}

/* Past the caches, where the instruction set can: p is aligned to a vector. */
static inline void vstream(float *p, vf v)
{
#if VB == 64
    _mm512_stream_ps(p, (__m512)v);
#elif VB == 32
    _mm256_stream_ps(p, (__m256)v);
#elif defined __SSE__
    _mm_stream_ps(p, (__m128)v);
#else
    vstore(p, v);
#endif
}

/* vstore_n() or, where `stream`, vstream() of a whole vector. */
static inline void vput(float *p, vf v, size_t n, bool stream)
{
    if (stream && n == VL)
        vstream(p, v);
    else
        vstore_n(p, v, n);
}

/* n lanes as bytes. */
static inline void vstore_bytes(uint8_t *p, vi v, size_t n)
{
    vb b = __builtin_convertvector(v, vb);
    if (n == VL) {
        *(vb *)p = b;
        return;
    }
    for (size_t i = 0; i < n; i++)
        p[i] = b[i];
}

/* a * b + c, rounded once where the instruction set can. */
static inline vf vfma(vf a, vf b, vf c)
{
#if VB == 64
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif VB == 32
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined __aarch64__
    return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}

/* Where the mask is set a, else b. */
static inline vf vselect(vi mask, vf a, vf b)
{
    return (vf)((mask & (vi)a) | (~mask & (vi)b));
}

static inline vi vselect_int(vi mask, vi a, vi b)
{
    return (mask & a) | (~mask & b);
}

/* Zero where the mask is set, else v: NaN, which compares with nothing, stays. */
static inline vf vclear(vi mask, vf v)
{
    return (vf)(~mask & (vi)v);
}

static inline vf vrelu(vf v)
{
    return vclear(v <= 0, v);
}

#endif
