/* Writing the log, and cutting a resumed one back to its checkpoint. */
#include "train/log.h"

#include <errno.h>
#include <stdlib.h> /* free, strtol */
#include <string.h>
#include <unistd.h> /* ftruncate */

#include "base/err.h"

static const char header[] =
    "epoch\tstep\ttrain_loss\tval_loss\tval_acc\tlr\timages_per_s\tseconds_s\n";

/* Where the rows past `step` begin; 0 for a file that does not start with the header. */
static long cut_at(FILE *f, long step)
{
    char *line = NULL, *field;
    size_t room = 0;
    long at = 0;
    ssize_t n;

    while ((n = getline(&line, &room, f)) > 0) {
        if (at == 0 ? strcmp(line, header) != 0
                    : line[n - 1] != '\n' || !(field = strchr(line, '\t')) ||
                          strtol(field + 1, NULL, 10) > step)
            break;
        at += n;
    }
    free(line);
    return at;
}

static int open_resumed(struct rn_log *l, long step)
{
    l->file = fopen(l->path, "r+");
    if (!l->file && errno == ENOENT)
        l->file = fopen(l->path, "w+");
    if (!l->file)
        return rn_fail_errno("%s", l->path);
    long at = cut_at(l->file, step);
    if (fseek(l->file, at, SEEK_SET) || ftruncate(fileno(l->file), at))
        return rn_fail_errno("%s", l->path);
    return at                                              ? 0
           : fputs(header, l->file) < 0 || fflush(l->file) ? rn_fail_errno("%s", l->path)
                                                           : 0;
}

int rn_log_open(struct rn_log *l, const struct rn_train_config *c, bool resumed, long step)
{
    *l = (struct rn_log){ c->log, c->log_path != NULL, c->log_path ? c->log_path : "log" };
    if (l->owned && resumed)
        return open_resumed(l, step);
    if (l->owned && !(l->file = fopen(l->path, "w")))
        return rn_fail_errno("%s", l->path);
    if (l->file && !resumed && (fputs(header, l->file) < 0 || fflush(l->file)))
        return rn_fail_errno("%s", l->path);
    return 0;
}

int rn_log_add(struct rn_log *l, const struct rn_log_row *r)
{
    char val[64] = "\t";

    if (!l->file)
        return 0;
    if (r->validated)
        snprintf(val, sizeof val, "%.9g\t%.9g", r->val_loss, r->val_acc);
    int n = fprintf(l->file, "%d\t%ld\t%.9g\t%s\t%.9g\t%.9g\t%.9g\n", r->epoch, r->step,
                    r->train_loss, val, r->lr, r->images_per_s, r->seconds);
    return n < 0 || fflush(l->file) ? rn_fail_errno("%s", l->path) : 0;
}

int rn_log_close(struct rn_log *l)
{
    FILE *f = l->file;

    l->file = NULL;
    if (f && l->owned && fclose(f))
        return rn_fail_errno("%s", l->path);
    return 0;
}
