/*
 * Runs a fuzz target (LLVMFuzzerTestOneInput) under any compiler: on the files named, or on every
 * file of tests/fuzz/corpus/PROGRAM, on mutations of them that are the same every time, and again
 * with one allocation failing. An input that crashes, hangs or loses memory is left in
 * PROGRAM.crash. With clang, -fsanitize=fuzzer instead of this file searches for new inputs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/tap.h"
#include "base/file.h"
#include "base/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MUTATIONS = 30000, SHARE = 8, EDITS_MAX = 4, GROWTH = 64, SECONDS = 20 };

/* ---- allocations that fail: glibc's, wrapped; a sanitizer has its own ---- */

static long allocations, fail_at; /* since the target was called; the one that fails, 0: none */
static long live;                 /* blocks not freed yet */

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer) || !defined(__GLIBC__)
static const bool can_fail = false;
#else
static const bool can_fail = true;

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);
extern void __libc_free(void *p);

static bool refused(void)
{
    if (++allocations != fail_at)
        return false;
    errno = ENOMEM;
    return true;
}

static void *counted(void *p)
{
    live += p != NULL;
    return p;
}

void *malloc(size_t n)
{
    return refused() ? NULL : counted(__libc_malloc(n));
}

void *calloc(size_t count, size_t size)
{
    return refused() ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *p, size_t n)
{
    if (refused())
        return NULL;
    live -= p && !n; /* glibc frees it */
    return p ? __libc_realloc(p, n) : counted(__libc_malloc(n));
}

void *memalign(size_t align, size_t n) /* never fails: for what a target wants to spare */
{
    return counted(__libc_memalign(align, n));
}

void *aligned_alloc(size_t align, size_t n)
{
    return refused() ? NULL : memalign(align, n);
}

int posix_memalign(void **p, size_t align, size_t n)
{
    void *q = aligned_alloc(align, n);
    if (!q)
        return ENOMEM;
    *p = q;
    return 0;
}

void free(void *p)
{
    live -= p != NULL;
    __libc_free(p);
}
#endif

/* ---- one run ---- */

static char crash[4096]; /* where an input that crashes goes */
static const uint8_t *input;
static size_t input_size;

static void save_input(void)
{
    static const char text[] =
        "not ok - the target crashed, hung or lost memory; its input is in PROGRAM.crash\n";
    int fd = open(crash, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0 || write(fd, input, input_size) < 0 || close(fd) ||
        write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
        _exit(2);
}

static void died(int sig)
{
    save_input();
    signal(sig, SIG_DFL);
    raise(sig);
}

/* A sanitizer's report ends the program without a signal, but calls back. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void watch(const char *program)
{
    snprintf(crash, sizeof(crash), "%s.crash", program);
    static const int sigs[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM };
    for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
        signal(sigs[i], died);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(save_input);
}

/*
 * The target gets a copy of exactly n bytes, so that a read past them is seen. `nth` allocation
 * fails (0: none). Returns how many allocations the target made.
 */
static long run(const uint8_t *data, size_t n, long nth)
{
    uint8_t *copy = malloc(n);
    if (n)
        memcpy(copy, data, n);
    input = data;
    input_size = n;
    alarm(SECONDS);
    allocations = 0;
    fail_at = nth;
    LLVMFuzzerTestOneInput(copy, n);
    fail_at = 0;
    long made = allocations;
    free(copy);
    return made;
}

/* A block lost in one run may be a library's cache; in two, it is lost. */
static void run_failing(const uint8_t *data, size_t n, long nth)
{
    for (int lost = 0;; lost++) {
        long before = live;
        run(data, n, nth);
        if (live == before)
            return;
        if (lost)
            abort();
    }
}

/* ---- mutations ---- */

struct bytes {
    uint8_t *data;
    size_t n, room;
};

/* Adds to an integer of 1 to 8 bytes, of either end, or makes it extreme. */
static void edit_number(struct bytes *b, size_t at, struct rn_rng *r)
{
    static const uint64_t extremes[] = {
        0, 1, 0x7f, 0xff, 0x7fffffff, 0xffffffff, 1ull << 63, ~0ull
    };
    size_t width = (size_t)1 << rn_rng_below(r, 4);
    if (at + width > b->n)
        return;
    bool big = rn_rng_below(r, 2), add = rn_rng_below(r, 2);
    uint64_t v = 0;
    for (size_t i = 0; i < width; i++)
        v |= (uint64_t)b->data[at + (big ? width - 1 - i : i)] << 8 * i;
    v = add ? v + rn_rng_below(r, 33) - 16 : extremes[rn_rng_below(r, 8)];
    for (size_t i = 0; i < width; i++)
        b->data[at + (big ? width - 1 - i : i)] = (uint8_t)(v >> 8 * i);
}

/* Puts `n` bytes of the input itself, or random ones, before `at`. */
static void insert(struct bytes *b, size_t at, struct rn_rng *r)
{
    uint8_t piece[8];
    size_t n = 1 + rn_rng_below(r, sizeof(piece)), from = rn_rng_below(r, (uint32_t)b->n);
    if (b->n + n > b->room)
        return;
    bool own = rn_rng_below(r, 2) && from + n <= b->n;
    for (size_t i = 0; i < n; i++)
        piece[i] = own ? b->data[from + i] : (uint8_t)rn_rng_u32(r);
    memmove(b->data + at + n, b->data + at, b->n - at);
    memcpy(b->data + at, piece, n);
    b->n += n;
}

static void mutate(struct bytes *b, struct rn_rng *r)
{
    if (!b->n)
        return;
    size_t at = rn_rng_below(r, (uint32_t)b->n), left = b->n - at;
    switch (rn_rng_below(r, 6)) {
    case 0:
        b->data[at] ^= (uint8_t)(1 << rn_rng_below(r, 8));
        break;
    case 1: /* a digit, or any printable character */
        b->data[at] =
            (uint8_t)(rn_rng_below(r, 2) ? '0' + rn_rng_below(r, 10) : ' ' + rn_rng_below(r, 95));
        break;
    case 2:
        edit_number(b, at, r);
        break;
    case 3:
        insert(b, at, r);
        break;
    case 4: { /* a hole */
        size_t n = 1 + rn_rng_below(r, 8);
        n = n < left ? n : left;
        memmove(b->data + at, b->data + at + n, left - n);
        b->n -= n;
        break;
    }
    case 5:
        if (!rn_rng_below(r, 4))
            b->n = at;
        break;
    }
}

/* ---- the saved inputs ---- */

static int visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

/* Maps every file of the folder, in byte order; *out is the caller's, until the end. */
static int load(struct rn_map **out, const char *folder)
{
    struct dirent **d;
    int n = scandir(folder, &d, visible, alphasort);
    if (n < 1)
        return 0;
    *out = calloc((size_t)n, sizeof(**out));
    for (int i = 0; i < n; i++) {
        char path[4096 + sizeof(d[i]->d_name)];
        snprintf(path, sizeof(path), "%s/%s", folder, d[i]->d_name);
        if (rn_map_open(&(*out)[i], path))
            return 0;
        free(d[i]);
    }
    free(d);
    return n;
}

static long run_mutations(const struct rn_map *seed, int seeds)
{
    long failures = 0;
    for (int i = 0; i < MUTATIONS; i++) {
        struct rn_rng r;
        rn_rng_init(&r, 0, RN_RNG_TEST, 0, (uint64_t)i);
        const struct rn_map *s = &seed[rn_rng_below(&r, (uint32_t)seeds)];
        struct bytes b = { malloc(s->size + GROWTH), s->size, s->size + GROWTH };
        memcpy(b.data, s->data, s->size);
        for (uint32_t edits = 1 + rn_rng_below(&r, EDITS_MAX); edits; edits--)
            mutate(&b, &r);
        long n = run(b.data, b.n, 0);
        if (can_fail && i % SHARE == 0 && n) {
            run_failing(b.data, b.n, 1 + (long)rn_rng_below(&r, (uint32_t)n));
            failures++;
        }
        free(b.data);
    }
    return failures;
}

static int run_corpus(const char *folder)
{
    struct rn_map *seed = NULL;
    int seeds = load(&seed, folder);
    if (!ok(seeds > 0, "%s has saved inputs", folder))
        return done();
    long failures = 0;
    for (int i = 0; i < seeds; i++) {
        long n = run(seed[i].data, seed[i].size, 0);
        for (long nth = 1; can_fail && nth <= n; nth++, failures++)
            run_failing(seed[i].data, seed[i].size, nth);
    }
    ok(true, "%d saved inputs", seeds);
    failures += run_mutations(seed, seeds);
    ok(true, "%d mutations of them", MUTATIONS);
    if (can_fail)
        ok(failures > 0, "%ld runs with an allocation failing", failures);
    else
        ok(true, "runs with an allocation failing # SKIP the sanitizer has its own malloc");
    for (int i = 0; i < seeds; i++)
        rn_map_close(&seed[i]);
    free(seed);
    return done();
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    char folder[4096];
    watch(argv[0]);
    if (argc < 2) {
        snprintf(folder, sizeof(folder), "tests/fuzz/corpus/%s", slash ? slash + 1 : argv[0]);
        return run_corpus(folder);
    }
    for (int i = 1; i < argc; i++) {
        struct rn_map map;
        if (ok(!rn_map_open(&map, argv[i]), "%s is read", argv[i])) {
            run(map.data, map.size, 0);
            ok(true, "%s", argv[i]);
            rn_map_close(&map);
        }
    }
    return done();
}
