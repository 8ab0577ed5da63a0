/* Rows of rn-bench's tables: TSV below a header, or an object a line. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_table.h"
#include "opt.h"
#include "say.h"

static bool begun; /* the first row has been printed */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void sort_numbers(double *v, long n)
{
    qsort(v, (size_t)n, sizeof *v, ascending);
}

struct spread spread(double *v, int n)
{
    sort_numbers(v, n);
    return (struct spread){ (v[(n - 1) / 2] + v[n / 2]) / 2, v[0], v[n - 1] };
}

int table_columns(const struct table *t)
{
    int n = 0;
    while (t->column[n].name)
        n++;
    return n;
}

int table_column(const struct table *t, enum role role)
{
    int i = 0;
    while (t->column[i].role != role)
        i++;
    return i;
}

static void put_header(const struct table *t)
{
    for (const struct column *c = t->column; c->name; c++)
        printf("%s%s", c == t->column ? "" : "\t", c->name);
    putchar('\n');
}

void row_start(struct row *r, const struct table *t)
{
    *r = (struct row){ .table = t };
}

static void row_add(struct row *r, char *text, bool number)
{
    assert(r->cells < COLUMNS_MAX && r->table->column[r->cells].name);
    if (!text)
        die("memory is short");
    r->number[r->cells] = number;
    r->text[r->cells++] = text;
}

void row_text(struct row *r, const char *s)
{
    row_add(r, strdup(s), false);
}

void row_number(struct row *r, double v)
{
    char text[32];
    snprintf(text, sizeof text, "%.9g", v);
    row_add(r, strdup(text), true);
}

void row_empty(struct row *r)
{
    row_add(r, strdup(""), true);
}

void row_spread(struct row *r, struct spread s)
{
    row_number(r, s.median);
    row_number(r, s.min);
    row_number(r, s.max);
}

static void put_object(const struct row *r)
{
    for (int i = 0; i < r->cells; i++) {
        const char *name = r->table->column[i].name;
        putchar(i ? ',' : '{');
        if (r->number[i])
            printf("\"%s\":%s", name, *r->text[i] ? r->text[i] : "null");
        else
            put_json_member(name, r->text[i]);
    }
    puts("}");
}

static void put_row(const struct row *r)
{
    for (int i = 0; i < r->cells; i++) {
        if (i)
            putchar('\t');
        put_field(r->text[i]);
    }
    putchar('\n');
}

void row_end(struct row *r)
{
    assert(!r->table->column[r->cells].name);
    if (!begun && !common.json)
        put_header(r->table);
    begun = true;
    (common.json ? put_object : put_row)(r);
    flush_stdout();
    compare_row(r);
    for (int i = 0; i < r->cells; i++)
        free(r->text[i]);
}
