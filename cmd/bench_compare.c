/*
 * A table of rn-bench beside an earlier one. A row got slower when its median is worse by more than
 * the margin and the spreads of the two do not overlap: its best repeat is worse than the worst of
 * then.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_table.h"
#include "say.h"

static const double MARGIN = 0.05;

/* A row of the earlier table: its line, cut into fields. */
struct old {
    char *line;
    char *field[COLUMNS_MAX];
    bool met;
};

static const char *path;
static const struct table *table;
static struct old *old;
static int olds;
static bool slower, other_cpu;

/* ---- reading ---- */

static _Noreturn void bad_line(int number, const char *what, const char *which)
{
    die("%s: line %d: %s%s", path, number, which, what);
}

/* Undoes the escapes of a TSV field, in place. */
static void unescape(char *s)
{
    static const char from[] = "tnr\\", to[] = "\t\n\r\\";
    char *d = s;
    for (; *s; s++) {
        const char *at = *s == '\\' && s[1] ? strchr(from, s[1]) : NULL;
        if (at)
            s++;
        *d++ = at ? to[at - from] : *s;
    }
    *d = '\0';
}

/* Cuts a line at its tabs; returns how many fields there are, of which COLUMNS_MAX are kept. */
static int cut(char *line, char **field)
{
    int n = 0;
    for (char *s = line; s;) {
        char *f = strsep(&s, "\t");
        if (n < COLUMNS_MAX)
            field[n] = f;
        n++;
    }
    return n;
}

static void check_header(char *line)
{
    char *field[COLUMNS_MAX];
    int n = cut(line, field);
    bool same = n == table_columns(table);
    for (int i = 0; same && i < n; i++)
        same = strcmp(field[i], table->column[i].name) == 0;
    if (!same)
        die("%s: line 1: not the header of rn-bench %s", path, table->command);
}

static bool read_positive(const char *s, double *v)
{
    char *end;
    *v = strtod(s, &end);
    return end != s && !*end && isfinite(*v) && *v > 0;
}

static bool same_key(char *const *a, char *const *b)
{
    for (int i = 0; table->column[i].name; i++)
        if (table->column[i].role == KEY && strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}

static void check_row(const struct old *o, int number)
{
    double v;
    for (int i = 0; table->column[i].name; i++) {
        enum role role = table->column[i].role;
        if ((role == MEDIAN || role == LEAST || role == MOST) && !read_positive(o->field[i], &v))
            bad_line(number, ": not a number above 0", table->column[i].name);
    }
    for (int i = 0; i < olds; i++)
        if (same_key(old[i].field, o->field))
            bad_line(number, "measures what an earlier line did", "");
}

static void add_row(char *line, int number)
{
    struct old o = { .line = line };
    if (cut(line, o.field) != table_columns(table))
        bad_line(number, "not as many fields as the header", "");
    for (int i = 0; table->column[i].name; i++)
        unescape(o.field[i]);
    check_row(&o, number);
    if (!(old = realloc(old, (size_t)(olds + 1) * sizeof *old)))
        die("memory is short");
    old[olds++] = o;
}

/* The next line without its end; NULL behind the last. The caller frees. */
static char *read_line(FILE *f, int number)
{
    char *line = NULL;
    size_t room = 0;
    errno = 0;
    ssize_t n = getline(&line, &room, f);
    if (n < 0 && ferror(f))
        die("%s: %s", path, strerror(errno));
    if (n < 0) {
        free(line);
        return NULL;
    }
    if (strlen(line) != (size_t)n)
        bad_line(number, "holds a zero byte", "");
    line[strcspn(line, "\n")] = '\0';
    return line;
}

void compare_open(const struct table *t, const char *file)
{
    path = file;
    table = t;
    FILE *f = fopen(path, "re");
    if (!f)
        die("%s: %s", path, strerror(errno));
    char *line = read_line(f, 1);
    if (!line)
        die("%s: line 1: missing, the file is empty", path);
    check_header(line);
    free(line);
    for (int number = 2; (line = read_line(f, number)); number++)
        add_row(line, number);
    fclose(f);
}

/* ---- judging ---- */

/* The keys of a row in words: "peer rn, network resnet18, mode float32, ...". */
static const char *describe(char *const *text)
{
    static char name[512];
    size_t n = 0;
    for (int i = 0; table->column[i].name && n < sizeof name; i++)
        if (table->column[i].role == KEY)
            n += (size_t)snprintf(name + n, sizeof name - n, "%s%s %s", n ? ", " : "",
                                  table->column[i].name, text[i]);
    return name;
}

static struct spread read_spread(char *const *text)
{
    return (struct spread){ .median = strtod(text[table_column(table, MEDIAN)], NULL),
                            .min = strtod(text[table_column(table, LEAST)], NULL),
                            .max = strtod(text[table_column(table, MOST)], NULL) };
}

/* By how much the median of `b` falls short of that of `a`, as a share; 0 within the noise. */
static double loss(struct spread a, struct spread b)
{
    bool less = table->less_is_better;
    bool apart = less ? b.min > a.max : b.max < a.min;
    double ratio = less ? a.median / b.median : b.median / a.median;
    return apart && ratio < 1 - MARGIN ? 1 - ratio : 0;
}

static void judge(const struct row *r, const struct old *o)
{
    struct spread then = read_spread(o->field), now = read_spread(r->text);
    double worse = loss(then, now), better = loss(now, then);
    if (worse > 0)
        complain("%s: slower by %.1f %%: %s %.4g, was %.4g", describe(r->text), 100 * worse,
                 table->unit, now.median, then.median);
    else
        note("%s: %s: %s %.4g, was %.4g", describe(r->text), better > 0 ? "faster" : "the same",
             table->unit, now.median, then.median);
    slower = slower || worse > 0;
    int cpu = table_column(table, CPU);
    if (!other_cpu && strcmp(r->text[cpu], o->field[cpu]) != 0)
        warn("%s: measured on another processor: %s", path, o->field[cpu]);
    other_cpu = other_cpu || strcmp(r->text[cpu], o->field[cpu]) != 0;
}

void compare_row(const struct row *r)
{
    if (!path)
        return;
    for (int i = 0; i < olds; i++)
        if (same_key(old[i].field, r->text)) {
            old[i].met = true;
            judge(r, &old[i]);
            return;
        }
    warn("%s: has no row for %s", path, describe(r->text));
}

bool compare_close(void)
{
    for (int i = 0; i < olds; i++) {
        if (!old[i].met)
            warn("%s: not measured now: %s", path, describe(old[i].field));
        free(old[i].line);
    }
    free(old);
    return slower;
}
