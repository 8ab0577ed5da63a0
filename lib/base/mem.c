/* Aligned memory on top of calloc(), which knows best when fresh pages are zero already. */
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"

enum {
    PAGE_HUGE = 2 << 20,
    BIG = 4 << 20 /* bytes from which huge pages pay */
};

/*
 * The block begins at the first multiple of `align` behind what calloc() gave; as that is aligned
 * for a pointer, one fits in front of the block, and rn_free() finds calloc's address there.
 */
void *rn_alloc(size_t count, size_t size)
{
    size_t n, room;
    if (!rn_mul(&n, count, size)) {
        rn_fail(RN_EMEM, "%zu times %zu bytes do not fit the address space", count, size);
        return NULL;
    }
    size_t align = n < BIG ? (size_t)RN_ALIGN : (size_t)PAGE_HUGE;
    n += n == 0; /* else the block could lie behind calloc's, where a leak detector does not look */
    char *raw = rn_add(&room, n, align) ? calloc(1, room) : NULL;
    if (!raw) {
        rn_fail(RN_EMEM, "memory is short: %zu bytes are not to be had", n);
        return NULL;
    }
    char *p = raw + (align - (uintptr_t)raw % align);
    if (n >= BIG)
        madvise(p, n, MADV_HUGEPAGE); /* a wish: without it pages are small */
    ((void **)p)[-1] = raw;
    return p;
}

void rn_free(void *p)
{
    if (p)
        free(((void **)p)[-1]);
}

char *rn_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = rn_alloc(n, 1);
    return copy ? memcpy(copy, s, n) : NULL;
}

void *rn_grow(void *block, size_t *room, size_t used, size_t n)
{
    if (n <= *room)
        return block;
    size_t twice, size = rn_mul(&twice, *room, 2) && twice > n ? twice : n;
    void *larger = rn_alloc(size, 1);
    if (!larger)
        return NULL;
    if (used)
        memcpy(larger, block, used);
    rn_free(block);
    *room = size;
    return larger;
}

int rn_array_grow(void *items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return 0;
    size_t more = 8;
    if (*room && !rn_mul(&more, *room, 2))
        return rn_fail(RN_EMEM, "an array of %zu items can't grow", *room);
    void *grown = rn_alloc(more, size), *old;
    if (!grown)
        return RN_EMEM;
    memcpy(&old, items, sizeof old); /* the caller's pointer has a type of its own */
    if (old) {
        memcpy(grown, old, count * size);
        rn_free(old);
    }
    memcpy(items, &grown, sizeof grown);
    *room = more;
    return 0;
}

int rn_arena_init(struct rn_arena *a, size_t size)
{
    *a = (struct rn_arena){ 0 };
    if (size > SIZE_MAX - RN_ALIGN)
        return rn_fail(RN_EMEM, "%zu bytes do not fit the address space", size);
    a->base = rn_alloc(rn_align(size), 1);
    if (!a->base)
        return RN_EMEM;
    a->size = rn_align(size);
    return 0;
}

void *rn_arena_take(struct rn_arena *a, size_t size)
{
    if (size > a->size - a->used) {
        rn_fail(RN_EMEM, "an arena of %zu bytes has %zu left, %zu were asked for", a->size,
                a->size - a->used, size);
        return NULL;
    }
    char *p = a->base + a->used;
    a->used += rn_align(size); /* within size, which is a multiple of RN_ALIGN */
    return p;
}

void rn_arena_release(struct rn_arena *a)
{
    rn_free(a->base);
    *a = (struct rn_arena){ 0 };
}
