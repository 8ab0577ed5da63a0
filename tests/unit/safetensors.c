/*
 * safetensors: what is written is read again, byte for byte; every way to be invalid is refused
 * with one sentence; any damage is found by rn.hash.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "tap.h"
#include "weights/format.h"
#include "weights/modelfile.h"

static char folder[] = "/tmp/rn-safetensors-XXXXXX";
static char path[64], other[64];

static void put(const char *to, const void *bytes, size_t n)
{
    FILE *f = fopen(to, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f)) {
        perror(to);
        exit(1);
    }
}

/* Opens and closes `path`. */
static int try(void)
{
    struct rn_weights *w;
    int status = rn_weights_open(&w, path);
    if (!status)
        rn_weights_close(w);
    return status;
}

/* Writes a file of `header`, a header length, and `data` zero bytes. */
static void put_file(const char *header, uint64_t length, size_t data)
{
    size_t n = strlen(header);
    char *bytes = calloc(1, 8 + n + data);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, n);
    put(path, bytes, 8 + n + data);
    free(bytes);
}

static const struct {
    const char *what, *header;
    size_t data;
} valid[] = {
    { "no tensors", "{}", 0 },
    { "only metadata", "{\"__metadata__\":{\"format\":\"pt\"}}", 0 },
    { "padding", "{}      ", 0 },
    { "a scalar", "{\"a\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]}}", 8 },
    { "rank 8", "{\"a\":{\"dtype\":\"I8\",\"shape\":[1,1,1,1,1,1,1,2],\"data_offsets\":[0,2]}}",
      2 },
    { "an empty tensor", "{\"a\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[0,0]}}", 0 },
    { "header order unlike data order",
      "{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]},"
      "\"a\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1]}}",
      3 },
    { "escapes", "{\"\\u00e9\\n\":{\"data_offsets\":[0,2],\"dtype\":\"BF16\",\"shape\":[1]}}", 2 },
};

/* One tensor `a`, one after it `b`. */
#define A(dtype, shape, offsets)                                                                   \
    "{\"a\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define AB(offsets_a, offsets_b)                                                                   \
    "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" offsets_a "},"                      \
    "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" offsets_b "}}"

static const struct {
    const char *what, *header;
    size_t data;
    const char *says; /* in the sentence */
} invalid[] = {
    { "no JSON", "{\"a\":}", 0, "JSON" },
    { "something behind the header", "{} x", 0, "brace" },
    { "a newline behind the header", "{}\n", 0, "brace" },
    { "two objects", "{}{}", 0, "JSON" },
    { "a duplicate key", "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "duplicate" },
    { "a duplicate metadata key", "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "duplicate" },
    { "a duplicate tensor key", "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", 0, "duplicate" },
    { "bytes that are no UTF-8", "{\"__metadata__\":{\"k\":\"\xff\"}}", 0, "JSON" },
    { "metadata that are no object", "{\"__metadata__\":[]}", 0, "__metadata__" },
    { "metadata that are no string", "{\"__metadata__\":{\"key\":1}}", 0, "key" },
    { "a tensor that is no object", "{\"a\":1}", 0, "tensor a" },
    { "no dtype", "{\"a\":{\"shape\":[],\"data_offsets\":[0,1]}}", 1, "tensor a" },
    { "no shape", "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "tensor a" },
    { "no data_offsets", "{\"a\":{\"dtype\":\"U8\",\"shape\":[]}}", 1, "tensor a" },
    { "one more key", A("\"U8\"", "[]", "[0,1],\"x\":0"), 1, "tensor a" },
    { "unknown dtype", A("\"F33\"", "[]", "[0,4]"), 4, "F33" },
    { "dtype of another case", A("\"u8\"", "[]", "[0,1]"), 1, "dtype u8" },
    { "dtype that is no string", A("8", "[]", "[0,1]"), 1, "tensor a" },
    { "negative dimension", A("\"U8\"", "[-1]", "[0,1]"), 1, "dimension 0" },
    { "fractional dimension", A("\"U8\"", "[1,1.0]", "[0,1]"), 1, "dimension 1" },
    { "dimension as string", A("\"U8\"", "[\"1\"]", "[0,1]"), 1, "dimension 0" },
    { "rank 9", A("\"U8\"", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, "9 dimensions" },
    { "overflow", A("\"F32\"", "[4611686018427387904,1]", "[0,0]"), 0, "overflow" },
    { "overflow times zero", A("\"F32\"", "[4294967296,4294967296,0]", "[0,0]"), 0, "overflow" },
    { "a number past 2^63", A("\"U8\"", "[9223372036854775808]", "[0,0]"), 0, "JSON" },
    { "three offsets", A("\"U8\"", "[1]", "[0,1,1]"), 1, "tensor a" },
    { "negative offset", A("\"U8\"", "[1]", "[-1,0]"), 1, "range" },
    { "offsets backwards", A("\"U8\"", "[1]", "[1,0]"), 1, "range" },
    { "offsets unlike the shape", A("\"F32\"", "[2]", "[0,4]"), 4, "needs 8 bytes, has 4" },
    { "more data than the shape", A("\"U8\"", "[1]", "[0,2]"), 2, "needs 1 bytes, has 2" },
    { "a hole at the start", A("\"U8\"", "[1]", "[1,2]"), 2, "tensor a" },
    { "a hole", AB("[0,4]", "[5,9]"), 9, "tensor b" },
    { "an overlap", AB("[0,4]", "[3,7]"), 7, "tensor b" },
    { "the same data twice", AB("[0,4]", "[0,4]"), 4, "tensor b" },
    { "truncated data", AB("[0,4]", "[4,8]"), 7, "truncated: tensor b" },
    { "bytes behind the data", AB("[0,4]", "[4,8]"), 9, "1 bytes behind" },
    { "bytes behind no tensors", "{}", 5, "5 bytes behind" },
    { "an empty tensor past the end", A("\"U8\"", "[0]", "[9,9]"), 0, "tensor a" },
    { "rn.spec without rn.hash", "{\"__metadata__\":{\"rn.spec\":\"resnet18\"}}", 0, "no rn.hash" },
    { "rn.hash that is none", "{\"__metadata__\":{\"rn.hash\":\"x\"}}", 0, "damaged" },
};

static void test_tables(void)
{
    for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++) {
        put_file(valid[i].header, strlen(valid[i].header), valid[i].data);
        int status = try();
        ok(status == 0, "valid: %s%s%s", valid[i].what, status ? ": " : "",
           status ? rn_error() : "");
    }
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        put_file(invalid[i].header, strlen(invalid[i].header), invalid[i].data);
        int status = try();
        const char *e = rn_error();
        ok(status == RN_EFORMAT && strstr(e, invalid[i].says) && !strncmp(e, path, strlen(path)) &&
               !strchr(e, '\n'),
           "invalid: %s: %s", invalid[i].what, status ? e : "accepted");
    }
}

static void test_lengths(void)
{
    static const struct {
        const char *what;
        uint64_t length;
        const char *says;
    } lengths[] = {
        { "header past the end", 3, "truncated" },
        { "header shorter than said", 1, "brace" },
        { "header over 100 MB", 100000001, "limit" },
        { "header of 2^64 - 1 bytes", UINT64_MAX, "limit" },
        { "no header", 0, "brace" },
    };
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        put_file("{}", lengths[i].length, 0);
        int status = try();
        ok(status == RN_EFORMAT && strstr(rn_error(), lengths[i].says), "invalid: %s: %s",
           lengths[i].what, status ? rn_error() : "accepted");
    }
}

static void test_strangers(void)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *says;
    } strangers[] = {
        { "", 0, "empty" },
        { "\x02\0\0\0\0\0\0\0", 8, "not a weight file" },
        { "PK\3\4\0\0\0\0\0\0", 10, "zip" },
        { "<!DOCTYPE html>", 15, "web page" },
        { "version https://git-lfs.github.com/spec/v1\n", 43, "git LFS" },
        { "\x1f\x8b\x08\0", 4, "gzip" },
        { "\x89PNG\r\n\x1a\n", 8, "PNG" },
        { "\x89HDF\r\n\x1a\n", 8, "HDF5" },
        { "P", 1, "not a weight file" },
    };
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
        put(path, strangers[i].bytes, strangers[i].n);
        int status = try();
        ok(status == RN_EFORMAT && strstr(rn_error(), strangers[i].says), "stranger: %s",
           status ? rn_error() : "accepted");
    }
    struct rn_weights *w;
    ok(rn_weights_open(&w, "/nonexistent/file") == RN_EIO && !w, "no file is RN_EIO");
    ok(rn_weights_open(&w, folder) == RN_EIO && !w, "a folder is RN_EIO");
}

static const float floats[6] = { 1, -0.0f, 3e-45f, 4, 5, 6 };
static const int64_t steps[1] = { 7 };
static const uint8_t mask[3] = { 1, 0, 1 };

/* Of what gather() gathers, by an independent program. */
#define HASH                                                                                       \
    "aa09b082058408bd 2d06800538d394c2 aed946681f85b77a "                                          \
    "81671e58d6b596af 085a623a2e22d319"

/* Four tensors and three keys, given out of order. */
static void gather(struct rn_weights *w)
{
    *w = (struct rn_weights){ 0 };
    int status = rn_gather_meta(w, "rn.spec", "x");
    status |= rn_gather_meta(w, "a", "\"quoted\"\n\\ \xc3\xa9");
    status |= rn_gather_meta(w, "rn.a", "");
    status |= rn_gather_tensor(w, "mask", RN_BOOL, 1, (int[]){ 3 }, mask);
    status |= rn_gather_tensor(w, "weight", RN_F32, 2, (int[]){ 2, 3 }, floats);
    status |= rn_gather_tensor(w, "empty", RN_F32, 3, (int[]){ 2, 0, 3 }, NULL);
    status |= rn_gather_tensor(w, "steps", RN_I64, 0, NULL, steps);
    ok(!status, "tensors and metadata are gathered");
}

static bool holds(const struct rn_weights *w, const char *name, enum rn_dtype dtype, int rank,
                  const void *data, size_t bytes)
{
    const struct rn_tensor *t = rn_weights_find(w, name);
    return t && t->dtype == dtype && t->rank == rank && t->bytes == bytes &&
           !memcmp(t->data, data, bytes);
}

static bool meta_is(const struct rn_weights *w, const char *key, const char *value)
{
    const char *v = rn_weights_meta(w, key);
    return v && !strcmp(v, value);
}

static bool same_files(const char *a, const char *b)
{
    struct rn_map x = { 0 }, y = { 0 };
    bool same = !rn_map_open(&x, a) && !rn_map_open(&y, b) && x.size == y.size &&
                !memcmp(x.data, y.data, x.size);
    rn_map_close(&x);
    rn_map_close(&y);
    return same;
}

static void test_round_trip(void)
{
    struct rn_weights w, *r;
    gather(&w);
    ok(!rn_gather_write(&w, path) && !rn_gather_write(&w, other) && same_files(path, other),
       "equal content gives equal files");
    struct rn_meta first_meta = w.meta[0];
    w.meta[0] = w.meta[1];
    w.meta[1] = first_meta;
    ok(!rn_gather_write(&w, other) && same_files(path, other), "in whatever order metadata come");
    if (!ok(!rn_weights_open(&r, path), "what was written is read: %s", rn_error()))
        return;
    ok(rn_weights_count(r) == 4 && holds(r, "weight", RN_F32, 2, floats, sizeof(floats)) &&
           holds(r, "steps", RN_I64, 0, steps, 8) && holds(r, "mask", RN_BOOL, 1, mask, 3) &&
           holds(r, "empty", RN_F32, 3, "", 0) && rn_weights_find(r, "weight")->dim[1] == 3,
       "with the same tensors");
    ok(r->metas == 4 && meta_is(r, "rn.spec", "x") && meta_is(r, "rn.a", "") &&
           meta_is(r, "a", "\"quoted\"\n\\ \xc3\xa9") && !rn_weights_meta(r, "b"),
       "with the same metadata");
    ok(meta_is(r, "rn.hash", HASH), "and the hash that hash.h describes: %s",
       rn_weights_meta(r, "rn.hash"));
    const char *first = rn_weights_tensor(r, 0)->name, *last = rn_weights_tensor(r, 3)->name;
    ok(!strcmp(first, "steps") && !strcmp(last, "mask"), "large elements come first in the file");
    ok((uintptr_t)rn_weights_tensor(r, 0)->data % 64 == 0, "data begin at a multiple of 64");
    ok(!rn_weights_write(r, other, "safetensors") && same_files(path, other),
       "reading and writing again gives the same file");
    ok(rn_weights_write(r, other, "tarot") == RN_EUSAGE, "an unknown format: %s", rn_error());
    rn_weights_close(r);
    rn_gather_release(&w);
}

static void test_refused(void)
{
    struct rn_weights w;
    gather(&w);
    rn_gather_tensor(&w, "mask", RN_BOOL, 1, (int[]){ 3 }, mask);
    ok(rn_gather_write(&w, path) == RN_EUSAGE, "two tensors of one name: %s", rn_error());
    rn_gather_release(&w);
    gather(&w);
    rn_gather_meta(&w, "key", "\xe9");
    ok(rn_gather_write(&w, path) == RN_EUSAGE, "text that is no UTF-8");
    rn_gather_release(&w);
}

/* The header's tensors in another order, as another program might write them, and its spaces. */
static void test_reordered(const struct rn_map *map)
{
    uint64_t n;
    memcpy(&n, map->data, 8);
    char *text = strndup((const char *)map->data + 8, n), *bytes = malloc(map->size);
    char *weight = strstr(text, "\"weight\""), *next = strstr(weight, "},") + 2;
    char *mask_at = strstr(text, "\"mask\"");
    *strrchr(text, '}') = '\0';
    memcpy(bytes, map->data, map->size);
    int at =
        sprintf(bytes + 8, "%.*s%.*s,%.*s%.*s}", (int)(weight - text), text, (int)(strlen(mask_at)),
                mask_at, (int)(mask_at - next), next, (int)(next - weight - 1), weight);
    memset(bytes + 8 + at, ' ', n - at);
    put(path, bytes, map->size);
    ok(!try(), "rn.hash holds for tensors listed in another order");
    free(bytes);
    free(text);
}

static void test_damage(void)
{
    struct rn_weights w;
    struct rn_map map;
    gather(&w);
    if (!ok(!rn_gather_write(&w, other) && !rn_map_open(&map, other), "a small file is written"))
        return;
    rn_gather_release(&w);
    test_reordered(&map);

    uint8_t *bytes = malloc(map.size);
    memcpy(bytes, map.data, map.size);
    size_t flips = 0, refused = 0, bits = map.size * 8;
    for (size_t bit = 0; bit < bits; bit += 37) {
        bytes[bit / 8] ^= 1 << bit % 8;
        put(path, bytes, map.size);
        bytes[bit / 8] ^= 1 << bit % 8;
        flips++;
        refused += try() == RN_EFORMAT;
    }
    ok(refused == flips, "%zu of %zu flipped bits are refused", refused, flips);

    refused = 0;
    for (size_t n = 0; n < map.size; n++) {
        put(path, bytes, n);
        refused += try() == RN_EFORMAT;
    }
    ok(refused == map.size, "%zu of %zu truncations are refused", refused, map.size);

    bytes[map.size - 1] ^= 1; /* of the tensor of bytes, which comes last */
    put(path, bytes, map.size);
    ok(try() == RN_EFORMAT && strstr(rn_error(), "tensor mask is damaged (hash differs)"),
       "the damaged tensor is named: %s", rn_error());
    free(bytes);
    rn_map_close(&map);
}

int main(void)
{
    if (!mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    sprintf(path, "%s/a.safetensors", folder);
    sprintf(other, "%s/b.safetensors", folder);
    test_tables();
    test_lengths();
    test_strangers();
    test_round_trip();
    test_refused();
    test_damage();
    unlink(path);
    unlink(other);
    rmdir(folder);
    return done();
}
