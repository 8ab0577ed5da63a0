/* Augmentation and the loader: what is in a batch depends on (seed, epoch, number) alone. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"
#include "data/loader.h"
#include "data/resize.h"
#include "folder.h"
#include "tap.h"

enum { N = 103, H = 6, W = 5, BATCH = 8, BATCHES = (N + BATCH - 1) / BATCH };

static char path[128];

static uint8_t pixel_of(long index, int i)
{
    return (uint8_t)(index * 37 + i * 11 + (i * i) % 7);
}

/* The data set of all tests: N pictures of H x W, labels i mod 10. */
static uint8_t *pictures(size_t *n)
{
    static const uint8_t header[16] = { 0, 0, 8, 3, 0, 0, 0, N, 0, 0, 0, H, 0, 0, 0, W };
    *n = sizeof header + N * H * W;
    uint8_t *p = rn_alloc(*n, 1);
    memcpy(p, header, sizeof header);
    for (int i = 0; i < N * H * W; i++)
        p[sizeof header + (size_t)i] = pixel_of(i / (H * W), i % (H * W));
    return p;
}

static void write_data(void)
{
    size_t n;
    char labels[128];
    uint8_t *p = pictures(&n), l[8 + N] = { 0, 0, 8, 1, 0, 0, 0, N };
    for (int i = 0; i < N; i++)
        l[8 + i] = (uint8_t)(i % 10);
    snprintf(path, sizeof path, "%s/images-idx3", dir);
    snprintf(labels, sizeof labels, "%s/labels-idx1", dir);
    FILE *f = fopen(path, "w"), *g = fopen(labels, "w");
    if (f && g) {
        fwrite(p, 1, n, f);
        fwrite(l, 1, sizeof l, g);
        fclose(f);
        fclose(g);
    }
    rn_free(p);
}

static struct rn_prep prep(int h, int w)
{
    return (struct rn_prep){
        .C = 1, .H = h, .W = w, .mean = { .25f }, .std = { .5f }, .resize = "squash"
    };
}

/* ---- augmentation ---- */

/* The definition: pad by zeros, cut out at (dy, dx), flip, normalise; one pixel at a time. */
static float naive(const struct rn_prep *p, struct rn_shift s, const uint8_t *in, int h, int w,
                   int c)
{
    int y = h + s.dy, x = (s.flip ? p->W - 1 - w : w) + s.dx;
    bool inside = y >= 0 && y < p->H && x >= 0 && x < p->W;
    float v = inside ? in[(y * p->W + x) * p->C + c] : 0;
    return (v / 255 - p->mean[c]) / p->std[c];
}

static bool shift_right(int C, struct rn_shift s)
{
    struct rn_prep p = {
        .C = C, .H = 4, .W = 7, .mean = { .1f, .2f, .3f }, .std = { 1, .5f, .3f }
    };
    uint8_t in[4 * 7 * 3];
    float out[4 * 7 * 3 + 1];
    for (int i = 0; i < 4 * 7 * C; i++)
        in[i] = (uint8_t)(i * 29 + 1);
    out[4 * 7 * C] = 12345;
    rn_augment_apply(&p, s, in, out);
    bool right = out[4 * 7 * C] == 12345;
    for (int h = 0; h < p.H; h++) {
        for (int w = 0; w < p.W; w++)
            for (int c = 0; c < C; c++)
                right &= out[(h * p.W + w) * C + c] == naive(&p, s, in, h, w, c);
    }
    return right;
}

static void test_apply(void)
{
    bool right = true;
    for (int C = 1; C <= 3; C += 2) {
        for (int dy = -5; dy <= 5; dy++) {
            for (int dx = -8; dx <= 8; dx++) {
                right &= shift_right(C, (struct rn_shift){ false, dy, dx }) &&
                         shift_right(C, (struct rn_shift){ true, dy, dx });
            }
        }
    }
    ok(right, "shift, flip and normalisation are those of the definition");
}

static void test_draw(void)
{
    enum { TIMES = 4000, CROP = 2, SIDE = 2 * CROP + 1 };
    struct rn_augment a = { .flip = RN_FLIP_RANDOM, .crop = CROP };
    int flips = 0, at[SIDE][SIDE] = { { 0 } };
    bool inside = true, same = true;
    for (long i = 0; i < TIMES; i++) {
        struct rn_shift s = rn_augment_draw(&a, 5, 3, i), t = rn_augment_draw(&a, 5, 3, i);
        same &= s.flip == t.flip && s.dy == t.dy && s.dx == t.dx;
        if (abs(s.dy) > CROP || abs(s.dx) > CROP) {
            inside = false;
            continue;
        }
        flips += s.flip;
        at[s.dy + CROP][s.dx + CROP]++;
    }
    double chi = 0, want = (double)TIMES / (SIDE * SIDE);
    for (int i = 0; i < SIDE * SIDE; i++)
        chi += (at[i / SIDE][i % SIDE] - want) * (at[i / SIDE][i % SIDE] - want) / want;
    ok(inside && same && abs(flips - TIMES / 2) < 120 && chi < 51.2,
       "dice are even: %d of %d flips, chi2 %.1f of places (24 degrees, 99.9 %%: 51.2)", flips,
       TIMES, chi);
    struct rn_augment none = { 0 }, flip = { .flip = RN_FLIP_RANDOM }, crop = { .crop = CROP };
    bool off = true, apart = true;
    for (long i = 0; i < 100; i++) {
        struct rn_shift s = rn_augment_draw(&none, 5, 3, i), both = rn_augment_draw(&a, 5, 3, i),
                        c = rn_augment_draw(&crop, 5, 3, i);
        off &= !s.flip && !s.dy && !s.dx;
        apart &=
            rn_augment_draw(&flip, 5, 3, i).flip == both.flip && c.dy == both.dy && c.dx == both.dx;
    }
    ok(off && apart, "options that are off do nothing and change no other dice");
}

/* Every picture both ways in two epochs, half of them flipped in each, crops as without. */
static void test_alternating(void)
{
    enum { TIMES = 4000 };
    struct rn_augment a = { .flip = RN_FLIP_ALTERNATING, .crop = 2 };
    struct rn_augment coin = { .flip = RN_FLIP_RANDOM, .crop = 2 };
    int flips = 0, other = 0;
    bool turns = true, returns = true, same = true;
    for (long i = 0; i < TIMES; i++) {
        struct rn_shift s = rn_augment_draw(&a, 5, 0, i), c = rn_augment_draw(&coin, 5, 0, i);
        flips += s.flip;
        other += s.flip == rn_augment_draw(&a, 6, 0, i).flip;
        turns &= s.flip != rn_augment_draw(&a, 5, 1, i).flip;
        returns &= s.flip == rn_augment_draw(&a, 5, 8, i).flip;
        same &= s.dy == c.dy && s.dx == c.dx;
    }
    ok(turns && returns && same, "alternating: flipped in every other epoch, crops by other dice");
    ok(abs(flips - TIMES / 2) < 120 && abs(other - TIMES / 2) < 120,
       "alternating: %d of %d flipped in the first epoch, by the seed", flips, TIMES);
}

/* ---- batches ---- */

/* All batches of an epoch, from `first` on. */
struct epoch {
    int batches;
    int n[BATCHES + 1];
    long index[N + BATCH]; /* by the record names */
    int label[N + BATCH];
    float x[N + BATCH][H * W];
    int status;
};

static struct epoch *collect(struct rn_loader *l, int epoch, long first)
{
    struct epoch *e = rn_alloc(1, sizeof *e);
    struct rn_batch b;
    int at = (int)first * BATCH;
    rn_loader_start(l, epoch, first);
    for (e->batches = (int)first; !(e->status = rn_loader_next(l, &b)) && b.n; e->batches++) {
        if (e->batches > BATCHES || at + b.n > N + BATCH) {
            e->status = 1;
            break;
        }
        e->n[e->batches] = b.n;
        for (int i = 0; i < b.n; i++, at++) {
            const char *number = strrchr(b.name[i], '#');
            e->index[at] = number ? atol(number + 1) : -1;
            e->label[at] = b.label[i];
            memcpy(e->x[at], b.x + (size_t)i * H * W, sizeof e->x[0]);
        }
    }
    if (rn_loader_next(l, &b) != e->status || b.n)
        e->status = 1;
    return e;
}

/* Is every picture in it that of its record name, augmented as the dice of that picture say? */
static bool content_right(const struct epoch *e, const struct rn_loader_config *c, int epoch)
{
    uint8_t in[H * W];
    bool right = true;
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < H * W; j++)
            in[j] = pixel_of(e->index[i], j);
        struct rn_shift s = rn_augment_draw(&c->augment, c->seed, epoch, e->index[i]);
        right &= e->label[i] == e->index[i] % 10;
        for (int j = 0; j < H * W; j++)
            right &= e->x[i][j] == naive(&c->prep, s, in, j / W, j % W, 0);
    }
    return right;
}

static bool is_permutation(const struct epoch *e, int *fixed)
{
    bool seen[N] = { false };
    *fixed = 0;
    for (int i = 0; i < N; i++) {
        if (e->index[i] < 0 || e->index[i] >= N || seen[e->index[i]])
            return false;
        seen[e->index[i]] = true;
        *fixed += e->index[i] == i;
    }
    return true;
}

static void test_order(struct rn_source *s)
{
    struct rn_prep p = prep(H, W);
    struct rn_loader_config c = { .prep = p, .batch = BATCH, .ahead = 2 };
    struct rn_loader *l = NULL;
    if (!ok(!rn_loader_open(&l, s, &p, BATCH, 2), "rn_loader_open"))
        return;
    struct rn_batch b;
    ok(!rn_loader_next(l, &b) && b.n == BATCH && b.label[7] == 7 && strstr(b.name[7], "#7"),
       "starts at the beginning by itself");
    struct epoch *e = collect(l, 0, 0);
    bool order = !e->status && e->batches == BATCHES && e->n[BATCHES - 1] == N % BATCH;
    for (int i = 0; i < N; i++)
        order &= e->index[i] == i;
    ok(order, "in order, with a short last batch");
    ok(content_right(e, &c, 0), "pixels, labels and names are right");
    rn_loader_close(l);
    rn_free(e);
    l = NULL;
    rn_loader_new(&l, s, &c);
    ok(l && !rn_loader_next(l, &b) && !b.n, "nothing before the start");
    rn_loader_close(l);
    rn_loader_close(NULL);
}

static void test_shuffle(struct rn_source *s)
{
    struct rn_loader_config c = { .prep = prep(H, W),
                                  .augment = { .flip = RN_FLIP_RANDOM, .crop = 2 },
                                  .batch = BATCH,
                                  .ahead = 2,
                                  .shuffle = true,
                                  .seed = 11 };
    struct rn_loader *l = NULL, *k = NULL;
    if (!ok(!rn_loader_new(&l, s, &c), "rn_loader_new with shuffle and augmentation"))
        return;
    struct epoch *e = collect(l, 2, 0), *other = collect(l, 3, 0);
    int fixed;
    bool permutation = is_permutation(e, &fixed);
    ok(!e->status && e->batches == BATCHES && permutation && fixed < 10,
       "an epoch is a permutation (%d of %d stay)", fixed, N);
    ok(content_right(e, &c, 2), "augmentation follows the picture, not its place");
    ok(is_permutation(other, &fixed) && memcmp(e->index, other->index, sizeof e->index) != 0 &&
           content_right(other, &c, 3),
       "another epoch, another permutation");
    bool same = true;
    for (int first = 0; first <= BATCHES; first++) {
        struct epoch *part = collect(l, 2, first);
        size_t at = (size_t)first * BATCH, rest = first < BATCHES ? N - at : 0;
        same &= !part->status && part->batches == (first < BATCHES ? BATCHES : first) &&
                (!rest || (!memcmp(part->x[at], e->x[at], rest * sizeof e->x[0]) &&
                           !memcmp(part->label + at, e->label + at, rest * sizeof(int))));
        rn_free(part);
    }
    ok(same, "the same bits from every start position");
    rn_loader_close(l);
    c.seed = 12;
    rn_loader_new(&k, s, &c);
    struct epoch *f = collect(k, 2, 0);
    ok(memcmp(e->index, f->index, sizeof e->index) != 0, "another seed, another permutation");
    rn_loader_close(k);
    rn_free(e);
    rn_free(other);
    rn_free(f);
}

/* The resize is the one of resize.c, and a batch holds what the caller got until the next call. */
static void test_resize(struct rn_source *s)
{
    enum { P = 9, Q = 12 };
    struct rn_prep p = prep(P, Q);
    struct rn_loader *l = NULL;
    struct rn_resizer *r = NULL;
    struct rn_batch b;
    bool right = !rn_loader_open(&l, s, &p, 10, 2) && !rn_resizer_new(&r, 1, H, W, P, Q);
    for (long at = 0; right && at < N; at += b.n) {
        if (rn_loader_next(l, &b) || !b.n) {
            right = false;
            break;
        }
        usleep(300); /* the thread must not touch it meanwhile */
        for (int i = 0; i < b.n; i++) {
            uint8_t in[H * W], out[P * Q];
            for (int j = 0; j < H * W; j++)
                in[j] = pixel_of(at + i, j);
            rn_resizer_run(r, in, out);
            for (int j = 0; j < P * Q; j++)
                right &= b.x[i * P * Q + j] == ((float)out[j] / 255 - .25f) / .5f;
        }
    }
    ok(right, "resized on the way");
    rn_loader_close(l);
    rn_resizer_free(r);
}

/* ---- many workers, broken pictures ---- */

/* A source of pictures that take their time; every fifth is no picture. */
static int read_slow(struct rn_source *s, long index, struct rn_item *it)
{
    static uint8_t pixel[N];
    if (index >= s->count)
        return 0;
    if (rn_item_begin(it, s->path, index) || rn_item_reserve(it, 16))
        return RN_EMEM;
    pixel[index] = (uint8_t)index;
    it->label = (int)index;
    it->image = (struct rn_image){ 1, 1, 1, &pixel[index] };
    if (index % 5 == 4)
        it->image.pixel = NULL;
    usleep((unsigned)(index * 37 % 300));
    return 1;
}

static void close_slow(struct rn_source *s)
{
    (void)s;
}

static const struct rn_source_kind slow = { .name = "slow",
                                            .read = read_slow,
                                            .close = close_slow };

/* Every place is that of its picture, broken ones are zeros and say so. */
static bool slow_right(const struct rn_batch *b, int at)
{
    bool right = true;
    for (int i = 0; i < b->n; i++, at++) {
        bool broken = at % 5 == 4;
        right &= b->index[i] == at && b->label[i] == at && !b->error[i] == !broken &&
                 b->x[i] == (broken ? 0 : (float)at / 255) &&
                 (!broken || strstr(b->error[i], b->name[i]));
    }
    return right;
}

static void test_workers(void)
{
    char name[] = "slow";
    for (int threads = 1; threads <= 16; threads *= 4) {
        struct rn_source s = { .kind = &slow, .path = name, .count = N, .random = true };
        struct rn_prep p = { .C = 1, .H = 1, .W = 1, .std = { 1 }, .resize = "squash" };
        struct rn_loader *l = NULL;
        struct rn_batch b;
        int at = 0;
        bool right = !rn_loader_open(&l, &s, &p, BATCH, threads);
        for (; right && !rn_loader_next(l, &b) && b.n; at += b.n)
            right = slow_right(&b, at);
        ok(right && at == N, "%d workers: order, pixels, errors", threads);
        rn_loader_start(l, 0, 0);
        right = !rn_loader_next(l, &b);
        rn_loader_compact(l, &b);
        right &= b.n == 7;
        for (int i = 0; right && i < b.n; i++)
            right = b.index[i] == i + (i > 3) && b.x[i] == (float)b.index[i] / 255 &&
                    b.label[i] == b.index[i] && !b.error[i];
        ok(right, "broken pictures taken out");
        rn_loader_close(l);
    }
}

/* ---- batches ahead, kept pictures ---- */

static void test_ahead(struct rn_source *s)
{
    struct rn_loader_config c = { .prep = prep(H, W),
                                  .augment = { .flip = RN_FLIP_ALTERNATING, .crop = 2 },
                                  .batch = BATCH,
                                  .shuffle = true,
                                  .seed = 3 };
    struct epoch *e[5] = { NULL };
    bool same = true;
    for (c.ahead = 0; c.ahead < 5; c.ahead++) {
        struct rn_loader *l = NULL;
        c.threads = 1 + c.ahead % 3;
        if (!ok(!rn_loader_new(&l, s, &c), "%d batches ahead", c.ahead))
            return;
        double before = rn_loader_waited(l);
        e[c.ahead] = collect(l, 2, 1);
        same &= !e[c.ahead]->status && !memcmp(e[c.ahead]->x, e[0]->x, sizeof e[0]->x) &&
                before == 0 && rn_loader_waited(l) > 0;
        rn_loader_start(l, 3, 0);
        same &= rn_loader_waited(l) == 0;
        rn_loader_close(l);
    }
    ok(same, "the same bits whatever is read ahead; waiting is counted from the start on");
    for (int i = 0; i < 5; i++)
        rn_free(e[i]);
}

enum { FILES = 12 };

/* Picture files of many sizes in the folder "pictures/class"; broken: what is no picture. */
static void put_pictures(bool broken)
{
    for (int i = 0; i < FILES; i++) {
        char name[64], text[256];
        uint8_t pixel[8 * (4 + FILES)];
        snprintf(name, sizeof name, "pictures/class/%c.pgm", 'a' + i);
        int n = snprintf(text, sizeof text, "P5 %d 8 255\n", 4 + i), size = 8 * (4 + i);
        for (int j = 0; j < size; j++)
            pixel[j] = broken ? 0 : pixel_of(i, j);
        memcpy(text + n, pixel, (size_t)size);
        put(name, text, (size_t)n + (broken ? 0 : (size_t)size));
    }
}

/* The inputs of an epoch, [FILES][H * W]; returns how many pictures are broken, or -1. */
static int epoch_inputs(struct rn_loader *l, int epoch, float *x)
{
    struct rn_batch b;
    int broken = 0, n = 0;
    rn_loader_start(l, epoch, 0);
    for (; !rn_loader_next(l, &b) && b.n && n + b.n <= FILES; n += b.n) {
        memcpy(x + n * H * W, b.x, (size_t)(b.n * H * W) * sizeof *x);
        for (int i = 0; i < b.n; i++)
            broken += b.error[i] != NULL;
    }
    return n == FILES ? broken : -1;
}

/* Epochs 0 and 1 with room for `keep` bytes; the files break between them. Returns how many
 * pictures of epoch 1 are broken. */
static int keep_epochs(size_t keep, float *x)
{
    struct rn_loader_config c = { .prep = prep(H, W),
                                  .augment = { .flip = RN_FLIP_RANDOM, .crop = 1 },
                                  .batch = 5,
                                  .ahead = 1,
                                  .threads = 3,
                                  .keep = keep,
                                  .shuffle = true };
    struct rn_loader *l = NULL;
    struct rn_source *s = NULL;
    int broken = -1;
    put_pictures(false);
    if (!rn_source_open(&s, in_dir("pictures"), RN_PART_DEFAULT, RN_PART_TRAIN, NULL) &&
        !rn_loader_new(&l, s, &c) && epoch_inputs(l, 0, x) == 0) {
        put_pictures(keep > 0);
        broken = epoch_inputs(l, 1, x + FILES * H * W);
    }
    rn_loader_close(l);
    rn_source_close(s);
    return broken;
}

static void test_keep(void)
{
    static float x[3][2 * FILES * H * W];
    char command[256];
    snprintf(command, sizeof command, "mkdir -p '%s'", in_dir("pictures/class"));
    bool made = !system(command);
    ok(made && keep_epochs(0, x[0]) == 0, "pictures of files");
    ok(keep_epochs((size_t)FILES * H * W, x[1]) == 0 && !memcmp(x[0], x[1], sizeof x[0]),
       "kept pictures: the files are not read again, and the bits are the same");
    ok(keep_epochs((size_t)FILES * H * W - 1, x[2]) == FILES, "where all do not fit, none is kept");
}

/* Starting over and closing at any moment. */
static void test_restart(struct rn_source *s)
{
    struct rn_loader_config c = {
        .prep = prep(96, 96), .batch = BATCH, .ahead = 2, .shuffle = true
    };
    struct rn_batch b;
    bool right = true;
    for (int i = 0; i < 60; i++) {
        struct rn_loader *l = NULL;
        right &= !rn_loader_new(&l, s, &c);
        for (int j = 0; right && j < i % 4; j++) {
            rn_loader_start(l, j, i % 5);
            for (int k = 0; k < i % 7; k++)
                right &= !rn_loader_next(l, &b) && b.n == BATCH;
        }
        if (i % 3)
            usleep(i * 20);
        rn_loader_close(l);
    }
    ok(right, "started over and closed at many moments");
}

static void test_refused(struct rn_source *s)
{
    struct rn_loader *l = NULL;
    struct rn_prep p = prep(H, W);
    p.C = 3;
    ok(rn_loader_open(&l, s, &p, 4, 2) == RN_EUSAGE && strstr(rn_error(), "channels"),
       "channels: %s", rn_error());
    p.C = 1;
    ok(rn_loader_open(&l, s, &p, 0, 2) == RN_EUSAGE, "batch: %s", rn_error());
    strcpy(p.resize, "short=256,crop=224");
    ok(rn_loader_open(&l, s, &p, 4, 2) == RN_EUSAGE, "resize: %s", rn_error());
}

static volatile sig_atomic_t on_main;
static pthread_t main_thread;

static void on_signal(int number)
{
    (void)number;
    on_main = pthread_equal(pthread_self(), main_thread) ? 1 : -1;
}

static void test_signals(struct rn_source *s)
{
    struct rn_prep p = prep(H, W);
    struct rn_loader *l = NULL;
    struct sigaction act = { .sa_handler = on_signal };
    sigset_t usr1;
    main_thread = pthread_self();
    sigaction(SIGUSR1, &act, NULL);
    rn_loader_open(&l, s, &p, BATCH, 2);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    kill(getpid(), SIGUSR1);
    usleep(20000); /* time for the thread to take it, if it could */
    bool pending = !on_main;
    pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
    ok(pending && on_main == 1, "signals are left to the caller's thread");
    rn_loader_close(l);
}

/* ---- pipes ---- */

/* stdin becomes a pipe. Returns its other end. */
static int pipe_stdin(int *saved)
{
    int end[2];
    if (pipe(end))
        return -1;
    *saved = dup(STDIN_FILENO);
    dup2(end[0], STDIN_FILENO);
    close(end[0]);
    return end[1];
}

static void restore_stdin(int saved)
{
    dup2(saved, STDIN_FILENO);
    close(saved);
}

static bool send_all(int fd, const uint8_t *p, size_t n)
{
    return write(fd, p, n) == (ssize_t)n;
}

static void test_idle_pipe(void)
{
    enum { SIZE = H * W };
    size_t n;
    int saved, fd = pipe_stdin(&saved);
    uint8_t *p = pictures(&n);
    struct rn_prep net = prep(H, W);
    struct rn_source *s = NULL;
    struct rn_loader *l = NULL;
    struct rn_batch b;
    bool sent = send_all(fd, p, 16 + 3 * SIZE + 7); /* three pictures and a piece of one */
    ok(sent && !rn_source_open(&s, "-", RN_PART_DEFAULT, RN_PART_TEST, NULL) &&
           !rn_loader_open(&l, s, &net, BATCH, 2) && !rn_loader_next(l, &b) && b.n == 3 &&
           b.label[0] == -1,
       "an idle pipe: the pictures that are there come at once");
    sent = send_all(fd, p + 16 + 3 * SIZE + 7, n - 16 - 3 * SIZE - 7);
    int count = 3;
    while (sent && count < N && !rn_loader_next(l, &b) && b.n) { /* the end is not said yet */
        for (int i = 0; i < b.n; i++, count++)
            for (int j = 0; j < SIZE; j++)
                sent &= b.x[i * SIZE + j] == ((float)pixel_of(count, j) / 255 - .25f) / .5f;
    }
    ok(sent && count == N, "the rest before the pipe is closed");
    close(fd);
    ok(!rn_loader_next(l, &b) && !b.n, "the end");
    rn_loader_start(l, 1, 0);
    ok(rn_loader_next(l, &b) == RN_EUSAGE && !b.n, "a second epoch is refused: %s", rn_error());
    rn_loader_close(l);
    struct rn_loader_config c = { .prep = net, .batch = BATCH, .ahead = 2, .shuffle = true };
    ok(rn_loader_new(&l, s, &c) == RN_EUSAGE, "and shuffling: %s", rn_error());
    rn_source_close(s);
    restore_stdin(saved);
    rn_free(p);
}

/* gzip data that are complete, but nobody closes the pipe: more could follow. */
static void test_open_gzip_pipe(void)
{
    size_t n;
    int saved, fd = pipe_stdin(&saved), count = 0;
    uint8_t *p = pictures(&n), *zipped = rn_alloc(n + 1000, 1);
    struct rn_prep net = prep(H, W);
    struct rn_source *s = NULL;
    struct rn_loader *l = NULL;
    struct rn_batch b;
    z_stream z = {
        .next_in = p, .avail_in = (uInt)n, .next_out = zipped, .avail_out = (uInt)n + 1000
    };
    deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    deflate(&z, Z_FINISH);
    bool sent = send_all(fd, zipped, z.total_out);
    deflateEnd(&z);
    sent = sent && !rn_source_open(&s, "-", RN_PART_DEFAULT, RN_PART_TEST, NULL) &&
           !rn_loader_open(&l, s, &net, BATCH, 2);
    alarm(20);
    while (sent && count < N && !rn_loader_next(l, &b) && b.n)
        count += b.n;
    ok(sent && count == N, "all of a gzip pipe before it is closed");
    close(fd);
    ok(!rn_loader_next(l, &b) && !b.n, "and its end");
    alarm(0);
    rn_loader_close(l);
    rn_source_close(s);
    restore_stdin(saved);
    rn_free(p);
    rn_free(zipped);
}

static void test_broken_pipe(void)
{
    size_t n;
    int saved, fd = pipe_stdin(&saved);
    uint8_t *p = pictures(&n);
    struct rn_prep net = prep(H, W);
    struct rn_source *s = NULL;
    struct rn_loader *l = NULL;
    struct rn_batch b;
    bool sent = send_all(fd, p, 16 + 20 * H * W + 1);
    close(fd);
    int status = rn_source_open(&s, "-", RN_PART_DEFAULT, RN_PART_TEST, NULL), count = 0;
    status = status ? status : rn_loader_open(&l, s, &net, BATCH, 2);
    while (sent && !status && !(status = rn_loader_next(l, &b)) && b.n)
        count += b.n;
    ok(status == RN_EFORMAT && count == 20 && strstr(rn_error(), "picture 21"),
       "data that break off: %d pictures, then: %s", count, rn_error());
    ok(rn_loader_next(l, &b) == RN_EFORMAT, "and again");
    rn_loader_close(l);
    rn_source_close(s);
    restore_stdin(saved);
    rn_free(p);
}

/* Closing does not wait for a pipe that says nothing. */
static void test_silent_pipe(void)
{
    size_t n;
    int saved, fd = pipe_stdin(&saved);
    uint8_t *p = pictures(&n);
    struct rn_prep net = prep(H, W);
    struct rn_source *s = NULL;
    struct rn_loader *l = NULL;
    alarm(20);
    bool opened = send_all(fd, p, 40) && !rn_source_open(&s, "-", 0, 0, NULL) &&
                  !rn_loader_open(&l, s, &net, BATCH, 2);
    usleep(30000);
    rn_loader_close(l);
    alarm(0);
    ok(opened, "closed while a pipe is silent");
    rn_source_close(s);
    close(fd);
    restore_stdin(saved);
    rn_free(p);
}

int main(void)
{
    folder_make("loader");
    write_data();
    test_apply();
    test_draw();
    test_alternating();
    struct rn_source *s = NULL;
    if (ok(!rn_source_open(&s, path, RN_PART_DEFAULT, RN_PART_TRAIN, NULL), "data set")) {
        test_order(s);
        test_shuffle(s);
        test_ahead(s);
        test_keep();
        test_resize(s);
        test_restart(s);
        test_workers();
        test_refused(s);
        test_signals(s);
        rn_source_close(s);
        test_idle_pipe();
        test_open_gzip_pipe();
        test_broken_pipe();
        test_silent_pipe();
    }
    ok(folder_remove(), "the temporary folder is gone");
    return done();
}
