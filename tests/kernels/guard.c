/* Memory that shows stray accesses: slots between pages that can't be touched. */
#include "guard.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLOTS = 128, SLOT = 1 << 18, BAND = 512, CANARY = 0xA5 };

static struct {
    unsigned char *base; /* of the slot; a guard page on both sides */
    unsigned char *p;    /* what is taken of it */
    size_t bytes;
} slot[SLOTS];

static int used;
static enum place place;

static unsigned char *new_slot(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *p = mmap(NULL, SLOT + 2 * page, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED || mprotect(p, page, PROT_NONE) ||
        mprotect(p + page + SLOT, page, PROT_NONE))
        abort();
    return p + page;
}

void guard_reset(enum place where)
{
    used = 0;
    place = where;
}

/* The canaries around slot i: from..p and p + bytes..to. */
static void band(int i, unsigned char **from, unsigned char **to)
{
    unsigned char *end = slot[i].base + SLOT;
    *from = slot[i].p - slot[i].base > BAND ? slot[i].p - BAND : slot[i].base;
    *to = end - slot[i].p - slot[i].bytes > BAND ? slot[i].p + slot[i].bytes + BAND : end;
}

void *guard_take(size_t bytes, size_t align)
{
    if (used == SLOTS || bytes > SLOT - 8192)
        abort();
    int i = used++;
    if (!slot[i].base)
        slot[i].base = new_slot();
    size_t offset = place == AT_START ? 0
                    : place == AT_END ? (SLOT - bytes) / align * align
                                      : 4096 + align;
    slot[i].p = slot[i].base + offset;
    slot[i].bytes = bytes;
    unsigned char *from, *to;
    band(i, &from, &to);
    memset(from, CANARY, (size_t)(to - from));
    return slot[i].p;
}

bool guard_intact(void)
{
    for (int i = 0; i < used; i++) {
        unsigned char *from, *to;
        band(i, &from, &to);
        for (unsigned char *p = from; p < to; p++) {
            if (p == slot[i].p) {
                p += slot[i].bytes;
                if (p == to)
                    break;
            }
            if (*p != CANARY)
                return false;
        }
    }
    return true;
}
