/* CIFAR data sets: files, folders, both layouts, names of classes, and how a file can be wrong. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "data/source.h"
#include "folder.h"
#include "tap.h"

enum { PIXELS = 3072 };

/* Byte i of the planes of picture `number`. */
static uint8_t value(int number, int i)
{
    return (uint8_t)((i * 7 + i / 1024 * 31 + number * 13) % 251);
}

/* A file of the pictures first, first + 1, ...; labels are the number modulo 10, and before it that
 * modulo 20 and 100 where there are two. `extra` bytes more or less. */
static const char *write_file(const char *name, int labels, int first, int count, int extra)
{
    size_t record = (size_t)(labels + PIXELS), n = (size_t)count * record;
    uint8_t *data = rn_alloc(n + 1, 1);
    for (int i = 0; i < count; i++) {
        uint8_t *p = data + (size_t)i * record;
        p[0] = (uint8_t)((first + i) % (labels == 2 ? 20 : 10));
        if (labels == 2)
            p[1] = (uint8_t)((first + i) % 100);
        for (int j = 0; j < PIXELS; j++)
            p[labels + j] = value(first + i, j);
    }
    const char *path = put(name, data, n + (size_t)extra);
    rn_free(data);
    return path;
}

/* Is picture `index` that of write_file()'s `number`, with that name and label? */
static bool is(struct rn_source *s, long index, int number, int label, const char *name)
{
    struct rn_item it = { 0 };
    bool right = rn_source_read(s, index, &it) == 1 && it.label == label && it.image.H == 32 &&
                 it.image.W == 32 && it.image.C == 3 && !strcmp(it.name, name);
    for (int y = 0; right && y < 32; y++)
        for (int x = 0; x < 32; x++)
            for (int k = 0; k < 3; k++)
                right &=
                    it.image.pixel[(y * 32 + x) * 3 + k] == value(number, k * 1024 + y * 32 + x);
    rn_item_release(&it);
    return right;
}

static struct rn_source *opened(const char *path, enum rn_part part)
{
    struct rn_source *s = NULL;
    int status = rn_source_open(&s, path, part, RN_PART_TRAIN, NULL);
    ok(!status, "%s opens%s%s", path, status ? ": " : "", status ? rn_error() : "");
    return s;
}

static void bad(const char *path, int status, const char *word)
{
    struct rn_source *s = NULL;
    ok(rn_source_open(&s, path, RN_PART_DEFAULT, RN_PART_TRAIN, NULL) == status &&
           strstr(rn_error(), path) && strstr(rn_error(), word),
       "refused: %s", rn_error());
    rn_source_close(s);
}

static void test_file(void)
{
    struct rn_source *s = opened(write_file("x.bin", 1, 5, 12, 0), RN_PART_DEFAULT);
    struct rn_item it = { 0 };
    char name[160];
    snprintf(name, sizeof name, "%s#11", in_dir("x.bin"));
    ok(s && rn_source_count(s) == 12 && rn_source_classes(s) == 10 && s->random &&
           !strcmp(rn_source_class(s, 9), "9"),
       "12 pictures of 10 classes without names");
    ok(s && is(s, 11, 16, 6, name) && rn_source_read(s, 12, &it) == 0, "the last picture");
    ok(s && s->C == 3 && s->H == 32 && s->W == 32, "of 32x32x3");
    rn_item_release(&it);
    rn_source_close(s);
    s = opened(write_file("y.bin", 2, 90, 12, 0), RN_PART_DEFAULT);
    snprintf(name, sizeof name, "%s#3", in_dir("y.bin"));
    ok(s && rn_source_classes(s) == 100 && is(s, 3, 93, 93, name), "CIFAR-100: the fine label");
    rn_source_close(s);
}

/* 3074 records of CIFAR-10 are as large as 3073 of CIFAR-100. */
static void test_both_sizes(void)
{
    struct rn_source *s = opened(write_file("ten.bin", 1, 0, 3074, 0), RN_PART_DEFAULT);
    ok(s && rn_source_count(s) == 3074 && rn_source_classes(s) == 10, "told as CIFAR-10");
    rn_source_close(s);
    s = opened(write_file("hundred.bin", 2, 0, 3073, 0), RN_PART_DEFAULT);
    ok(s && rn_source_count(s) == 3073 && rn_source_classes(s) == 100, "told as CIFAR-100");
    rn_source_close(s);
    unlink(in_dir("ten.bin"));
    unlink(in_dir("hundred.bin"));
}

static void test_folder(void)
{
    static const char names[] = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\n"
                                "truck\n\n"; /* as it is published, with an empty line */
    mkdir(in_dir("ten"), 0700);
    write_file("ten/data_batch_1.bin", 1, 0, 7, 0);
    write_file("ten/data_batch_2.bin", 1, 7, 4, 0);
    write_file("ten/data_batch_3.bin", 1, 11, 1, 0);
    struct rn_source *s = NULL;
    ok(rn_source_open(&s, in_dir("ten"), RN_PART_TEST, RN_PART_TRAIN, NULL) == RN_EUSAGE,
       "no test part: %s", rn_error());
    write_file("ten/test_batch.bin", 1, 50, 3, 0);
    put("ten/batches.meta.txt", names, sizeof names - 1);
    ok(rn_source_has_part(in_dir("ten"), RN_PART_TRAIN) &&
           rn_source_has_part(in_dir("ten"), RN_PART_TEST),
       "both parts are there");
    s = opened(in_dir("ten"), RN_PART_DEFAULT);
    char name[160];
    ok(s && rn_source_count(s) == 12 && rn_source_classes(s) == 10 && !s->numbered &&
           !strcmp(rn_source_class(s, 9), "truck"),
       "three batches, classes with names");
    snprintf(name, sizeof name, "%s#0", in_dir("ten/data_batch_2.bin"));
    ok(s && is(s, 7, 7, 7, name), "the first picture of the second batch");
    snprintf(name, sizeof name, "%s#6", in_dir("ten/data_batch_1.bin"));
    ok(s && is(s, 6, 6, 6, name), "the last one of the first");
    snprintf(name, sizeof name, "%s#0", in_dir("ten/data_batch_3.bin"));
    ok(s && is(s, 11, 11, 1, name), "the last one of all");
    rn_source_close(s);
    s = opened(in_dir("ten"), RN_PART_TEST);
    snprintf(name, sizeof name, "%s#2", in_dir("ten/test_batch.bin"));
    ok(s && rn_source_count(s) == 3 && is(s, 2, 52, 2, name), "the test part");
    rn_source_close(s);
    s = opened(in_dir("ten/test_batch.bin"), RN_PART_DEFAULT);
    ok(s && rn_source_count(s) == 3 && !strcmp(rn_source_class(s, 0), "airplane"),
       "one file of it has the names too");
    rn_source_close(s);
    write_file("ten/data_batch_2.bin", 2, 7, 4, 0);
    bad(in_dir("ten"), RN_EFORMAT, "12296 bytes are no multiple of 3073");
    put("ten/data_batch_2.bin", "", 0);
    bad(in_dir("ten"), RN_EFORMAT, "0 bytes are no multiple of 3073");
    write_file("ten/data_batch_2.bin", 1, 7, 4, 0);
    put("ten/batches.meta.txt", "a\nb\n\n", 5);
    bad(in_dir("ten"), RN_EFORMAT, "names 2 classes");
}

static void test_hundred(void)
{
    mkdir(in_dir("hundred"), 0700);
    write_file("hundred/train.bin", 2, 0, 5, 0);
    bad(in_dir("hundred"), RN_EFORMAT, "no pictures in the folder");
    write_file("hundred/test.bin", 2, 40, 2, 0);
    struct rn_source *s = opened(in_dir("hundred"), RN_PART_TEST);
    char name[160];
    snprintf(name, sizeof name, "%s#1", in_dir("hundred/test.bin"));
    ok(s && rn_source_classes(s) == 100 && rn_source_count(s) == 2 && is(s, 1, 41, 41, name),
       "the folder of CIFAR-100");
    rn_source_close(s);
}

static void test_broken(void)
{
    char two[] = "\x01.", text[] = "\x7fthis is another kind of file";
    bad(write_file("odd.bin", 1, 0, 2, 1), RN_EFORMAT, "6147 bytes are no multiple");
    bad(write_file("odd.bin", 1, 0, 2, -1), RN_EFORMAT, "6145 bytes are no multiple");
    bad(put("odd.bin", two, 2), RN_EFORMAT, "2 bytes are no multiple");
    bad(put("odd.bin", "", 0), RN_EFORMAT, "is empty");
    bad(put("odd.bin", text, sizeof text), RN_EFORMAT, "no data set");
    uint8_t *data = rn_alloc(3, PIXELS + 1);
    data[2 * (PIXELS + 1)] = 10;
    bad(put("odd.bin", data, 3 * (PIXELS + 1)), RN_EFORMAT, "picture 2 has no label of CIFAR-10");
    bad(put("odd.dat", data, PIXELS + 1), RN_EFORMAT, "no data set");
    rn_free(data);
}

int main(void)
{
    folder_make("cifar");
    test_file();
    test_both_sizes();
    test_folder();
    test_hundred();
    test_broken();
    ok(folder_remove(), "the temporary folder is gone");
    return done();
}
