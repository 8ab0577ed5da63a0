/* The pieces of the training loop: rates over time, the log and its resuming, provenance, top-k. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "tap.h"
#include "train/log.h"
#include "train/provenance.h"
#include "train/schedule.h"

/* ---- schedule ---- */

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-12;
}

static void test_schedule(void)
{
    struct rn_train_config c;
    rn_train_defaults(&c);
    c.lr = 0.4;
    ok(near(rn_schedule_lr(&c, 0, 100, 10), 0.4) && near(rn_schedule_lr(&c, 99, 100, 10), 0.4),
       "constant");
    c.warmup_epochs = 2;
    ok(near(rn_schedule_lr(&c, 0, 100, 10), 0.02) && near(rn_schedule_lr(&c, 9, 100, 10), 0.2) &&
           near(rn_schedule_lr(&c, 19, 100, 10), 0.4) && near(rn_schedule_lr(&c, 20, 100, 10), 0.4),
       "warm-up over two epochs of ten steps");
    c.sched = RN_SCHED_COSINE;
    ok(near(rn_schedule_lr(&c, 20, 100, 10), 0.4) && near(rn_schedule_lr(&c, 60, 100, 10), 0.2) &&
           rn_schedule_lr(&c, 99, 100, 10) < 0.001,
       "cosine behind the warm-up");
    c.sched = RN_SCHED_LINEAR;
    ok(near(rn_schedule_lr(&c, 9, 100, 10), 0.2) && near(rn_schedule_lr(&c, 20, 100, 10), 0.4) &&
           near(rn_schedule_lr(&c, 60, 100, 10), 0.2) &&
           near(rn_schedule_lr(&c, 99, 100, 10), 0.005),
       "a line to 0 behind the warm-up");
    c.warmup_epochs = 10;
    ok(near(rn_schedule_lr(&c, 99, 100, 10), 0.4), "nothing behind the warm-up");
    c.warmup_epochs = 0;
    c.sched = RN_SCHED_STEP;
    c.milestones = 2;
    c.milestone[0] = 3;
    c.milestone[1] = 5;
    ok(near(rn_schedule_lr(&c, 29, 100, 10), 0.4) && near(rn_schedule_lr(&c, 30, 100, 10), 0.04) &&
           near(rn_schedule_lr(&c, 50, 100, 10), 0.004),
       "steps at epochs 3 and 5");
}

/* ---- log ---- */

static const char head[] = "epoch\tstep\ttrain_loss\tval_loss\tval_acc\tlr\timages_per_s\t"
                           "seconds_s\tdata_wait_pct\n";

static bool file_is(const char *path, const char *want)
{
    char text[1000] = "";
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    bool same = n == strlen(want) && !strcmp(text, want);
    if (!same)
        printf("# %s\n", text);
    return same;
}

static void add_row(struct rn_log *l, int epoch, bool validated)
{
    struct rn_log_row r = { .epoch = epoch,
                            .step = epoch * 10,
                            .train_loss = 0.5,
                            .lr = 0.1,
                            .images_per_s = 100,
                            .seconds = epoch,
                            .data_wait = 12.5,
                            .validated = validated,
                            .val_loss = 0.25,
                            .val_acc = 0.75 };
    ok(!rn_log_add(l, &r), "row %d", epoch);
}

static void test_log(void)
{
    char dir[] = "/tmp/rn-log-XXXXXX", path[64], want[1000];
    struct rn_train_config c;
    struct rn_log l;

    if (!ok(mkdtemp(dir) != NULL, "a folder"))
        return;
    snprintf(path, sizeof path, "%s/log", dir);
    rn_train_defaults(&c);
    c.log_path = path;
    ok(!rn_log_open(&l, &c, false, 0), "a new log");
    add_row(&l, 1, true);
    add_row(&l, 2, false);
    ok(!rn_log_close(&l), "closes");
    snprintf(want, sizeof want, "%s%s", head,
             "1\t10\t0.5\t0.25\t0.75\t0.1\t100\t1\t12.5\n2\t20\t0.5\t\t\t0.1\t100\t2\t12.5\n");
    ok(file_is(path, want), "header and rows, absent values empty");

    ok(!rn_log_open(&l, &c, true, 1) && !rn_log_close(&l), "resumed behind epoch 1");
    snprintf(want, sizeof want, "%s%s", head, "1\t10\t0.5\t0.25\t0.75\t0.1\t100\t1\t12.5\n");
    ok(file_is(path, want), "the row of epoch 2 is gone");

    FILE *f = fopen(path, "a");
    fputs("2\t20\t0.5", f);
    fclose(f);
    ok(!rn_log_open(&l, &c, true, 3) && !rn_log_close(&l) && file_is(path, want),
       "a row cut off by a crash is gone");
    unlink(path);
    ok(!rn_log_open(&l, &c, true, 3) && !rn_log_close(&l) && file_is(path, head),
       "a lost log begins anew, with its header");
    unlink(path);
    rmdir(dir);
    c.log_path = "tests/unit/tap.h";
    ok(rn_log_open(&l, &c, true, 3) == RN_EUSAGE, "no log at all: %s", rn_error());
    fclose(l.file);
    c.log_path = "/dev/null";
    ok(!rn_log_open(&l, &c, true, 3) && !rn_log_close(&l), "a log that can't be cut goes on");
    c.log_path = "/nonexistent/log";
    ok(rn_log_open(&l, &c, false, 0) == RN_EIO, "can't be opened: %s", rn_error());
}

/* ---- provenance ---- */

static void test_provenance(void)
{
    struct rn_train_config c;
    struct rn_model *m;
    char *a, *b;

    rn_train_defaults(&c);
    if (!ok(!rn_model_new(&m, "cifar-resnet20:stages=1x4,stem-width=4", 1, 8, 8, 3), "a model"))
        return;
    if (!ok(!rn_provenance_make(&a, &c, m, 1, 0), "its provenance"))
        return;
    ok(strstr(a, "\"lr\":0.1,") != NULL, "%s", a);
    c.threads = 7;
    c.output = "elsewhere";
    ok(!rn_provenance_make(&b, &c, m, 1, 0) && !strcmp(a, b), "knows no paths or threads");
    ok(!rn_provenance_compare(a, b, "x.ckpt"), "the same settings");
    rn_free(b);
    c.lr = 0.2;
    c.crop = 4;
    ok(!rn_provenance_make(&b, &c, m, 1, 0) && rn_provenance_compare(a, b, "x.ckpt") == RN_EUSAGE &&
           !strcmp(rn_error(), "x.ckpt: was made with other settings: crop 4, lr 0.2"),
       "%s", rn_error());
    ok(rn_provenance_compare(a, NULL, "x.ckpt") == RN_EFORMAT, "%s", rn_error());
    rn_free(a);
    rn_free(b);
    rn_model_free(m);
}

/* ---- top-k ---- */

static void test_topk(void)
{
    const float v[] = { 1, NAN, 3, 3, -1, 2 };
    int top[6];

    rn_topk(v, 6, 3, top);
    ok(top[0] == 2 && top[1] == 3 && top[2] == 5, "largest first, ties by index");
    rn_topk(v, 6, 6, top);
    ok(top[4] == 4 && top[5] == 1, "NaN last");
    rn_topk(v, 1, 1, top);
    ok(top[0] == 0, "one of one");
}

int main(void)
{
    test_schedule();
    test_log();
    test_provenance();
    test_topk();
    return done();
}
