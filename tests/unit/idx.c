/* IDX data sets: plain, gzip, folder and pipe; every way in which a file can be broken; class
 * names. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"
#include "data/source.h"
#include "folder.h"
#include "tap.h"

#define FASHION "/usr/share/datasets/fashion-mnist"

/* ---- files ---- */

struct bytes {
    uint8_t *p;
    size_t n;
};

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Pictures whose pixel i is i mod 251. */
static struct bytes pictures(uint32_t count, uint32_t H, uint32_t W)
{
    size_t n = (size_t)count * H * W;
    struct bytes b = { rn_alloc(16 + n, 1), 16 + n };
    put32(b.p, 0x803);
    put32(b.p + 4, count);
    put32(b.p + 8, H);
    put32(b.p + 12, W);
    for (size_t i = 0; i < n; i++)
        b.p[16 + i] = (uint8_t)(i % 251);
    return b;
}

static struct bytes labels(uint32_t count, uint32_t classes)
{
    struct bytes b = { rn_alloc(8 + count, 1), 8 + count };
    put32(b.p, 0x801);
    put32(b.p + 4, count);
    for (uint32_t i = 0; i < count; i++)
        b.p[8 + i] = (uint8_t)(i % classes);
    return b;
}

static struct bytes gzip(struct bytes in)
{
    z_stream z = { 0 };
    deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    struct bytes out = { rn_alloc(deflateBound(&z, in.n), 1), 0 };
    z.next_in = in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = out.p;
    z.avail_out = (uInt)deflateBound(&z, in.n);
    deflate(&z, Z_FINISH);
    out.n = z.total_out;
    deflateEnd(&z);
    return out;
}

static struct bytes join(struct bytes a, struct bytes b)
{
    struct bytes out = { rn_alloc(a.n + b.n, 1), a.n + b.n };
    memcpy(out.p, a.p, a.n);
    if (b.n)
        memcpy(out.p + a.n, b.p, b.n);
    return out;
}

/* Does the source give `count` pictures of pictures(), labelled i mod classes (0: not), in order?
 */
static bool reads(struct rn_source *s, long count, int H, int W, int classes)
{
    struct rn_item it = { 0 };
    const struct rn_image *im = &it.image;
    bool right = true;
    for (long i = 0; right && i < count; i++) {
        right = rn_source_read(s, i, &it) == 1 && im->H == H && im->W == W && im->C == 1 &&
                it.label == (classes ? i % classes : -1);
        for (int j = 0; right && j < H * W; j++)
            right = im->pixel[j] == (i * H * W + j) % 251;
    }
    right = right && rn_source_read(s, count, &it) == 0;
    rn_item_release(&it);
    return right;
}

/* Is the record of picture `index`, the next one of a pipe, named so? */
static bool named(struct rn_source *s, long index, const char *name)
{
    struct rn_item it = { 0 };
    bool right = rn_source_read(s, index, &it) == 1 && !strcmp(it.name, name);
    rn_item_release(&it);
    return right;
}

static bool good(const char *path, long count, int H, int W, int classes)
{
    struct rn_source *s = NULL;
    bool right = !rn_source_open(&s, path, RN_PART_DEFAULT, RN_PART_TRAIN, NULL) &&
                 rn_source_count(s) == count && rn_source_classes(s) == classes && s->random &&
                 reads(s, count, H, W, classes);
    if (!right)
        printf("# %s\n", rn_error());
    rn_source_close(s);
    return right;
}

/* Opening fails with that status and one line that names the file and holds `word`. */
static void bad_open(const char *path, int status, const char *named, const char *word,
                     const char *what)
{
    struct rn_source *s = NULL;
    int got = rn_source_open(&s, path, RN_PART_DEFAULT, RN_PART_TRAIN, NULL);
    ok(got == status && !s && strstr(rn_error(), named) && strstr(rn_error(), word) &&
           !strchr(rn_error(), '\n'),
       "%s: %s", what, rn_error());
    rn_source_close(s);
}

static void bad(const char *name, const void *data, size_t n, const char *word, const char *what)
{
    bad_open(put(name, data, n), RN_EFORMAT, name, word, what);
}

/* ---- good files ---- */

static void test_plain(void)
{
    struct bytes p = pictures(5, 3, 4), l = labels(5, 3), pz = gzip(p), lz = gzip(l);
    ok(good(put("any.name", p.p, p.n), 5, 3, 4, 0), "plain pictures, no labels");
    ok(good(put("any.gz", pz.p, pz.n), 5, 3, 4, 0), "gzip pictures, no labels");
    ok(good(put("misnamed", pz.p, pz.n), 5, 3, 4, 0), "gzip is told by the bytes");

    put("a-images-idx3-ubyte", p.p, p.n);
    put("a-labels-idx1-ubyte", l.p, l.n);
    ok(good(in_dir("a-images-idx3-ubyte"), 5, 3, 4, 3), "labels beside plain pictures");
    put("b-images-idx3-ubyte.gz", pz.p, pz.n);
    put("b-labels-idx1-ubyte", l.p, l.n);
    ok(good(in_dir("b-images-idx3-ubyte.gz"), 5, 3, 4, 3), "plain labels beside gzip pictures");
    put("c-images-idx3-ubyte", p.p, p.n);
    put("c-labels-idx1-ubyte.gz", lz.p, lz.n);
    ok(good(in_dir("c-images-idx3-ubyte"), 5, 3, 4, 3), "gzip labels beside plain pictures");

    struct rn_source *s = NULL;
    rn_source_open(&s, in_dir("a-images-idx3-ubyte"), RN_PART_DEFAULT, RN_PART_TRAIN, NULL);
    char want[200];
    int C, H, W;
    snprintf(want, sizeof want, "%s#4", in_dir("a-images-idx3-ubyte"));
    ok(named(s, 4, want), "record name %s", want);
    rn_source_shape(s, &C, &H, &W);
    ok(C == 1 && H == 3 && W == 4, "shape");
    ok(!strcmp(rn_source_class(s, 2), "2"), "classes are numbered");
    rn_source_close(s);
    rn_source_close(NULL);

    struct bytes big = pictures(300, 40, 30), half1 = { big.p, 200000 },
                 half2 = { big.p + 200000, big.n - 200000 }, z1 = gzip(half1), z2 = gzip(half2),
                 two = join(z1, z2);
    ok(good(put("two-members", two.p, two.n), 300, 40, 30, 0), "gzip in two members");
    void *all[] = { p.p, l.p, pz.p, lz.p, big.p, z1.p, z2.p, two.p };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        rn_free(all[i]);
}

static void test_folder(void)
{
    struct bytes p = pictures(6, 2, 2), q = pictures(4, 2, 2), l = labels(6, 2), k = labels(4, 4);
    const char *folder = in_dir("set");
    mkdir(folder, 0700);
    put("set/train-images-idx3-ubyte", p.p, p.n);
    put("set/train-labels-idx1-ubyte", l.p, l.n);
    ok(rn_source_has_part(folder, RN_PART_TRAIN) && !rn_source_has_part(folder, RN_PART_TEST),
       "one part so far");
    struct rn_source *s = NULL;
    ok(rn_source_open(&s, folder, RN_PART_TEST, RN_PART_TRAIN, NULL) == RN_EUSAGE,
       "no such part: %s", rn_error());
    put("set/t10k-images-idx3-ubyte", q.p, q.n);
    put("set/t10k-labels-idx1-ubyte", k.p, k.n);
    ok(rn_source_has_part(folder, RN_PART_TEST), "both parts");

    static const struct {
        enum rn_part part, fallback;
        long count;
    } row[] = { { RN_PART_DEFAULT, RN_PART_TRAIN, 6 },
                { RN_PART_DEFAULT, RN_PART_TEST, 4 },
                { RN_PART_TRAIN, RN_PART_TEST, 6 },
                { RN_PART_TEST, RN_PART_TRAIN, 4 } };
    for (int i = 0; i < 4; i++) {
        s = NULL;
        int status = rn_source_open(&s, folder, row[i].part, row[i].fallback, NULL);
        ok(!status && rn_source_count(s) == row[i].count, "part %d, else %d", row[i].part,
           row[i].fallback);
        rn_source_close(s);
    }
    const char *file = in_dir("set/train-images-idx3-ubyte");
    ok(!rn_source_has_part(file, RN_PART_TRAIN), "a file has no parts");
    s = NULL;
    ok(rn_source_open(&s, file, RN_PART_TRAIN, RN_PART_TRAIN, NULL) == RN_EUSAGE && !s,
       "and none can be asked for: %s", rn_error());
    rn_free(p.p);
    rn_free(q.p);
    rn_free(l.p);
    rn_free(k.p);
}

/* ---- broken files ---- */

static void test_broken_plain(void)
{
    struct bytes p = pictures(5, 3, 4), l = labels(5, 3);
    bad("empty", "", 0, "empty", "empty");
    bad("damaged.gz", "\x1f\x8b\x08\x00........", 12, "no data set", "damaged gzip");
    bad("short", p.p, 15, "cut off in the header", "cut off in the header");
    bad("cut", p.p, p.n - 1, "cut off", "cut off");
    bad("header", p.p, 16, "cut off", "only a header");
    struct bytes more = join(p, (struct bytes){ p.p, 1 });
    bad("long", more.p, more.n, "too long", "too long");
    rn_free(more.p);
    bad("labels", l.p, l.n, "labels", "labels instead of pictures");

    static const struct {
        int at;
        uint32_t value;
        const char *word, *what;
    } row[] = { { 4, 0, "no pictures", "no pictures" },
                { 4, 0xFFFFFFFF, "cut off", "absurdly many pictures" },
                { 8, 0, "0x4 pixels", "no rows" },
                { 12, 0, "3x0 pixels", "no columns" },
                { 8, 65536, "65536x4 pixels", "too many rows" },
                { 12, 0x80000000, "3x2147483648 pixels", "too many columns" },
                { 0, 0x804, "magic 00000804", "four dimensions" },
                { 0, 0xD03, "magic 00000d03", "floats" },
                { 0, 0x1000803, "no data set", "another magic" } };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct bytes q = join(p, (struct bytes){ 0 });
        put32(q.p + row[i].at, row[i].value);
        bad("field", q.p, q.n, row[i].word, row[i].what);
        rn_free(q.p);
    }
    bad("pic.gif", "GIF89a..........", 16, "GIF", "a GIF picture");
    bad("text", "hello, world", 12, "no data set", "text");
    struct bytes z = gzip((struct bytes){ (uint8_t *)"PK\x03\x04........", 12 });
    bad("x.zip", "PK\x03\x04........", 12, "zip archive", "a zip archive");
    bad("x.zip.gz", z.p, z.n, "zip archive", "a zip archive in gzip");
    rn_free(z.p);
    mkdir(in_dir("folder"), 0700);
    bad_open(in_dir("folder"), RN_EFORMAT, "folder", "folder", "a folder without the files");
    bad_open(in_dir("absent"), RN_EIO, "absent", "No such file", "absent");
    rn_free(p.p);
    rn_free(l.p);
}

static void test_broken_gzip(void)
{
    struct bytes p = pictures(50, 30, 40), z = gzip(p);
    for (size_t i = 1; i <= 9; i++) { /* in the trailer, then before it */
        struct rn_source *s = NULL;
        const char *path = put("cut.gz", z.p, z.n - i);
        int status = rn_source_open(&s, path, RN_PART_DEFAULT, RN_PART_TRAIN, NULL);
        if (status != RN_EFORMAT || !strstr(rn_error(), "cut off") || i == 1) {
            ok(status == RN_EFORMAT && strstr(rn_error(), "cut off"), "cut off by %zu: %s", i,
               rn_error());
        }
        rn_source_close(s);
    }
    bad("cut.gz", z.p, z.n / 2, "cut off", "cut off in the middle");
    struct bytes q = join(z, (struct bytes){ 0 });
    q.p[z.n - 5] ^= 1;
    bad("crc.gz", q.p, q.n, "damaged", "a wrong checksum");
    q.p[z.n - 5] ^= 1;
    q.p[z.n - 1] ^= 1;
    bad("size.gz", q.p, q.n, "damaged", "a wrong size in the trailer");
    rn_free(q.p);
    q = join(z, (struct bytes){ (uint8_t *)"rubbish", 7 });
    bad("rubbish.gz", q.p, q.n, "behind the end", "rubbish behind");
    rn_free(q.p);

    struct bytes few = { p.p, p.n - 1 }, many = join(p, (struct bytes){ p.p, 1 }), fz = gzip(few),
                 mz = gzip(many);
    bad("few.gz", fz.p, fz.n, "cut off in picture 50 of 50", "a pixel too few");
    bad("many.gz", mz.p, mz.n, "too long", "a pixel too many");
    rn_free(many.p);
    rn_free(fz.p);
    rn_free(mz.p);
    rn_free(z.p);

    /* Announces 2^32 - 1 pictures of 65535x65535: must be refused before memory is taken. */
    put32(p.p + 4, 0xFFFFFFFF);
    put32(p.p + 8, 65535);
    put32(p.p + 12, 65535);
    z = gzip(p);
    bad("huge.gz", z.p, z.n, "do not fit", "more than there are addresses");
    rn_free(z.p);
    put32(p.p + 4, 1000000);
    put32(p.p + 8, 1000);
    put32(p.p + 12, 1000);
    z = gzip(p);
    bad("large.gz", z.p, z.n, "gzip data hold", "more than the file can hold");
    rn_free(z.p);
    rn_free(p.p);
}

static void test_broken_labels(void)
{
    struct bytes p = pictures(5, 3, 4), l = labels(5, 3), k = labels(4, 3);
    const char *path = put("x-images-idx3-ubyte", p.p, p.n), *name = "x-labels-idx1-ubyte";
    put(name, k.p, k.n);
    bad_open(path, RN_EFORMAT, name, "4 labels for the 5 pictures", "too few labels");
    put(name, l.p, l.n - 1);
    bad_open(path, RN_EFORMAT, name, "cut off", "labels cut off");
    put(name, l.p, 7);
    bad_open(path, RN_EFORMAT, name, "not a file of IDX labels", "a header of labels cut off");
    put(name, p.p, p.n);
    bad_open(path, RN_EFORMAT, name, "not a file of IDX labels", "pictures instead of labels");
    struct bytes more = join(l, (struct bytes){ l.p, 1 });
    put(name, more.p, more.n);
    bad_open(path, RN_EFORMAT, name, "too long", "too many labels");
    rn_free(more.p);
    rn_free(p.p);
    rn_free(l.p);
    rn_free(k.p);
}

/* ---- pipes ---- */

/* stdin becomes a pipe that a child fills in pieces. */
static pid_t feed(struct bytes b, size_t piece, int *saved)
{
    int end[2];
    if (pipe(end))
        return -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGPIPE, SIG_IGN);
        for (size_t at = 0; at < b.n; at += piece) {
            size_t n = b.n - at < piece ? b.n - at : piece;
            if (write(end[1], b.p + at, n) != (ssize_t)n)
                _exit(1);
            usleep(at < 40 && piece == 1 ? 1000 : 0); /* so that the reader sees small pieces */
        }
        _exit(0);
    }
    close(end[1]);
    *saved = dup(STDIN_FILENO);
    dup2(end[0], STDIN_FILENO);
    close(end[0]);
    return child;
}

static void restore(pid_t child, int saved)
{
    dup2(saved, STDIN_FILENO);
    close(saved);
    waitpid(child, NULL, 0);
}

static void pipe_good(struct bytes b, size_t piece, const char *what)
{
    int saved;
    pid_t child = feed(b, piece, &saved);
    struct rn_source *s = NULL;
    bool right = !rn_source_open(&s, "-", RN_PART_DEFAULT, RN_PART_TRAIN, NULL) && !s->random &&
                 rn_source_count(s) == 300 && reads(s, 300, 20, 10, 0);
    ok(right, "%s", what);
    rn_source_close(s);
    restore(child, saved);
}

static void pipe_bad(struct bytes b, const char *word, const char *what)
{
    int saved, status;
    pid_t child = feed(b, 4096, &saved);
    struct rn_source *s = NULL;
    struct rn_item it = { 0 };
    long i = 0;
    status = rn_source_open(&s, "-", RN_PART_DEFAULT, RN_PART_TRAIN, NULL);
    for (status = status ? status : 1; status == 1; i++)
        status = rn_source_read(s, i, &it);
    ok(status == RN_EFORMAT && strstr(rn_error(), word), "%s: %s", what, rn_error());
    rn_item_release(&it);
    rn_source_close(s);
    restore(child, saved);
}

static void test_pipe(void)
{
    struct bytes p = pictures(300, 20, 10), z = gzip(p), more = join(p, (struct bytes){ p.p, 9 });
    pipe_good(p, 100, "pictures from a pipe, in small pieces");
    pipe_good(p, 1, "byte by byte");
    pipe_good(z, 1 << 20, "gzip from a pipe");
    pipe_good(z, 1, "gzip byte by byte");
    pipe_bad((struct bytes){ p.p, p.n - 1 }, "cut off in picture 300", "a pipe that ends early");
    pipe_bad((struct bytes){ p.p, 3 }, "no data set", "a pipe of three bytes");
    pipe_bad((struct bytes){ p.p, 10 }, "cut off in the header", "a pipe of ten bytes");
    pipe_bad((struct bytes){ z.p, z.n - 3 }, "cut off", "a gzip pipe that ends early");
    pipe_bad(more, "too long", "a pipe that goes on");

    int saved;
    struct rn_item it = { 0 };
    struct rn_source *s = NULL;
    pid_t child = feed(p, 4096, &saved);
    ok(!rn_source_open(&s, "-", RN_PART_DEFAULT, RN_PART_TRAIN, NULL) && named(s, 0, "-#0") &&
           rn_source_read(s, 0, &it) == RN_EUSAGE && rn_source_read(s, 2, &it) == RN_EUSAGE,
       "a pipe can't go back or jump: %s", rn_error());
    rn_item_release(&it);
    rn_source_close(s);
    restore(child, saved);
    rn_free(p.p);
    rn_free(z.p);
    rn_free(more.p);
}

/* A named pipe can be opened once only: probing must not lose its first bytes. */
static void test_fifo(void)
{
    struct bytes p = pictures(300, 20, 10);
    const char *path = in_dir("fifo");
    if (mkfifo(path, 0600)) {
        ok(false, "mkfifo");
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        FILE *f = fopen(path, "w");
        _exit(!f || fwrite(p.p, 1, p.n, f) != p.n || fclose(f));
    }
    struct rn_source *s = NULL;
    ok(!rn_source_open(&s, path, RN_PART_DEFAULT, RN_PART_TRAIN, NULL) && reads(s, 300, 20, 10, 0),
       "a named pipe");
    rn_source_close(s);
    waitpid(child, NULL, 0);
    rn_free(p.p);
}

/* ---- class names, hash, binding ---- */

static int open_named(struct rn_source **s, const char *text, size_t n)
{
    *s = NULL;
    return rn_source_open(s, in_dir("a-images-idx3-ubyte"), RN_PART_DEFAULT, RN_PART_TRAIN,
                          put("names", text, n));
}

static void test_names(void)
{
    struct rn_source *s;
    static const char *const right[] = { "cat\ndog\nT-shirt/top\n", "cat\ndog\nT-shirt/top",
                                         "cat\r\ndog\r\nT-shirt/top\r\n" };
    for (int i = 0; i < 3; i++) {
        int status = open_named(&s, right[i], strlen(right[i]));
        ok(!status && rn_source_classes(s) == 3 && !strcmp(rn_source_class(s, 1), "dog") &&
               !strcmp(rn_source_class(s, 2), "T-shirt/top"),
           "class names %d", i);
        rn_source_close(s);
    }
    ok(!open_named(&s, "a\nb\nc\n\xc3\xa9t\xc3\xa9\n", 12) && rn_source_classes(s) == 4,
       "more names than classes seen");
    rn_source_close(s);
    static const struct {
        const char *text;
        size_t n;
        const char *word;
    } wrong[] = {
        { "a\nb\n", 4, "names 2 classes" },     { "", 0, "names 0 classes" },
        { "a\n\nc\n", 5, "line 2 is empty" },   { "a\nb\nb\n", 6, "lines 2 and 3" },
        { "a\nb\0\nc\n", 7, "line 2 is not" },  { "a\n\xc0\x80\nc\n", 7, "line 2 is not" },
        { "a\nb\n\xe9\n", 6, "line 3 is not" }, { "a\n\xed\xa0\x80\nc\n", 8, "line 2 is not" }
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int status = open_named(&s, wrong[i].text, wrong[i].n);
        ok(status == RN_EFORMAT && strstr(rn_error(), "names") && strstr(rn_error(), wrong[i].word),
           "wrong class names: %s", rn_error());
        rn_source_close(s);
    }
    s = NULL;
    ok(rn_source_open(&s, in_dir("any.name"), RN_PART_DEFAULT, RN_PART_TRAIN,
                      put("names", "a\n", 2)) == RN_EUSAGE,
       "names for data without labels: %s", rn_error());
    ok(rn_source_open(&s, in_dir("a-images-idx3-ubyte"), RN_PART_DEFAULT, RN_PART_TRAIN,
                      in_dir("absent")) == RN_EIO,
       "no file of names: %s", rn_error());
}

static uint64_t hash_of(const char *path, const char *names)
{
    struct rn_source *s = NULL;
    int status = rn_source_open(&s, path, RN_PART_DEFAULT, RN_PART_TRAIN, names);
    uint64_t hash = status ? 0 : rn_source_hash(s);
    rn_source_close(s);
    return hash;
}

static void test_hash(void)
{
    const char *a = in_dir("a-images-idx3-ubyte"), *b = in_dir("b-images-idx3-ubyte.gz");
    uint64_t hash = hash_of(a, NULL);
    ok(hash && hash == hash_of(b, NULL), "the hash does not depend on the packing");
    const char *names = put("names", "cat\ndog\npig\n", 12);
    ok(hash != hash_of(a, names), "it depends on the names");
    ok(hash_of(a, names) != hash_of(a, put("names2", "catd\nog\npig\n", 12)),
       "and on where they end");
    struct bytes l = labels(5, 3);
    l.p[8] = 1;
    put("a-labels-idx1-ubyte", l.p, l.n);
    ok(hash != hash_of(a, NULL), "on the labels");
    l.p[8] = 0;
    put("a-labels-idx1-ubyte", l.p, l.n);
    struct bytes p = pictures(5, 4, 3);
    put("a-images-idx3-ubyte", p.p, p.n);
    ok(hash == hash_of(a, NULL), "not on the size of the pictures, which folders do not tell");
    rn_free(p.p);
    rn_free(l.p);
    p = pictures(5, 3, 4);
    p.p[20]++;
    put("a-images-idx3-ubyte", p.p, p.n);
    ok(hash == hash_of(a, NULL), "not on the pixels");
    p.p[20]--;
    put("a-images-idx3-ubyte", p.p, p.n);
    rn_free(p.p);
}

static int label_of(struct rn_source *s, long index)
{
    struct rn_item it = { 0 };
    int label = rn_source_read(s, index, &it) == 1 ? it.label : -2;
    rn_item_release(&it);
    return label;
}

static void test_bind(void)
{
    struct rn_source *s;
    open_named(&s, "cat\ndog\npig\n", 12);
    char *const four[] = { "pig", "cow", "cat", "dog" }, *const two[] = { "pig", "cat" };
    ok(!rn_source_match(s, four, 4), "matched by name");
    ok(label_of(s, 0) == 2 && label_of(s, 1) == 3 && label_of(s, 2) == 0, "labels are the model's");
    uint64_t hash = rn_source_hash(s);
    ok(rn_source_match(s, two, 2) == RN_EUSAGE && strstr(rn_error(), "dog"), "unknown class: %s",
       rn_error());
    ok(!rn_source_match(s, NULL, 3) && label_of(s, 1) == 1,
       "a model without names takes the classes in order");
    ok(hash == rn_source_hash(s), "binding does not change the hash");
    ok(rn_source_match(s, NULL, 2) == RN_EUSAGE, "when they fit: %s", rn_error());
    rn_source_close(s);

    rn_source_open(&s, in_dir("a-images-idx3-ubyte"), RN_PART_DEFAULT, RN_PART_TRAIN, NULL);
    ok(!rn_source_match(s, four, 4) && label_of(s, 1) == 1,
       "data without names are in the model's order");
    ok(rn_source_match(s, two, 2) == RN_EUSAGE && strstr(rn_error(), "class 2"), "if it fits: %s",
       rn_error());
    rn_source_close(s);
}

/* ---- the real thing ---- */

static void test_fashion_part(enum rn_part part, long count, int first)
{
    struct rn_source *s = NULL;
    struct rn_item it = { 0 };
    int status = rn_source_open(&s, FASHION, part, RN_PART_TRAIN, NULL);
    if (!ok(!status && rn_source_count(s) == count && rn_source_classes(s) == 10 && s->H == 28 &&
                s->W == 28,
            "Fashion-MNIST: %ld pictures", count))
        return;
    long seen[10] = { 0 };
    double sum = 0;
    bool even = true;
    int first_label = -1;
    for (long i = 0; i < count && rn_source_read(s, i, &it) == 1; i++) {
        first_label = i ? first_label : it.label;
        seen[it.label]++;
        for (int j = 0; j < 28 * 28; j++)
            sum += it.image.pixel[j];
    }
    rn_item_release(&it);
    for (int i = 0; i < 10; i++)
        even &= seen[i] == count / 10;
    double mean = sum / 255 / (28 * 28) / (double)count;
    ok(even && first_label == first, "a tenth of each class, the first is a %d", first_label);
    ok(mean > .2855 && mean < .2875, "mean pixel %.4f (known: 0.2860, 0.2868)", mean);
    rn_source_close(s);
}

static void test_fashion(void)
{
    if (!rn_source_has_part(FASHION, RN_PART_TEST)) {
        ok(true, "Fashion-MNIST # SKIP dataset-fashion-mnist not installed");
        return;
    }
    test_fashion_part(RN_PART_TRAIN, 60000, 9);
    test_fashion_part(RN_PART_TEST, 10000, 9);
}

int main(void)
{
    folder_make("idx");
    test_plain();
    test_folder();
    test_broken_plain();
    test_broken_gzip();
    test_broken_labels();
    test_pipe();
    test_fifo();
    test_names();
    test_hash();
    test_bind();
    test_fashion();
    ok(folder_remove(), "the temporary folder is gone");
    return done();
}
