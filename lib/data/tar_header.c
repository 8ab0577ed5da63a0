/* Headers of tar archives: POSIX.1-1988 (ustar), GNU's large numbers and sparse files. */
#include "data/tar_header.h"

#include <stdio.h>
#include <string.h>

/* Offsets and sizes of fields. */
enum {
    NAME = 0,
    NAME_SIZE = 100,
    SIZE = 124,
    NUMBER = 12,
    SUM = 148,
    SUM_SIZE = 8,
    TYPE = 156,
    USTAR = 257,
    PREFIX = 345,
    PREFIX_SIZE = 155,
    HOLES = 482,     /* in a header: not 0 where a block about holes follows */
    MORE_HOLES = 504 /* in such a block: the same */
};

/* Octal digits, or, where the first bit is set, a big-endian number. */
static uint64_t number(const uint8_t *p, int n)
{
    uint64_t v = 0;
    if (*p & 0x80) {
        for (int i = 1; i < n; i++)
            v = v >> 55 ? UINT64_MAX >> 1 : v << 8 | p[i];
        return v;
    }
    for (int i = 0; i < n && (p[i] == ' ' || (p[i] >= '0' && p[i] <= '7')); i++)
        v = p[i] == ' ' ? v : v << 3 | (uint64_t)(p[i] - '0');
    return v;
}

static bool sum_right(const uint8_t *p)
{
    uint64_t sum = 0;
    for (int i = 0; i < RN_TAR_BLOCK; i++)
        sum += i >= SUM && i < SUM + SUM_SIZE ? ' ' : p[i];
    return sum == number(p + SUM, SUM_SIZE);
}

bool rn_tar_block_zero(const uint8_t *block)
{
    return !*block && !memcmp(block, block + 1, RN_TAR_BLOCK - 1);
}

bool rn_tar_block_more_holes(const uint8_t *block)
{
    return block[MORE_HOLES];
}

bool rn_tar_header_read(struct rn_tar_header *h, const uint8_t *block)
{
    if (!sum_right(block))
        return false;
    const char *name = (const char *)block + NAME, *prefix = (const char *)block + PREFIX;
    bool posix = !memcmp(block + USTAR, "ustar", 6); /* GNU's has a space there, no prefix */
    int n = posix ? (int)strnlen(prefix, PREFIX_SIZE) : 0;
    snprintf(h->name, sizeof h->name, "%.*s%s%.*s", n, prefix, n ? "/" : "", NAME_SIZE, name);
    h->type = block[TYPE] ? (char)block[TYPE] : '0';
    h->size = number(block + SIZE, NUMBER);
    h->holes = h->type == 'S' && block[HOLES];
    return true;
}
