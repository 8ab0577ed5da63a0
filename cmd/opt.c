/*
 * Options over getopt_long(3). Two passes over argv: the first finds what is wrong with names and
 * whether help or version is wanted, the second stores values; so --help shows the defaults
 * whatever stands beside it.
 */
#include "opt.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rn.h"
#include "say.h"

enum { ROWS_MAX = 64, LONG_BASE = 256, HELP_COLUMN = 30 }; /* getopt's values: LONG_BASE + row */

struct opt_common common;

static bool want_help, want_version;

static const struct {
    unsigned with; /* 0: every tool */
    struct opt opt;
} commons[] = {
    { WITH_THREADS, OPT_INT('j', "threads", &common.threads, "N",
                            "threads (as many as this process may use)", 1, 1024) },
    { WITH_ISA, OPT_STRING(0, "isa", &common.isa, "NAME",
                           "instruction set: sse2, avx2, ... (RN_ISA, else the best here)") },
    { WITH_JSON, OPT_FLAG(0, "json", &common.json, "JSON, an object a line") },
    { WITH_FORCE, OPT_FLAG('f', "force", &common.force, "go on where it would refuse") },
    { 0, OPT_FLAG('q', "quiet", &common.quiet, "no progress, no warnings") },
    { 0, OPT_FLAG('v', "verbose", &common.verbose, "more on standard error") },
    { 0, OPT_FLAG('h', "help", &want_help, "this text") },
    { 0, OPT_FLAG('V', "version", &want_version, "name and version; with -q its number") },
};

/* The table as getopt_long wants it. */
struct parser {
    const struct opt_tool *tool;
    const struct opt *row[ROWS_MAX + 1];
    struct option longs[ROWS_MAX + 1];
    char shorts[2 * ROWS_MAX + 2];
    int rows;
};

static bool is_flag(const struct opt *o)
{
    return o->kind == KIND_FLAG;
}

static void add_row(struct parser *p, const struct opt *o)
{
    p->longs[p->rows] = (struct option){ o->name, is_flag(o) ? no_argument : required_argument,
                                         NULL, LONG_BASE + p->rows };
    if (o->letter) {
        char text[3] = { (char)o->letter, is_flag(o) ? 0 : ':', 0 };
        strcat(p->shorts, text);
    }
    p->row[p->rows++] = o;
}

static void parser_init(struct parser *p, const struct opt_tool *t)
{
    *p = (struct parser){ .tool = t, .shorts = ":" };
    for (const struct opt *o = t->opts; o->name; o++)
        add_row(p, o);
    for (size_t i = 0; i < sizeof commons / sizeof *commons; i++)
        if (!commons[i].with || (commons[i].with & t->with))
            add_row(p, &commons[i].opt);
}

/* ---- wrong names ---- */

static _Noreturn void die_unknown(const struct parser *p, const char *arg)
{
    char name[64];
    const char *nearest = "help";
    int least = INT_MAX;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(arg + 2, "="), arg + 2);
    for (int i = 0; i < p->rows; i++) {
        int d = rn_edit_distance(name, p->row[i]->name);
        if (d < least) {
            least = d;
            nearest = p->row[i]->name;
        }
    }
    die("--%s: unknown option; nearest is --%s", name, nearest);
}

/* The next option of argv, its argument in optarg; NULL at the end. getopt_long takes prefixes of
 * long names: those are refused here. */
static const struct opt *next_option(const struct parser *p, int argc, char **argv)
{
    int c = getopt_long(argc, argv, p->shorts, p->longs, NULL);
    if (c == -1)
        return NULL;
    if (c == '?' && optopt == 0)
        die_unknown(p, argv[optind - 1]);
    if (c == '?' && optopt < LONG_BASE)
        die("-%c: unknown option (%s --help lists them)", optopt, p->tool->name);
    if (c == '?')
        die("--%s: takes no value", p->row[optopt - LONG_BASE]->name);
    if (c == ':' && optopt < LONG_BASE)
        die("-%c: a value is missing", optopt);
    if (c == ':')
        die("--%s: a value is missing", p->row[optopt - LONG_BASE]->name);
    if (c < LONG_BASE) {
        int i = 0;
        while (p->row[i]->letter != c)
            i++;
        return p->row[i];
    }
    const struct opt *o = p->row[c - LONG_BASE];
    const char *arg = argv[optind - (optarg == argv[optind - 1] ? 2 : 1)];
    if (strcspn(arg + 2, "=") != strlen(o->name))
        die_unknown(p, arg);
    return o;
}

/* ---- values ---- */

void opt_bad(const char *name, const char *value, const char *takes)
{
    die("--%s: %s: takes %s", name, *value ? value : "(empty)", takes);
}

void opt_usage(const char *what)
{
    die("%s (--help says more)", what);
}

static void print_range(char *text, size_t size, const struct opt *o)
{
    if (isinf(o->max))
        snprintf(text, size, "from %.9g", o->min);
    else
        snprintf(text, size, "from %.9g to %.9g", o->min, o->max);
}

static _Noreturn void die_range(const struct opt *o, const char *value)
{
    static const char *const what[] = { [KIND_INT] = "a whole number",
                                        [KIND_LONG] = "a whole number",
                                        [KIND_DOUBLE] = "a number",
                                        [KIND_HW] = "N or HxW",
                                        [KIND_INTS] = "a comma list of whole numbers",
                                        [KIND_FLOATS] = "a comma list of numbers" };
    char range[64], takes[128];
    print_range(range, sizeof range, o);
    snprintf(takes, sizeof takes, "%s %s", what[o->kind], range);
    opt_bad(o->name, value, takes);
}

/* A number at s within o's range, whole or not; *end behind it. */
static bool read_number(const struct opt *o, bool whole, const char *s, char **end, double *v)
{
    if (strspn(s, "0123456789+-.") == 0) /* no blanks, no nan, no inf */
        return false;
    errno = 0;
    *v = whole ? (double)strtol(s, end, 10) : strtod(s, end);
    return *end != s && errno == 0 && *v >= o->min && *v <= o->max;
}

static double number(const struct opt *o, bool whole, const char *s)
{
    char *end;
    double v;
    if (!read_number(o, whole, s, &end, &v) || *end)
        die_range(o, s);
    return v;
}

static uint64_t seed(const struct opt *o, const char *s)
{
    char *end;
    errno = 0;
    uint64_t v = strtoull(s, &end, 10);
    if (s[strspn(s, "0123456789")] || end == s || errno)
        opt_bad(o->name, s, "a whole number from 0 to 18446744073709551615");
    return v;
}

static int word(const struct opt *o, const char *s)
{
    char takes[256] = "";
    for (int i = 0; o->names[i]; i++) {
        if (strcmp(s, o->names[i]) == 0)
            return i;
        const char *join = i == 0 ? "" : o->names[i + 1] ? ", " : " or ";
        size_t n = strlen(takes);
        snprintf(takes + n, sizeof takes - n, "%s%s", join, o->names[i]);
    }
    opt_bad(o->name, s, takes);
}

static void read_list(const struct opt *o, const char *text)
{
    bool whole = o->kind == KIND_INTS;
    const char *s = text;
    for (*o->count = 0;; s++) {
        char *end;
        double v;
        if (*o->count == o->room)
            die("--%s: %s: at most %d values", o->name, text, o->room);
        if (!read_number(o, whole, s, &end, &v) || (*end && *end != ','))
            die_range(o, text);
        if (whole)
            o->whole[(*o->count)++] = (int)v;
        else
            o->reals[(*o->count)++] = (float)v;
        s = end;
        if (!*s)
            return;
    }
}

static void read_hw(const struct opt *o, const char *s)
{
    char *end;
    double h, w;
    if (!read_number(o, true, s, &end, &h))
        die_range(o, s);
    w = h;
    if (*end && (*end != 'x' || !read_number(o, true, end + 1, &end, &w) || *end))
        die_range(o, s);
    o->whole[0] = (int)h;
    o->whole[1] = (int)w;
}

static void store(const struct opt *o, const char *s)
{
    switch (o->kind) {
    case KIND_FLAG:
        *o->flag = true;
        break;
    case KIND_INT:
        *o->whole = (int)number(o, true, s);
        break;
    case KIND_LONG:
        *o->many = (long)number(o, true, s);
        break;
    case KIND_SEED:
        *o->seed = seed(o, s);
        break;
    case KIND_DOUBLE:
        *o->real = number(o, false, s);
        break;
    case KIND_STRING:
        *o->text = s;
        break;
    case KIND_ENUM:
        *o->whole = word(o, s);
        break;
    case KIND_HW:
        read_hw(o, s);
        break;
    case KIND_INTS:
    case KIND_FLOATS:
        read_list(o, s);
        break;
    }
}

/* ---- help ---- */

static void print_default(const struct opt *o)
{
    if (o->help[strlen(o->help) - 1] == ')')
        return;
    switch (o->kind) {
    case KIND_INT:
        printf(" (%d)", *o->whole);
        break;
    case KIND_LONG:
        printf(" (%ld)", *o->many);
        break;
    case KIND_SEED:
        printf(" (%llu)", (unsigned long long)*o->seed);
        break;
    case KIND_DOUBLE:
        printf(" (%.9g)", *o->real);
        break;
    case KIND_ENUM:
        printf(" (%s)", o->names[*o->whole]);
        break;
    default: /* no default, or said in the text */
        break;
    }
}

static void print_row(const struct opt *o)
{
    char left[64];
    char letter[5] = "    ";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(left, sizeof left, "  %s--%s %s", letter, o->name, o->metavar ? o->metavar : "");
    printf("%-*s%s", HELP_COLUMN, left, o->help);
    print_default(o);
    putchar('\n');
}

static _Noreturn void print_help(const struct parser *p)
{
    const struct opt_tool *t = p->tool;
    const char *lead = "usage:";
    for (const char *s = t->usage; *s;) {
        size_t n = strcspn(s, "\n");
        printf("%s %s ", lead, t->name);
        fwrite(s, 1, n, stdout);
        putchar('\n');
        s += n + (s[n] == '\n');
        lead = "      ";
    }
    printf("\n%s\n\n", t->about);
    for (int i = 0; i < p->rows; i++)
        print_row(p->row[i]);
    printf("\nman %s says the rest.\n", t->name);
    close_stdout();
    exit(0);
}

static _Noreturn void print_version(const struct parser *p)
{
    if (common.quiet)
        puts(RN_VERSION);
    else
        printf("%s %s\n", p->tool->name, RN_VERSION);
    close_stdout();
    exit(0);
}

/* ---- parsing ---- */

int opt_parse(const struct opt_tool *t, int argc, char **argv)
{
    struct parser p;
    const struct opt *o;
    parser_init(&p, t);
    opterr = 0;
    while ((o = next_option(&p, argc, argv)))
        if (o->flag == &want_help || o->flag == &want_version || o->flag == &common.quiet)
            store(o, NULL);
    if (want_help)
        print_help(&p);
    if (want_version)
        print_version(&p);
    optind = 0; /* glibc: start again, argv is in its final order */
    while ((o = next_option(&p, argc, argv)))
        store(o, optarg);
    return optind;
}

int opt_machine(void)
{
    if (rn_isa_select(common.isa))
        die("%s", rn_error());
    return common.threads ? common.threads : rn_threads_default();
}
