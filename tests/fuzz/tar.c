/* Any bytes as a tar archive, from a file and from a pipe. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

static void read_all(const char *path)
{
    struct rn_source *s = NULL;
    struct rn_item it = { 0 };
    if (rn_source_open(&s, path, RN_PART_DEFAULT, RN_PART_TRAIN, NULL))
        return;
    bool tar = !strcmp(s->kind->name, "tar");
    for (long i = 0; tar && (rn_source_ready(s, 0), rn_source_read(s, i, &it)) == 1; i++) {
        if (!it.name || !strchr(it.name, '#') || !it.n || it.file)
            abort();
        sink ^= it.data[0] ^ it.data[it.n - 1];
    }
    rn_item_release(&it);
    rn_source_close(s);
}

static void as_pipe(const uint8_t *data, size_t size)
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
    read_all(path);
    close(end[0]);
}

/* One file of memory serves every run. Other kinds of data have programs of their own. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int memory = -1;
    char path[32];
    bool gzip = size > 2 && data[0] == 0x1f && data[1] == 0x8b;
    if (!gzip && (size < 262 || memcmp(data + 257, "ustar", 5)))
        return 0;
    if (memory < 0)
        memory = memfd_create("fuzz", MFD_CLOEXEC);
    if (memory < 0 || ftruncate(memory, 0) || pwrite(memory, data, size, 0) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    if (size % 2)
        as_pipe(data, size);
    else
        read_all(path);
    return 0;
}
