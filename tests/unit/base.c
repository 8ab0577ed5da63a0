/* lib/base: errors, memory, random numbers, files, the machine. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/machine.h"
#include "base/mem.h"
#include "base/rng.h"
#include "folder.h"
#include "tap.h"

static void put_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    if (f) {
        fputs(text, f);
        fclose(f);
    }
}

static bool holds(const char *path, const char *text)
{
    struct rn_map m;
    bool same = !rn_map_open(&m, path) && m.size == strlen(text) && !memcmp(m.data, text, m.size);
    rn_map_close(&m);
    return same;
}

static bool exists(const char *path)
{
    struct stat st;
    return !lstat(path, &st);
}

/* ---- errors ---- */

static void *other_thread(void *arg)
{
    *(bool *)arg = !*rn_error();
    rn_fail(RN_EIO, "of the other thread");
    return NULL;
}

static void test_err(void)
{
    ok(!strcmp(rn_error(), ""), "no error at first");
    ok(rn_fail(RN_EFORMAT, "%s: %d", "a\nb\t\x1b[2J\x7f\xc3\xa9", 7) == RN_EFORMAT,
       "rn_fail returns the status");
    ok(!strcmp(rn_error(), "a\\nb\\t\\x1b[2J\\x7f\xc3\xa9: 7"), "control bytes are escaped: %s",
       rn_error());
    rn_fail(RN_EIO, "first");
    rn_fail(RN_EIO, "%s, second", rn_error());
    ok(!strcmp(rn_error(), "first, second"), "a sentence may quote the one before");
    errno = ENOENT;
    ok(rn_fail_errno("%s", "x") == RN_EIO && !strcmp(rn_error(), "x: No such file or directory"),
       "errno as text");
    errno = ENOMEM;
    ok(rn_fail_errno("x") == RN_EMEM, "ENOMEM is RN_EMEM");

    static char longest[3 * RN_ERROR_SIZE];
    memset(longest, '\n', sizeof longest - 1);
    rn_fail(RN_EIO, "%s", longest);
    size_t n = strlen(rn_error());
    ok(n < RN_ERROR_SIZE && n > RN_ERROR_SIZE - 4 && !strchr(rn_error(), '\n'),
       "a long sentence is cut");

    pthread_t thread;
    bool fresh = false;
    rn_fail(RN_EIO, "mine");
    pthread_create(&thread, NULL, other_thread, &fresh);
    pthread_join(thread, NULL);
    ok(fresh && !strcmp(rn_error(), "mine"), "each thread has its own sentence");
}

/* ---- memory ---- */

static bool zero(const char *p, size_t n)
{
    return n == 0 || (!p[0] && !memcmp(p, p + 1, n - 1));
}

static void test_alloc(void)
{
    static const size_t sizes[] = {
        0, 1, 63, 64, 65, 4096, 100000, 4 << 20, (4 << 20) + 1, 40 << 20
    };
    bool aligned = true, clear = true, huge = true;
    for (int round = 0; round < 3; round++) { /* the second time blocks are used ones */
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            char *p = rn_alloc(sizes[i], 1);
            aligned &= p && (uintptr_t)p % RN_ALIGN == 0;
            clear &= p && zero(p, sizes[i]);
            huge &= sizes[i] < 4 << 20 || (uintptr_t)p % (2 << 20) == 0;
            if (p)
                memset(p, 0xA5, sizes[i]);
            rn_free(p);
        }
    }
    ok(aligned, "blocks are 64-byte aligned");
    ok(clear, "blocks are zeroed");
    ok(huge, "blocks from 4 MiB on are 2 MiB aligned");
    ok(!rn_alloc(SIZE_MAX / 2, 3) && strstr(rn_error(), "address space"), "product overflows: %s",
       rn_error());
    ok(!rn_alloc(SIZE_MAX - 5, 1) && strstr(rn_error(), "memory is short"), "sum overflows: %s",
       rn_error());
    rn_free(NULL);
    char *copy = rn_strdup("abc");
    ok(copy && !strcmp(copy, "abc"), "rn_strdup");
    rn_free(copy);
}

static void test_sizes(void)
{
    size_t r = 1;
    ok(!rn_mul(&r, SIZE_MAX, 2) && r == 1 && rn_mul(&r, 6, 7) && r == 42, "rn_mul");
    ok(!rn_add(&r, SIZE_MAX, 1) && r == 42 && rn_add(&r, 6, 7) && r == 13, "rn_add");
    ok(rn_align(0) == 0 && rn_align(1) == 64 && rn_align(64) == 64 && rn_align(65) == 128,
       "rn_align");
}

static void test_array(void)
{
    int *a = NULL;
    size_t room = 0;
    bool right = true;
    for (size_t i = 0; i < 1000; i++) {
        right &= !rn_array_grow(&a, i, &room, sizeof *a) && a[i] == 0;
        a[i] = (int)i + 1;
    }
    for (int i = 0; i < 1000; i++)
        right &= a[i] == i + 1;
    ok(right && room == 1024, "rn_array_grow keeps items and clears new ones");
    size_t huge = SIZE_MAX / 2 + 1;
    int *before = a;
    ok(rn_array_grow(&a, huge, &huge, sizeof *a) == RN_EMEM && a == before, "it can't overflow");
    rn_free(a);
}

static void test_grow(void)
{
    size_t room = 0, full = SIZE_MAX;
    char *p = rn_grow(NULL, &room, 0, 3), *larger;
    ok(p && room == 3 && rn_grow(p, &room, 3, 2) == p && room == 3,
       "rn_grow: room is not given up");
    memcpy(p, "abc", 3);
    larger = rn_grow(p, &room, 3, 4);
    ok(larger && room == 6 && !memcmp(larger, "abc", 3), "twice the size, and what was used stays");
    ok(!rn_grow(larger, &room, 3, full) && room == 6 && !memcmp(larger, "abc", 3),
       "no room: the block stays as it was");
    rn_free(larger);
}

static void test_arena(void)
{
    struct rn_arena a;
    ok(!rn_arena_init(&a, 200) && a.base, "arena of 200 bytes");
    char *p = rn_arena_take(&a, 100), *q = rn_arena_take(&a, 64);
    ok(p == a.base && q == p + 128 && a.used == 192, "taken in order, aligned");
    ok(!rn_arena_take(&a, 65) && *rn_error(), "full: %s", rn_error());
    ok(rn_arena_take(&a, 64) && !rn_arena_take(&a, 1), "used to the end");
    ok(!rn_arena_take(&a, SIZE_MAX), "an absurd size is refused");
    rn_arena_release(&a);
    rn_arena_release(&a);
    ok(!a.base && !a.size, "released, twice");
    ok(rn_arena_init(&a, SIZE_MAX) == RN_EMEM && !a.base, "an absurd arena is refused");
}

/* ---- random numbers ---- */

static void test_philox(void)
{
    /* The known-answer vectors of the Random123 distribution (philox4x32, 10 rounds). */
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        { { 0 }, { 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { ~0u, ~0u, ~0u, ~0u },
          { ~0u, ~0u },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (int i = 0; i < 3; i++) {
        struct rn_rng r = { 0 };
        memcpy(r.counter, known[i].counter, sizeof r.counter);
        memcpy(r.key, known[i].key, sizeof r.key);
        bool same = true;
        for (int j = 0; j < 4; j++)
            same &= rn_rng_u32(&r) == known[i].out[j];
        ok(same, "Philox4x32-10 known answer %d", i);
    }
}

static void test_streams(void)
{
    struct rn_rng a, b;
    uint32_t first = 0;
    bool differ = true, same = true;
    rn_rng_init(&a, 7, RN_RNG_TEST, 3, 17);
    rn_rng_init(&b, 7, RN_RNG_TEST, 3, 17);
    for (int i = 0; i < 9; i++) {
        uint32_t u = rn_rng_u32(&a);
        first = i ? first : u;
        same &= rn_rng_u32(&b) == u;
    }
    static const struct {
        uint64_t seed;
        enum rn_purpose purpose;
        uint32_t epoch;
        uint64_t sample;
    } other[] = { { 8, RN_RNG_TEST, 3, 17 }, { 7 + (1ull << 32), RN_RNG_TEST, 3, 17 },
                  { 7, RN_RNG_INIT, 3, 17 }, { 7, RN_RNG_TEST, 4, 17 },
                  { 7, RN_RNG_TEST, 3, 18 }, { 7, RN_RNG_TEST, 3, 17 + (1ull << 32) } };
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        rn_rng_init(&a, other[i].seed, other[i].purpose, other[i].epoch, other[i].sample);
        differ &= rn_rng_u32(&a) != first;
    }
    ok(same, "a stream repeats itself");
    ok(differ, "seed, purpose, epoch and sample each make another stream");
}

static void test_distributions(void)
{
    enum { N = 60000 };
    struct rn_rng r;
    int hits[6] = { 0 };
    double mean = 0, square = 0, tail = 0, uniform = 0;
    bool range = true;
    rn_rng_init(&r, 1, RN_RNG_TEST, 0, 0);
    for (int i = 0; i < N; i++) {
        hits[rn_rng_below(&r, 6)]++;
        double u = rn_rng_uniform(&r), z = rn_rng_normal(&r);
        range &= u >= 0 && u < 1 && isfinite(z);
        uniform += u / N;
        mean += z / N;
        square += z * z / N;
        tail += (fabs(z) > 1.959964) / (double)N;
    }
    double chi = 0;
    for (int i = 0; i < 6; i++)
        chi += (hits[i] - N / 6.) * (hits[i] - N / 6.) / (N / 6.);
    ok(chi < 20.5, "rn_rng_below(6) is even: chi2 %.2f (5 degrees, 99.9 %%: 20.5)", chi);
    ok(range && fabs(uniform - .5) < .005, "uniform in [0, 1), mean %.4f", uniform);
    ok(fabs(mean) < .015 && fabs(square - 1) < .02 && fabs(tail - .05) < .004,
       "normal: mean %.4f, variance %.4f, outside 1.96 %.4f", mean, square, tail);
    bool large = true;
    int third = 0;
    for (int i = 0; i < 3000;
         i++) { /* without throwing again multiples of 3 come every other time */
        uint32_t v = rn_rng_below(&r, 3u << 30);
        large &= v < 3u << 30;
        third += v % 3 == 0;
    }
    ok(large && abs(third - 1000) < 110, "rn_rng_below(3 * 2^30) is even: %d of 3000", third);
    ok(rn_rng_below(&r, 1) == 0, "rn_rng_below(1) is 0");
}

/* ---- reading ---- */

static void test_map(void)
{
    struct rn_map m;
    put_file(in_dir("plain"), "hello");
    ok(!rn_map_open(&m, in_dir("plain")) && m.size == 5 && !memcmp(m.data, "hello", 5) && !m.owned,
       "a regular file is mapped");
    rn_map_close(&m);
    rn_map_close(&m);
    put_file(in_dir("empty"), "");
    ok(!rn_map_open(&m, in_dir("empty")) && m.size == 0 && m.data, "an empty file");
    rn_map_close(&m);
    ok(rn_map_open(&m, in_dir("absent")) == RN_EIO && strstr(rn_error(), "absent: No such file"),
       "an absent file: %s", rn_error());
    ok(rn_map_open(&m, dir) == RN_EIO && strstr(rn_error(), "directory"), "a folder: %s",
       rn_error());
    ok(!rn_map_open(&m, "/proc/self/stat") && m.size > 0, "a file that says size 0");
    rn_map_close(&m);
}

/* What was written to whole pages of a dropped part is gone, all else stays. */
static void test_map_drop(void)
{
    enum { N = 1 << 20, PART = 1 << 19 };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct rn_map m;
    FILE *f = fopen(in_dir("pages"), "w");
    for (int i = 0; f && i < N; i++)
        putc('a', f);
    if (!ok(f && !fclose(f) && !rn_map_open(&m, in_dir("pages")), "a file of many pages"))
        return;
    uint8_t *p = (uint8_t *)(uintptr_t)m.data;
    rn_map_want(&m, p + 1, PART);
    p[0] = p[page] = p[PART] = 'b';
    rn_map_drop(&m, p + 1, PART);
    ok(p[0] == 'b' && p[page] == 'a' && p[PART] == 'b', "only whole pages of a part are dropped");
    p[page] = 'b';
    rn_map_drop(&m, p + 1, N);
    rn_map_drop(&m, p + 1, 2 * page);
    ok(p[page] == 'b', "nothing, where the part is no part of the file, or little");
    rn_map_close(&m);
}

static void test_pipe(void)
{
    enum { N = 300000 };
    struct rn_map m;
    int end[2], saved = dup(STDIN_FILENO);
    if (pipe(end)) {
        ok(false, "pipe");
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < N; i++) {
            char c = (char)(i % 251);
            if (write(end[1], &c, 1) != 1)
                _exit(1);
        }
        _exit(0);
    }
    close(end[1]);
    dup2(end[0], STDIN_FILENO);
    close(end[0]);
    bool same = !rn_map_open(&m, "-") && m.size == N && m.owned;
    for (size_t i = 0; same && i < N; i++)
        same &= m.data[i] == i % 251;
    ok(same, "\"-\" reads a pipe to its end");
    rn_map_close(&m);
    dup2(saved, STDIN_FILENO);
    close(saved);
    waitpid(child, NULL, 0);
}

/* ---- writing ---- */

static int write_text(const char *path, const char *text)
{
    struct rn_writer *w;
    int status = rn_writer_open(&w, path);
    if (status)
        return status;
    status = rn_writer_write(w, text, strlen(text));
    if (status) {
        rn_writer_abort(w);
        return status;
    }
    return rn_writer_commit(w);
}

static int mode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) ? -1 : (int)(st.st_mode & 07777);
}

static void test_write(void)
{
    const char *path = in_dir("out"), *tmp = in_dir("out.tmp");
    struct rn_writer *w, *second;
    umask(027);
    ok(!write_text(path, "one") && holds(path, "one") && !exists(tmp), "a file is written");
    ok(mode_of(path) == 0640, "a new file has 0666 & ~umask: %o", mode_of(path));
    chmod(path, 0604);
    ok(!write_text(path, "two") && holds(path, "two") && mode_of(path) == 0604,
       "replacing keeps the permissions");

    ok(!rn_writer_open(&w, path) && !rn_writer_write(w, "three", 5) && holds(path, "two"),
       "the old file stands while the new one is written");
    ok(rn_writer_open(&second, path) == RN_EIO && strstr(rn_error(), "another process"),
       "a second writer is refused: %s", rn_error());
    ok(exists(tmp), "and leaves the first one's file alone");
    rn_writer_abort(w);
    ok(holds(path, "two") && !exists(tmp), "abort leaves the old file and no other");

    put_file(tmp, "left by a killed process, and longer than what comes");
    ok(!write_text(path, "four") && holds(path, "four") && !exists(tmp),
       "a leftover is taken over");
    rn_writer_abort(NULL);
    ok(rn_writer_open(&w, in_dir("no/such/folder")) == RN_EIO, "no folder: %s", rn_error());
    ok(rn_writer_open(&w, dir) == RN_EIO && strstr(rn_error(), "directory"), "a folder: %s",
       rn_error());
}

static void test_write_links(void)
{
    const char *path = in_dir("target"), *link = in_dir("link");
    struct stat st;
    put_file(path, "old");
    bool made = !symlink("target", link);
    ok(made && !write_text(link, "new") && holds(path, "new") && !lstat(link, &st) &&
           S_ISLNK(st.st_mode),
       "a symbolic link stays, its target is replaced");
    const char *trap = in_dir("trap"), *victim = in_dir("victim");
    put_file(victim, "precious");
    made = !symlink("victim", in_dir("trap.tmp"));
    ok(made && write_text(trap, "x") == RN_EIO && holds(victim, "precious"),
       "PATH.tmp that is a link is not followed: %s", rn_error());
}

static void test_write_large(void)
{
    enum { N = 3 << 20 };
    uint32_t *word = rn_alloc(N / 4, 4);
    for (uint32_t i = 0; i < N / 4; i++)
        word[i] = i * 2654435761u;
    static const size_t pieces[] = { 1, 1000, 700000, 1 << 20, 7, 1200000 };
    struct rn_writer *w;
    struct rn_map m;
    size_t at = 0;
    int status = rn_writer_open(&w, in_dir("large"));
    for (size_t i = 0; !status && at < N; i = (i + 1) % 6) {
        size_t n = pieces[i] < N - at ? pieces[i] : N - at;
        status = rn_writer_write(w, (char *)word + at, n);
        at += n;
    }
    status = status ? status : rn_writer_commit(w);
    ok(!status && !rn_map_open(&m, in_dir("large")) && m.size == N && !memcmp(m.data, word, N),
       "pieces smaller and larger than the buffer");
    rn_map_close(&m);
    rn_free(word);
}

/* What can't be replaced by renaming: a named pipe stands for the devices, which a mistake would
 * destroy. */
static void test_write_direct(void)
{
    const char *path = in_dir("fifo");
    char got[16] = "";
    struct stat st;
    int fd = mkfifo(path, 0600) ? -1 : open(path, O_RDONLY | O_NONBLOCK);
    int status = write_text(path, "direct");
    ok(!status && read(fd, got, sizeof got) == 6 && !strcmp(got, "direct") && !lstat(path, &st) &&
           S_ISFIFO(st.st_mode) && !exists(in_dir("fifo.tmp")),
       "a named pipe is written, not replaced");
    close(fd);
}

/* Runs write_text("-", text) with stdout being `path`. */
static int write_stdout(const char *path, const char *text)
{
    fflush(stdout);
    int saved = dup(STDOUT_FILENO), fd = open(path, O_WRONLY | O_CREAT, 0600);
    dup2(fd, STDOUT_FILENO);
    int status = write_text("-", text);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(fd);
    return status;
}

static void test_write_stdout(void)
{
    const char *path = in_dir("stdout");
    ok(!write_stdout(path, "to stdout") && holds(path, "to stdout"), "\"-\" writes to stdout");
    ok(write_stdout("/dev/full", "x") == RN_EIO && strstr(rn_error(), "stdout: No space left"),
       "a full device: %s", rn_error());
}

/* The disk is full: a limit on the size of files. */
static void test_write_full(void)
{
    struct rlimit old, limit;
    const char *path = in_dir("out"), *tmp = in_dir("out.tmp");
    put_file(path, "old");
    getrlimit(RLIMIT_FSIZE, &old);
    limit = old;
    limit.rlim_cur = 2000000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    char *block = rn_alloc(1500000, 1);
    struct rn_writer *w;
    int status = rn_writer_open(&w, path);
    ok(!status && !rn_writer_write(w, block, 1500000), "room at first");
    ok(rn_writer_write(w, block, 1500000) == RN_EIO, "then none: %s", rn_error());
    ok(rn_writer_commit(w) == RN_EIO && strstr(rn_error(), "out: "),
       "a commit after it fails, too: %s", rn_error());
    ok(holds(path, "old") && !exists(tmp), "the old file stands, nothing is left behind");
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_DFL);
    rn_free(block);
}

/* Many processes replace one file at once: each succeeds or is refused, and the file is always
 * whole. */
static void test_write_race(void)
{
    enum { WRITERS = 4, ROUNDS = 60 };
    const char *path = in_dir("race");
    put_file(path, "writer 0");
    pid_t child[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            char text[24];
            int refused = 0;
            snprintf(text, sizeof text, "writer %d", i);
            for (int round = 0; round < ROUNDS; round++)
                refused += write_text(path, text) && !strstr(rn_error(), "another process");
            _exit(refused != 0);
        }
    }
    bool right = true;
    for (int i = 0; i < WRITERS; i++) {
        int status;
        struct rn_map m;
        right &= !rn_map_open(&m, path) && m.size == 8 && !memcmp(m.data, "writer ", 7);
        rn_map_close(&m);
        right &= waitpid(child[i], &status, 0) == child[i] && status == 0;
    }
    ok(right && !exists(in_dir("race.tmp")), "%d processes replace one file at once", WRITERS);
}

/* ---- the machine ---- */

static void make_folders(char *path)
{
    for (char *p = path + strlen(dir) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(path, 0700);
        *p = '/';
    }
}

static int quota(const char *self, const char *file, const char *text, const char *file2,
                 const char *text2)
{
    char path[256];
    static int tree;
    const char *files[] = { file, file2 }, *texts[] = { text, text2 };
    tree++;
    for (int i = 0; i < 2 && files[i]; i++) {
        snprintf(path, sizeof path, "%s/tree%d/%s", dir, tree, files[i]);
        make_folders(path);
        put_file(path, texts[i]);
    }
    put_file(in_dir("self"), self);
    snprintf(path, sizeof path, "%s/tree%d", dir, tree);
    return rn_quota_cpus(in_dir("self"), path);
}

static void test_quota(void)
{
    ok(quota("0::/a/b\n", "a/b/cpu.max", "150000 100000\n", NULL, NULL) == 2,
       "v2: 1.5 CPUs are 2 threads");
    ok(quota("0::/a/b\n", "a/b/cpu.max", "max 100000\n", NULL, NULL) == 0, "v2: max is no quota");
    ok(quota("0::/a/b\n", "a/b/cpu.max", "max 100000\n", "a/cpu.max", "300000 100000\n") == 3,
       "v2: a parent's quota counts");
    ok(quota("0::/a/b\n", "a/b/cpu.max", "400000 100000\n", "a/cpu.max", "300000 100000\n") == 3 &&
           quota("0::/a/b\n", "a/b/cpu.max", "200000 100000\n", "a/cpu.max", "300000 100000\n") ==
               2,
       "v2: the narrowest counts");
    ok(quota("0::/x/y\n", "cpu.max", "50000 100000\n", NULL, NULL) == 1,
       "v2: in a container the mount is the group");
    ok(quota("9:name=systemd:/\n5:cpuset:/z\n3:cpuacct,cpu:/a\n0::/\n", "cpu/a/cpu.cfs_quota_us",
             "400000\n", "cpu/a/cpu.cfs_period_us", "100000\n") == 4,
       "v1: quota and period");
    ok(quota("3:cpu:/a\n", "cpu/a/cpu.cfs_quota_us", "-1\n", "cpu/a/cpu.cfs_period_us",
             "100000\n") == 0,
       "v1: -1 is no quota");
    ok(quota("rubbish\n", "cpu.max", "1 1\n", NULL, NULL) == 0, "a strange file is no quota");
    ok(rn_quota_cpus(in_dir("absent"), dir) == 0, "no file is no quota");
}

static void test_threads(void)
{
    cpu_set_t mask;
    unsetenv("OMP_NUM_THREADS");
    int n = rn_threads_default();
    ok(n >= 1 && !sched_getaffinity(0, sizeof mask, &mask) && n <= CPU_COUNT(&mask),
       "%d threads by default", n);
    static const struct {
        const char *text;
        int want; /* 0: the default */
    } row[] = { { "7", 7 },  { "5,2", 5 }, { " 3 ", 3 },
                { "0", 0 },  { "-2", 0 },  { "", 0 },
                { "4x", 0 }, { "x", 0 },   { "99999999999999999999", 0 } };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        setenv("OMP_NUM_THREADS", row[i].text, 1);
        ok(rn_threads_default() == (row[i].want ? row[i].want : n), "OMP_NUM_THREADS=\"%s\"",
           row[i].text);
    }
    unsetenv("OMP_NUM_THREADS");
    double t = rn_seconds();
    usleep(2000);
    double passed = rn_seconds() - t;
    ok(passed >= .002 && passed < 10, "the clock counts seconds");
}

int main(void)
{
    folder_make("base");
    test_err();
    test_alloc();
    test_sizes();
    test_array();
    test_grow();
    test_arena();
    test_philox();
    test_streams();
    test_distributions();
    test_map();
    test_map_drop();
    test_pipe();
    test_write();
    test_write_links();
    test_write_large();
    test_write_direct();
    test_write_stdout();
    test_write_full();
    test_write_race();
    test_quota();
    test_threads();
    ok(folder_remove(), "the temporary folder is gone");
    return done();
}
