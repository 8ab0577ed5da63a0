/* Writing the log, and cutting a resumed one back to its checkpoint. */
#include "train/log.h"

#include <errno.h>
#include <stdlib.h> /* free, strtol */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h> /* ftruncate, fdatasync */

#include "base/err.h"

static const char header[] =
    "epoch\tstep\ttrain_loss\tval_loss\tval_acc\tlr\timages_per_s\tseconds_s\tdata_wait_pct\n";

/* Where the rows past `epochs` begin, in *at: 0 when the file does not start with the header. */
static int find_cut(struct rn_log *l, int epochs, long *at)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;

    for (*at = 0; (n = getline(&line, &room, l->file)) > 0; *at += n)
        if (*at == 0 ? strcmp(line, header) != 0
                     : line[n - 1] != '\n' || strtol(line, NULL, 10) > epochs)
            break;
    free(line);
    return ferror(l->file) ? rn_fail_errno("%s", l->path) : 0;
}

static int write_header(struct rn_log *l)
{
    return fputs(header, l->file) < 0 || fflush(l->file) ? rn_fail_errno("%s", l->path) : 0;
}

static bool is_regular(const char *path)
{
    struct stat st;
    return stat(path, &st) || S_ISREG(st.st_mode); /* what is not there will be */
}

static bool is_empty(FILE *f)
{
    rewind(f);
    return getc(f) == EOF;
}

/* Cuts the log back; what can't be cut (a pipe, a terminal, /dev/null) just goes on. */
static int open_resumed(struct rn_log *l, int epochs)
{
    long at = 0;

    if (!is_regular(l->path))
        return (l->file = fopen(l->path, "w")) ? 0 : rn_fail_errno("%s", l->path);
    l->file = fopen(l->path, "r+");
    if (!l->file && errno == ENOENT)
        l->file = fopen(l->path, "w+");
    if (!l->file)
        return rn_fail_errno("%s", l->path);
    int status = find_cut(l, epochs, &at);
    if (!status && !at && !is_empty(l->file))
        status = rn_fail(RN_EUSAGE, "%s: is not the log of a run to go on with", l->path);
    if (!status && (fseek(l->file, at, SEEK_SET) || ftruncate(fileno(l->file), at)))
        status = rn_fail_errno("%s", l->path);
    return status || at ? status : write_header(l);
}

int rn_log_open(struct rn_log *l, const struct rn_train_config *c, bool resumed, int epochs)
{
    *l = (struct rn_log){ c->log, c->log_path != NULL,
                          c->log_path ? c->log_path : "standard output" };
    if (l->owned && resumed)
        return open_resumed(l, epochs);
    if (l->owned && !(l->file = fopen(l->path, "w")))
        return rn_fail_errno("%s", l->path);
    return l->file && !resumed ? write_header(l) : 0;
}

int rn_log_add(struct rn_log *l, const struct rn_log_row *r)
{
    char val[64] = "\t";

    if (!l->file)
        return 0;
    if (r->validated)
        snprintf(val, sizeof val, "%.9g\t%.9g", r->val_loss, r->val_acc);
    int n = fprintf(l->file, "%d\t%ld\t%.9g\t%s\t%.9g\t%.9g\t%.9g\t%.9g\n", r->epoch, r->step,
                    r->train_loss, val, r->lr, r->images_per_s, r->seconds, r->data_wait);
    if (n < 0 || fflush(l->file))
        return rn_fail_errno("%s", l->path);
    if (l->owned) /* the checkpoint that follows must not know of rows that a crash takes away */
        (void)!fdatasync(fileno(l->file));
    return 0;
}

int rn_log_close(struct rn_log *l)
{
    FILE *f = l->file;

    l->file = NULL;
    if (f && l->owned && fclose(f))
        return rn_fail_errno("%s", l->path);
    return 0;
}
