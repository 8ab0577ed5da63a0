/*
 * Whole runs of rn_train(): the same file for any number of threads and batches read ahead, and
 * from every point where a run can be stopped: before each step, and in each evaluation.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "folder.h"
#include "rn.h"
#include "tap.h"

enum { TRAIN = 37, TEST = 10, SIDE = 8, BATCH = 8, EPOCHS = 3, EPOCH_STEPS = 5 };
enum { STEPS = EPOCHS * EPOCH_STEPS };

static const char *model;

/* ---- data ---- */

static void put_file(const char *name, const uint8_t *header, size_t n, int count, int each)
{
    FILE *f = fopen(in_dir(name), "w");
    if (!f)
        return;
    fwrite(header, 1, n, f);
    for (int i = 0; i < count * each; i++)
        putc(each == 1 ? i % 3 : (i * 37 + i / each % 3 * 80 + i * i % 11) & 255, f);
    fclose(f);
}

static void put_part(const char *part, int count)
{
    const uint8_t pictures[16] = {
        0, 0, 8, 3, 0, 0, 0, (uint8_t)count, 0, 0, 0, SIDE, 0, 0, 0, SIDE
    };
    const uint8_t labels[8] = { 0, 0, 8, 1, 0, 0, 0, (uint8_t)count };
    char name[64];
    snprintf(name, sizeof name, "%s-images-idx3-ubyte", part);
    put_file(name, pictures, sizeof pictures, count, SIDE * SIDE);
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte", part);
    put_file(name, labels, sizeof labels, count, 1);
}

/* ---- runs ---- */

/* Where a run is to be stopped: at this report of progress, counted from 1; 0: nowhere. */
struct stopper {
    int at, seen;
    volatile sig_atomic_t stop;
};

static void on_progress(void *arg, const struct rn_progress *p)
{
    struct stopper *s = arg;
    (void)p;
    if (++s->seen == s->at)
        s->stop = 1;
}

static struct rn_train_config settings(void)
{
    struct rn_train_config c;
    rn_train_defaults(&c);
    c.arch = "cifar-resnet20:stages=1x4+1x8,stem-width=4";
    c.data = dir;
    c.output = model;
    c.log = NULL;
    c.batch = BATCH;
    c.epochs = EPOCHS;
    c.momentum = 0.9;
    c.nesterov = true;
    c.weight_decay = 1e-3;
    c.smoothing = 0.1;
    c.sched = RN_SCHED_LINEAR;
    c.warmup_epochs = 0.7;
    c.flip = RN_FLIP_ALTERNATING;
    c.crop = 1;
    c.threads = 1;
    return c;
}

/* Runs until the report `at`; the number of reports in *reports. */
static int run(const struct rn_train_config *c, int at, int *reports)
{
    struct stopper s = { .at = at };
    struct rn_hooks hooks = { .progress = on_progress, .arg = &s, .stop = &s.stop };
    int status = rn_train(c, &hooks);
    if (reports)
        *reports = s.seen;
    return status;
}

/* The model file; the caller frees. */
static char *content(size_t *n)
{
    FILE *f = fopen(model, "r");
    char *bytes = malloc(1 << 20);
    *n = f && bytes ? fread(bytes, 1, 1 << 20, f) : 0;
    if (f)
        fclose(f);
    return bytes;
}

static bool same_as(const char *whole, size_t n)
{
    size_t m;
    char *now = content(&m);
    bool same = m == n && n > 0 && memcmp(now, whole, n) == 0;
    free(now);
    return same;
}

static void test_machine(const char *whole, size_t n)
{
    static const int threads[] = { 1, 2, 3, 7 }, prefetch[] = { 0, 1, 2, 5 };
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            struct rn_train_config c = settings();
            c.threads = threads[i];
            c.prefetch = prefetch[j];
            unlink(model);
            ok(!run(&c, 0, NULL) && same_as(whole, n), "%d threads, %d batches ahead: same file",
               threads[i], prefetch[j]);
        }
}

/* Every stop by itself, gone on from with other threads. */
static void test_stops(const char *whole, size_t n, int reports)
{
    struct rn_train_config c = settings();
    for (int at = 1; at <= reports; at++) {
        unlink(model);
        c.threads = 1;
        c.resume = false;
        int stopped = run(&c, at, NULL);
        bool none = access(model, F_OK) != 0;
        c.resume = true;
        c.threads = 1 + at % 3;
        c.prefetch = at % 4;
        ok(stopped == RN_ESTOP && none, "stopped at report %d: no model",
           at);
        ok(!run(&c, 0, NULL) && same_as(whole, n), "gone on from there: same file");
    }
}

/* One run that is stopped again and again: at once, and, as an evaluation begins anew, behind it. */
static void test_stopped_ever(const char *whole, size_t n)
{
    struct rn_train_config c = settings();
    int times = 0, status;
    unlink(model);
    c.resume = true;
    while ((status = run(&c, 1 + times % 2, NULL)) == RN_ESTOP && times < 100)
        times++;
    ok(!status && times >= STEPS / 2 && same_as(whole, n), "stopped %d times: same file", times);
}

int main(void)
{
    size_t n;
    int reports;
    struct rn_train_config c = settings();
    folder_make("resume");
    char path[160];
    snprintf(path, sizeof path, "%s", in_dir("model"));
    model = path;
    put_part("train", TRAIN);
    put_part("t10k", TEST);
    c = settings();
    ok(!run(&c, 0, &reports) && reports == STEPS + EPOCHS, "a run of %d steps: %s", STEPS,
       rn_error());
    char *whole = content(&n);
    test_machine(whole, n);
    test_stops(whole, n, reports);
    test_stopped_ever(whole, n);
    free(whole);
    folder_remove();
    return done();
}
