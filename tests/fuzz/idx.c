/* Any bytes as an IDX file, as one from a pipe, as a file of labels and as one of class names. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

/* Opens and reads everything. */
static void read_all(const char *path, const char *labels)
{
    struct rn_source *s = NULL;
    struct rn_item it = { 0 };
    const struct rn_image *im = &it.image;
    if (rn_source_open(&s, path, RN_PART_DEFAULT, RN_PART_TRAIN, labels)) {
        if (!*rn_error() || strpbrk(rn_error(), "\n\r\x1b"))
            abort();
        return;
    }
    for (long i = 0; rn_source_read(s, i, &it) == 1; i++) {
        if (im->pixel)
            sink ^= im->pixel[0] ^ im->pixel[(size_t)im->H * (size_t)im->W * (size_t)im->C - 1];
        if (it.label >= rn_source_classes(s))
            abort();
    }
    rn_item_release(&it);
    sink ^= (uint8_t)rn_source_hash(s);
    rn_source_close(s);
}

/* One file of memory serves every run; opened by its path, it is a file like others. */
static int memory = -1;
static char memory_path[32];

static void put(int fd, const void *data, size_t size)
{
    if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
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
    read_all(path, NULL);
    close(end[0]);
}

/* Two data sets of two pictures: the labels of one are the file of memory, those of the other
 * are good. */
static char folder[] = "/tmp/rn-fuzz-XXXXXX", good[64], broken[64];

static void remove_folder(void)
{
    char path[64];
    unlink(good);
    unlink(broken);
    snprintf(path, sizeof path, "%s/good-labels-idx1", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/broken-labels-idx1", folder);
    unlink(path);
    rmdir(folder);
}

static void write_file(const char *path, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        abort();
    put(fd, data, size);
    close(fd);
}

static void make_files(void)
{
    static const uint8_t pictures[16 + 2] = { 0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1 };
    static const uint8_t labels[8 + 2] = { 0, 0, 8, 1, 0, 0, 0, 2, 0, 1 };
    char path[64];
    memory = memfd_create("fuzz", MFD_CLOEXEC);
    snprintf(memory_path, sizeof memory_path, "/proc/self/fd/%d", memory);
    if (memory < 0 || !mkdtemp(folder))
        abort();
    atexit(remove_folder);
    snprintf(good, sizeof good, "%s/good-images-idx3", folder);
    snprintf(broken, sizeof broken, "%s/broken-images-idx3", folder);
    write_file(good, pictures, sizeof pictures);
    write_file(broken, pictures, sizeof pictures);
    snprintf(path, sizeof path, "%s/good-labels-idx1", folder);
    write_file(path, labels, sizeof labels);
    snprintf(path, sizeof path, "%s/broken-labels-idx1", folder);
    if (symlink(memory_path, path))
        abort();
}

/* What the bytes are taken for follows from how many they are: all four would be slow. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (memory < 0)
        make_files();
    if (size % 4 == 1) {
        as_pipe(data, size);
        return 0;
    }
    put(memory, data, size);
    switch (size % 4) {
    case 0:
        read_all(memory_path, NULL);
        break;
    case 2:
        read_all(broken, NULL);
        break;
    case 3:
        read_all(good, memory_path);
        break;
    }
    return 0;
}
