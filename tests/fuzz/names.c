/* Any bytes as a list of names, ended by newlines or by NULs: read whole, and as it comes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

static void read_all(const char *path, bool null, bool whole)
{
    struct rn_source *s = NULL;
    struct rn_item it = { 0 };
    if (rn_source_open_names(&s, path, null, whole)) {
        if (!*rn_error() || strpbrk(rn_error(), "\n\r\x1b"))
            abort();
        return;
    }
    for (long i = 0; (rn_source_ready(s, 0), rn_source_read(s, i, &it)) == 1; i++) {
        if (!it.name || !it.file || it.label >= rn_source_classes(s) ||
            (!null && strpbrk(it.name, "\n\t")))
            abort();
        sink ^= (uint8_t)it.name[0];
    }
    rn_item_release(&it);
    sink ^= whole ? (uint8_t)rn_source_hash(s) : 0;
    rn_source_close(s);
}

static void as_pipe(const uint8_t *data, size_t size, bool null)
{
    enum { PIPE_HOLDS = 65536 };
    int end[2];
    char path[32];
    if (size > PIPE_HOLDS || pipe(end))
        return;
    if (write(end[1], data, size) != (ssize_t)size)
        abort();
    close(end[1]);
    snprintf(path, sizeof path, "/proc/self/fd/%d", end[0]);
    read_all(path, null, false);
    close(end[0]);
}

/* One file of memory serves every run. What the bytes are taken for follows from how many they are:
 * all four would be slow. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int memory = -1;
    char path[32];
    bool null = size / 2 % 2;
    if (size % 2) {
        as_pipe(data, size, null);
        return 0;
    }
    if (memory < 0)
        memory = memfd_create("fuzz", MFD_CLOEXEC);
    if (memory < 0 || ftruncate(memory, 0) || pwrite(memory, data, size, 0) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    read_all(path, null, true);
    return 0;
}
