/* Memory: 64-byte aligned blocks, arenas of many tensors in one allocation, sizes checked for
 * overflow. */
#ifndef RN_BASE_MEM_H
#define RN_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

enum { RN_ALIGN = 64 };

/* *r = a * b or a + b. Returns false, and leaves *r alone, when the result does not fit a size_t.
 */
static inline bool rn_mul(size_t *r, size_t a, size_t b)
{
    size_t v;
    return !__builtin_mul_overflow(a, b, &v) && (*r = v, true);
}

static inline bool rn_add(size_t *r, size_t a, size_t b)
{
    size_t v;
    return !__builtin_add_overflow(a, b, &v) && (*r = v, true);
}

/* n rounded up to a multiple of RN_ALIGN; n must not be within RN_ALIGN of SIZE_MAX. */
static inline size_t rn_align(size_t n)
{
    return (n + RN_ALIGN - 1) & ~(size_t)(RN_ALIGN - 1);
}

/* a / b, rounded up. */
static inline size_t rn_divide_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

/*
 * `count` zeroed items of `size` bytes, 64-byte aligned; from 4 MiB on aligned to 2 MiB and offered
 * to the kernel as huge pages. Never NULL for 0 items. Returns NULL with rn_error() set when the
 * size overflows or memory is short. The caller frees with rn_free(), which accepts NULL.
 */
void *rn_alloc(size_t count, size_t size);
void rn_free(void *p);

/* A copy of s, or NULL with rn_error() set. The caller frees with rn_free(). */
char *rn_strdup(const char *s);

/*
 * rn_array_grow(): makes room for one more item in an array that grows by doubling.
 *   items in/out  the array, NULL at first      count in  items in use
 *   room  in/out  items allocated               size  in  bytes of an item
 * Returns 0 or RN_EMEM; on error the array is as it was. New items are zero.
 */
int rn_array_grow(void *items, size_t count, size_t *room, size_t size);

/*
 * A block of bytes that grows, at least to twice its size: room for n in all.
 *   block  in      NULL at first          room  in/out  bytes allocated
 *   used   in      bytes that stay
 * Returns the block, or a larger one in its place, or NULL, and then it is as it was.
 */
void *rn_grow(void *block, size_t *room, size_t used, size_t n);

/* One allocation that many tensors are taken from, in order. */
struct rn_arena {
    char *base;  /* NULL when empty */
    size_t size; /* bytes */
    size_t used; /* bytes, a multiple of RN_ALIGN */
};

int rn_arena_init(struct rn_arena *a, size_t size); /* zeroed; Returns 0 or RN_EMEM */
void *rn_arena_take(struct rn_arena *a,
                    size_t size); /* 64-byte aligned; NULL with rn_error() set when it is full */
void rn_arena_release(struct rn_arena *a);

#endif
