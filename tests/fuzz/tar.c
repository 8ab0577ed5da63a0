/* Any bytes as a tar archive, from a file and from a pipe, as pictures and as labelled samples. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

static void read_all(const char *path, bool labelled)
{
    struct rn_source *s = NULL;
    struct rn_item it = { 0 };
    if ((labelled ? rn_source_open_labelled : rn_source_open)(&s, path, RN_PART_DEFAULT,
                                                              RN_PART_TRAIN, NULL))
        return;
    bool tar = !strcmp(s->kind->name, labelled ? "samples" : "tar");
    for (long i = 0; tar && (rn_source_ready(s, 0), rn_source_read(s, i, &it)) == 1; i++) {
        if (!it.name || !strchr(it.name, '#') || !it.n != it.sparse || it.file)
            abort();
        if (labelled && (it.label < 0) != !rn_source_classes(s))
            abort();
        sink ^= it.n ? it.data[0] ^ it.data[it.n - 1] : 0;
    }
    rn_item_release(&it);
    rn_source_close(s);
}

static void as_pipe(const uint8_t *data, size_t size, bool labelled)
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
    read_all(path, labelled);
    close(end[0]);
}

/* One file of memory serves every run. Other kinds of data have programs of their own. What the
 * bytes are taken for follows from how many blocks and bytes they are: all four would be slow. */
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
    bool labelled = size / 512 % 2;
    if (size % 2)
        as_pipe(data, size, labelled);
    else
        read_all(path, labelled);
    return 0;
}
