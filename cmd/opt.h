/*
 * The options of a tool as one table: a row is the parser, the range check, the line of --help and
 * (by a test) a paragraph of the manual. What stands in memory before opt_parse() is the default
 * that --help shows.
 */
#ifndef RN_CMD_OPT_H
#define RN_CMD_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opt_kind {
    KIND_FLAG,   /* sets true */
    KIND_STRING, /* any text */
    KIND_SEED,   /* 64 bits */
    KIND_INT,    /* a whole number, min to max */
    KIND_LONG,   /* the same */
    KIND_DOUBLE, /* a number, min to max */
    KIND_HW,     /* int [2]: H and W, given as N or HxW */
    KIND_ENUM,   /* the index of a word */
    KIND_INTS,   /* a comma list of at most `room` */
    KIND_FLOATS, /* the same */
};

struct opt {
    int letter;       /* short name, or 0 */
    const char *name; /* long name */
    enum opt_kind kind;
    const char *metavar; /* NULL for flags */
    const char *help;    /* one that ends in ')' says its default itself */
    union {              /* where the value goes */
        bool *flag;
        int *whole;
        long *many;
        uint64_t *seed;
        double *real;
        float *reals;
        const char **text;
    };
    double min, max;
    const char *const *names; /* KIND_ENUM: the words, ended by NULL */
    int *count, room;         /* lists: values given, values that fit */
};

/*
 * The rows of a table; the compiler checks the type of `to`. All begin: short name or 0, long name;
 * numbers and lists end: metavar, help, min, max.
 */
/* clang-format off */
#define OPT_ROW(k, l, n, m, h) .kind = k, .letter = l, .name = n, .metavar = m, .help = h
#define OPT_FLAG(l, n, to, h)           { OPT_ROW(KIND_FLAG, l, n, NULL, h), .flag = to }
#define OPT_STRING(l, n, to, m, h)      { OPT_ROW(KIND_STRING, l, n, m, h), .text = to }
#define OPT_SEED(l, n, to, m, h)        { OPT_ROW(KIND_SEED, l, n, m, h), .seed = to }
#define OPT_ENUM(l, n, to, m, h, words) { OPT_ROW(KIND_ENUM, l, n, m, h), .whole = to, .names = words }
#define OPT_NUMBER(k, field, l, n, to, m, h, lo, hi) \
    { OPT_ROW(k, l, n, m, h), .field = to, .min = lo, .max = hi }
#define OPT_LIST(k, field, l, n, to, filled, most, m, h, lo, hi) \
    { OPT_ROW(k, l, n, m, h), .field = to, .count = filled, .room = most, .min = lo, .max = hi }
#define OPT_INT(...)    OPT_NUMBER(KIND_INT, whole, __VA_ARGS__)
#define OPT_LONG(...)   OPT_NUMBER(KIND_LONG, many, __VA_ARGS__)
#define OPT_DOUBLE(...) OPT_NUMBER(KIND_DOUBLE, real, __VA_ARGS__)
#define OPT_HW(...)     OPT_NUMBER(KIND_HW, whole, __VA_ARGS__)
#define OPT_INTS(...)   OPT_LIST(KIND_INTS, whole, __VA_ARGS__)
#define OPT_FLOATS(...) OPT_LIST(KIND_FLOATS, reals, __VA_ARGS__)
#define OPT_END         { .name = NULL }
/* clang-format on */

/* Options with one meaning in every tool that takes them; -h -V -q -v are in all. */
enum { WITH_THREADS = 1, WITH_ISA = 2, WITH_FORCE = 4, WITH_JSON = 8 };
struct opt_common {
    bool quiet, verbose, force, json;
    int threads;     /* 0: not given */
    const char *isa; /* NULL: not given */
};
extern struct opt_common common;

struct opt_tool {
    const char *name;
    const char *usage; /* one line for each form, without the tool's name */
    const char *about; /* what it does, for --help */
    const struct opt *opts;
    unsigned with; /* WITH_ bits */
};

/*
 * Reads the options of argv; operands are moved behind them. --help and --version answer and exit
 * with 0; a wrong option or value is one line on stderr and exit 2. Returns the index of the first
 * operand.
 */
int opt_parse(const struct opt_tool *t, int argc, char **argv);

/* Chooses the instruction set that --isa or RN_ISA names and returns the number of threads to use.
 */
int opt_machine(void);

/* "rn-train: --augment: fip: takes ...", exit 2. */
_Noreturn void opt_bad(const char *name, const char *value, const char *takes);

/* "rn-train: no DATA (rn-train --help says more)", exit 2. */
_Noreturn void opt_usage(const char *what);

#endif
