/*
 * What a tool says: one-line messages on stderr, progress for terminals, and the pieces of the
 * results on stdout (TSV, JSON) with their escapes.
 */
#ifndef RN_CMD_SAY_H
#define RN_CMD_SAY_H

#include <stdbool.h>
#include <stddef.h>

/* First call of main(): the name in front of messages; descriptors 0 to 2 made safe. */
void say_start(const char *tool);

/* "tool: what" on stderr, control bytes escaped. */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* exit 2 */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* an input failed */
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));     /* not under -q */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));     /* under -v only */

/* Zeros for n items of `size` bytes, or exit 2. */
void *allocate(size_t n, size_t size);

/* A line that replaces the one before, on a terminal and without -q; at most ten a second. */
void progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Writes out what stdout holds, and closes it; a full disk or another error is exit 2. */
void flush_stdout(void);
void close_stdout(void);

/* Exits when stdout is a terminal: what comes is binary. */
void refuse_terminal(void);

/* A TSV field: tab, newline, return and backslash as \t \n \r \\. */
void put_field(const char *s);

/* The number as %.9g. */
void put_number(double v);

/* JSON: a string in quotes, bytes that are no UTF-8 as U+FFFD; a number, null when not finite. */
void put_json(const char *s);
void put_json_number(double v);
/* "key": "text", and "key_hex" with the exact bytes where the text is no UTF-8. */
void put_json_member(const char *key, const char *s);

#endif
