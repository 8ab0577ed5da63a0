/*
 * Formats of other programs: what PyTorch and NumPy wrote comes in as they have it
 * (scripts/golden_pth.py), what goes out comes back whole, for every network, and what a format has
 * no place for is refused.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "folder.h"
#include "model/model.h"
#include "tap.h"
#include "weights/format.h"
#include "weights/modelfile.h"
#include "weights/zip.h"

#define GOLDEN "tests/golden/foreign/"

/* ---- what others wrote ---- */

static void print_shape(char *text, const struct rn_tensor *t)
{
    *text = '\0';
    for (int d = 0; d < t->rank; d++)
        text += sprintf(text, d ? "x%zu" : "%zu", t->dim[d]);
}

/* One row of values.tsv against the file it is about. */
static bool row_holds(const struct rn_weights *w, const char *name, const char *dtype,
                      const char *shape, const char *crc)
{
    const struct rn_tensor *t = rn_weights_find(w, name);
    char have[RN_RANK_MAX * 22], sum[9];
    if (!t)
        return false;
    print_shape(have, t);
    sprintf(sum, "%08lx", crc32_z(0, t->bytes ? t->data : (const uint8_t *)"", t->bytes));
    return !strcmp(rn_dtype_name(t->dtype), dtype) && !strcmp(have, shape) && !strcmp(sum, crc);
}

/* The tensors of `file`, and no others, in the order of the rows; *at is the first of them. */
static void test_file(char *const *row, int *at, int rows)
{
    char path[256], file[128];
    struct rn_weights *w;
    int n = 0;
    snprintf(file, sizeof(file), "%s", row[*at]);
    snprintf(path, sizeof(path), GOLDEN "%s", file);
    bool opened = ok(!rn_weights_import(&w, path), "%s is read: %s", file, rn_error());
    for (; *at < rows && !strcmp(row[*at], file); ++*at, n++) {
        char *name = row[*at] + strlen(file) + 1, *dtype = name + strlen(name) + 1;
        char *shape = dtype + strlen(dtype) + 1, *crc = shape + strlen(shape) + 1;
        if (opened)
            ok(row_holds(w, name, dtype, shape, crc) && n < w->tensors &&
                   !strcmp(w->tensor[n].name, name),
               "%s: %s %s %s", file, name, dtype, shape);
    }
    if (opened) {
        ok(rn_weights_count(w) == n, "%s: %d tensors", file, n);
        rn_weights_close(w);
    }
}

enum { ROWS = 512 };

static void test_golden(void)
{
    FILE *f = fopen(GOLDEN "values.tsv", "r");
    static char text[1 << 16];
    char *row[ROWS];
    int rows = 0;
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    if (!ok(n > 0 && n < sizeof(text) - 1, "values.tsv is read"))
        return;
    fclose(f);
    for (char *p = text; *p && rows < ROWS; rows++) {
        row[rows] = p;
        for (p += strcspn(p, "\n"); *p == '\n';)
            *p++ = '\0';
    }
    for (char *p = text; p < text + n; p++)
        if (*p == '\t')
            *p = '\0';
    for (int at = 0; at < rows;)
        test_file(row, &at, rows);
}

/* ---- round trips ---- */

static bool same_files(const char *a, const char *b)
{
    struct rn_map x = { 0 }, y = { 0 };
    bool same = !rn_map_open(&x, a) && !rn_map_open(&y, b) && x.size == y.size &&
                !memcmp(x.data, y.data, x.size);
    rn_map_close(&x);
    rn_map_close(&y);
    return same;
}

/* Writes `from` as `format`, and what is read of that as safetensors; the same bytes? */
static bool goes_round(const char *from, const char *format)
{
    const char *there = in_dir("there"), *again = in_dir("again"), *back = in_dir("back");
    struct rn_weights *w = NULL, *r = NULL;
    bool same = !rn_weights_import(&w, from) && !rn_weights_export(w, there, format) &&
                !rn_weights_import(&r, there) && !rn_weights_export(r, again, format) &&
                same_files(there, again) && !rn_weights_export(r, back, "safetensors") &&
                same_files(from, back);
    for (int i = 0; same && i < r->tensors; i++)
        same = (uintptr_t)r->tensor[i].data % 64 == 0;
    rn_weights_close(w);
    rn_weights_close(r);
    return same;
}

/* A narrow model of a row of the variant table; a few demand other widths than the rest. With
 * RN_FORMATS=full in the environment the row as it is. */
static int new_narrow(struct rn_model **m, const char *name)
{
    static const char *const keys[] = { ":stages=1x16+1x24+1x32,stem-width=8",
                                        ":stages=1x16+1x24+1x32,stem-width=8,group-width=8", "" };
    const char *full = getenv("RN_FORMATS");
    int status = -1;
    for (int i = full && !strcmp(full, "full") ? 2 : 0; i < 3 && status; i++) {
        char spec[128];
        snprintf(spec, sizeof(spec), "%s%s", name, keys[i]);
        status = rn_model_new(m, spec, 0, 0, 0, 0);
    }
    return status;
}

static void test_network(const char *name)
{
    const char *path = in_dir("model.safetensors");
    struct rn_model *m;
    if (!ok(!new_narrow(&m, name), "%s", name))
        return;
    rn_model_init(m, RN_INIT_DEFAULT, 5);
    ok(!rn_model_write(m, path), "%s is written", name);
    ok(goes_round(path, "pth"), "%s: to .pth and back: the same bytes: %s", name, rn_error());
    ok(goes_round(path, "npz"), "%s: to .npz and back: the same bytes: %s", name, rn_error());
    rn_model_free(m);
}

/* Every type and odd shapes. */
static void gather_types(struct rn_weights *w, bool all)
{
    static const uint8_t data[64] = { 1, 0, 1, 250, 3 };
    *w = (struct rn_weights){ 0 };
    for (int t = RN_F64; t <= RN_BOOL; t++)
        if (all || (t != RN_BF16 && t != RN_U64 && t != RN_U32 && t != RN_U16))
            rn_gather_tensor(w, rn_dtype_name((enum rn_dtype)t), (enum rn_dtype)t, 2,
                             (int[]){ 2, 3 }, data);
    rn_gather_tensor(w, "scalar", RN_F32, 0, NULL, data);
    rn_gather_tensor(w, "empty", RN_F32, 3, (int[]){ 2, 0, 3 }, NULL);
    rn_gather_tensor(w, "\xc3\xa9.8", RN_U8, 8, (int[]){ 1, 2, 1, 2, 1, 2, 1, 2 }, data);
    rn_gather_meta(w, "a", "\"quoted\"\n\\ \xc3\xa9");
}

static void test_types(void)
{
    struct rn_weights w;
    const char *path = in_dir("types.safetensors"), *out = in_dir("out");
    gather_types(&w, false);
    ok(!rn_gather_write(&w, path), "tensors of many types are written");
    rn_gather_release(&w);
    ok(goes_round(path, "pth"), "to .pth and back: the same bytes: %s", rn_error());
    ok(goes_round(path, "npz"), "to .npz and back: the same bytes: %s", rn_error());
    gather_types(&w, true);
    ok(rn_weights_export(&w, out, "npz") == RN_EUSAGE && strstr(rn_error(), "BF16"), "npz: %s",
       rn_error());
    ok(rn_weights_export(&w, out, "pth") == RN_EUSAGE && strstr(rn_error(), "U64"), "pth: %s",
       rn_error());
    rn_gather_release(&w);
}

/* ---- what is not written ---- */

static void test_names(void)
{
    static const struct {
        const char *format, *a, *b, *says;
    } cases[] = {
        { "npz", "a", "a", "two are named a.npy" },
        { "pth", "a", "a", "two tensors are named a" },
        { "npz", "a", "rn.metadata", "two are named rn.metadata.npy" },
        { "npz", "a", "../b", "../b.npy is no name" },
        { "npz", "a", "b/../../c", "is no name" },
        { "npz", "a", "/b", "/b.npy is no name" },
        { "npz", "a", "b\n", "is no name" },
        { "npz", "a", "b\\c", "is no name" },
        { "npz", "a", "\xff", "is no name" },
        { "pth", "a", "\xff", "no UTF-8" },
        { "tar", "a", "b", "unknown weight format" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rn_weights w = { 0 };
        const char *out = in_dir("out");
        rn_gather_tensor(&w, cases[i].a, RN_U8, 0, NULL, "x");
        rn_gather_tensor(&w, cases[i].b, RN_U8, 0, NULL, "x");
        int status = rn_weights_export(&w, out, cases[i].format);
        FILE *f = fopen(out, "r");
        ok(status == RN_EUSAGE && strstr(rn_error(), cases[i].says) && !f, "%s: %s",
           cases[i].format, rn_error());
        if (f)
            fclose(f);
        rn_gather_release(&w);
    }
}

/* ---- zip64 ---- */

/* An archive of three members, its numbers of zip64 where they reach `wide`. */
static const char *put_archive(uint64_t wide)
{
    const char *path = in_dir("wide.zip");
    struct rn_writer *out;
    struct rn_zip_writer z;
    static char data[300];
    struct iovec part[] = { { data, 200 }, { NULL, 0 }, { data, 100 } };
    if (rn_writer_open(&out, path))
        return path;
    rn_zip_begin(&z, out);
    z.wide = wide;
    int status = rn_zip_put(&z, "a/first", part, 1);
    if (!status)
        status = rn_zip_put(&z, "a/second", part, 3);
    if (!status)
        status = rn_zip_put(&z, "a/empty", part, 0);
    if (rn_zip_end(&z, status))
        rn_writer_abort(out);
    else
        rn_writer_commit(out);
    return path;
}

static void test_zip64(void)
{
    static const uint64_t wide[] = { UINT32_MAX, 700, 250, 100, 1 };
    size_t narrow = 0;
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
        struct rn_map map = { 0 };
        struct rn_zip z = { 0 };
        const char *path = put_archive(wide[i]);
        bool read = !rn_map_open(&map, path) && !rn_zip_read(&z, map.data, map.size, path);
        const struct rn_zip_member *m = read ? rn_zip_find(&z, "a/second") : NULL;
        ok(m && m->size == 300 && (uintptr_t)m->data % 64 == 0 && z.members == 3 &&
               rn_zip_find(&z, "a/empty")->size == 0 && !rn_zip_find(&z, "a"),
           "zip64 from %ju on: %s", (uintmax_t)wide[i], read ? "read" : rn_error());
        narrow = i ? narrow : map.size;
        ok((map.size > narrow) == (i > 0), "its fields are there where they are needed alone");
        rn_zip_release(&z);
        rn_map_close(&map);
    }
}

/* ---- the other tools ---- */

static void test_strangers(void)
{
    struct rn_weights *w;
    ok(rn_weights_open(&w, GOLDEN "types.pth") == RN_EFORMAT && strstr(rn_error(), "rn-convert"),
       "the short table sends to rn-convert: %s", rn_error());
    ok(rn_weights_open(&w, GOLDEN "types-old.pth") == RN_EFORMAT &&
           strstr(rn_error(), "rn-convert"),
       "with old files too: %s", rn_error());
}

int main(void)
{
    folder_make("foreign");
    test_golden();
    for (int i = 0; rn_spec_row(i); i++)
        test_network(rn_spec_row(i));
    test_types();
    test_names();
    test_zip64();
    test_strangers();
    ok(folder_remove(), "the folder is removed");
    return done();
}
