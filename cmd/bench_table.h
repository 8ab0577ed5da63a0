/*
 * The tables of rn-bench: a row is filled cell by cell in the order of its columns and printed as
 * TSV or JSON; beside an earlier table it is judged as well.
 */
#ifndef RN_CMD_BENCH_TABLE_H
#define RN_CMD_BENCH_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum { COLUMNS_MAX = 24 };

/* What a comparison takes a column for. */
enum role { PLAIN, KEY, MEDIAN, LEAST, MOST, CPU };

struct column {
    const char *name;
    enum role role;
};

struct table {
    const char *command;         /* "infer" */
    const char *unit;            /* of median, least and most, for messages */
    bool less_is_better;         /* times, not rates */
    const struct column *column; /* ended by a NULL name */
};

struct row {
    const struct table *table;
    int cells;
    char *text[COLUMNS_MAX]; /* as given, no escapes */
    bool number[COLUMNS_MAX];
};

struct spread {
    double median, min, max;
};

void sort_numbers(double *v, long n);
struct spread spread(double *v, int n); /* sorts v */

int table_columns(const struct table *t);
int table_column(const struct table *t, enum role role); /* the first with it */

void row_start(struct row *r, const struct table *t);
void row_text(struct row *r, const char *s);
void row_number(struct row *r, double v);
void row_empty(struct row *r);
void row_spread(struct row *r, struct spread s); /* median, min, max */
void row_end(struct row *r); /* prints it (the first one below the header), judges and frees it */

/* Reads an earlier table of the kind t; one that is not good is exit 2, naming the line. */
void compare_open(const struct table *t, const char *path);
void compare_row(const struct row *r); /* nothing when no table is open */
/* Says what of the earlier table was not measured now; returns whether anything got slower. */
bool compare_close(void);

#endif
