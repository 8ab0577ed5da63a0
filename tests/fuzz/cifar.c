/* Any bytes as a file of CIFAR's binary version: alone, and in a folder behind a good one. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIDE = 32, PIXELS = 3 * SIDE * SIDE, RECORD = 1 + PIXELS };

static volatile uint8_t sink;

/* A folder of two files: the first one is good, the second one is any. */
static char folder[] = "/tmp/rn-fuzz-XXXXXX", good[64], any[64];

/* What the second one is a link to: one file of memory serves every run. */
static int memory;

static void remove_folder(void)
{
    unlink(good);
    unlink(any);
    rmdir(folder);
}

static void put(int fd, const void *data, size_t size)
{
    if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
}

static void make_folder(void)
{
    static const uint8_t zeros[RECORD];
    char path[32];
    if (!mkdtemp(folder))
        abort();
    atexit(remove_folder);
    snprintf(good, sizeof good, "%s/data_batch_1.bin", folder);
    snprintf(any, sizeof any, "%s/data_batch_2.bin", folder);
    int fd = open(good, O_WRONLY | O_CREAT, 0600);
    put(fd, zeros, sizeof zeros);
    close(fd);
    memory = memfd_create("fuzz", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    if (symlink(path, any))
        abort();
}

static void read_all(const char *path, enum rn_part part)
{
    struct rn_source *s = NULL;
    struct rn_item it = { 0 };
    const struct rn_image *im = &it.image;
    if (rn_source_open(&s, path, part, RN_PART_TRAIN, NULL)) {
        if (!*rn_error() || strpbrk(rn_error(), "\n\r\x1b"))
            abort();
        return;
    }
    long n = rn_source_count(s);
    for (long i = 0; !strcmp(s->kind->name, "CIFAR") && i < n; i++) {
        int status = rn_source_read(s, i, &it); /* memory may be short */
        if (status == 1 && (im->H != SIDE || im->W != SIDE || im->C != 3 || it.label < 0 ||
                            it.label >= rn_source_classes(s)))
            abort();
        if (status == 1)
            sink ^= im->pixel[0] ^ im->pixel[PIXELS - 1];
    }
    sink ^= (uint8_t)rn_source_hash(s);
    rn_item_release(&it);
    rn_source_close(s);
}

/* What the bytes are taken for follows from how many records they are: both would be slow. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!*good)
        make_folder();
    put(memory, data, size);
    if (size / RECORD % 2)
        read_all(any, RN_PART_DEFAULT);
    else
        read_all(folder, RN_PART_TRAIN);
    return 0;
}
