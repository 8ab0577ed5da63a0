/* Outputs that are stored past the caches (RN_STREAM): policy, and how other threads see them. */
#ifndef RN_OPS_STREAM_H
#define RN_OPS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

/*
 * Is y, [pixels][C], so large that the caches lose it before it is read, and its pixels whole lines?
 * To write a line in the cache is to read it from memory first: of a copy, a third of the traffic.
 */
static inline bool rn_streams(const float *y, size_t pixels, size_t C)
{
    enum { FLOATS = 1 << 21 }; /* 8 MB: more than a second cache, less than a large third one */
    return pixels * C >= FLOATS && C % RN_LINE == 0 && (uintptr_t)y % (RN_LINE * sizeof *y) == 0;
}

/* What this thread has streamed is there for those it meets at a barrier after this. */
static inline void rn_fence(void)
{
#ifdef __SSE__
    __builtin_ia32_sfence();
#endif
}

#endif
