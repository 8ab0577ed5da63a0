/* Messages, progress and the escapes of TSV and JSON. The tools run in the C locale throughout. */
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "opt.h"
#include "rn.h"

static const char *tool = "rn";
static bool line_open; /* a progress line stands on the terminal */

void say_start(const char *name)
{
    tool = name;
    /* A closed descriptor would be given to the next file opened, and results written into it. */
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
            exit(2);
    /* A parent that ignores SIGPIPE (Python, some crons) would make a message of a closed pipe. */
    signal(SIGPIPE, SIG_DFL);
    /* A file that grows past the limit is an error with a sentence, not a death. */
    signal(SIGXFSZ, SIG_IGN);
}

/* Whatever a terminal could take for a command, or for another line, becomes \xNN. */
static void put_escaped(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    while (*s) {
        size_t n = rn_utf8_length((const char *)s);
        bool control = *s < 0x20 || *s == 0x7f || (n == 2 && s[0] == 0xc2 && s[1] < 0xa0);
        if (n && !control) {
            fwrite(s, 1, n, stderr);
        } else {
            n = n ? n : 1;
            for (size_t i = 0; i < n; i++)
                fprintf(stderr, "\\x%02x", s[i]);
        }
        s += n;
    }
}

static void progress_clear(void)
{
    if (line_open)
        fputs("\r\033[K", stderr);
    line_open = false;
}

static void say(const char *fmt, va_list ap)
{
    char *text = NULL;
    if (vasprintf(&text, fmt, ap) < 0)
        text = NULL;
    progress_clear();
    fprintf(stderr, "%s: ", tool);
    put_escaped(text ? text : "memory is short");
    fputc('\n', stderr);
    free(text);
}

void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(fmt, ap);
    va_end(ap);
    exit(2);
}

void complain(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(fmt, ap);
    va_end(ap);
}

void warn(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (!common.quiet)
        say(fmt, ap);
    va_end(ap);
}

void note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (common.verbose)
        say(fmt, ap);
    va_end(ap);
}

void *allocate(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p)
        die("memory is short");
    return p;
}

void progress(const char *fmt, ...)
{
    static double last;
    double now = rn_seconds();
    if (common.quiet || !isatty(STDERR_FILENO) || now - last < 0.1)
        return;
    if (last == 0)
        atexit(progress_clear);
    last = now;
    va_list ap;
    va_start(ap, fmt);
    fputc('\r', stderr);
    vfprintf(stderr, fmt, ap);
    fputs("\033[K", stderr);
    va_end(ap);
    line_open = true;
}

void flush_stdout(void)
{
    if (fflush(stdout) || ferror(stdout))
        die("standard output: %s", strerror(errno));
}

void close_stdout(void)
{
    flush_stdout();
    if (fclose(stdout))
        die("standard output: %s", strerror(errno));
}

void refuse_terminal(void)
{
    if (isatty(STDOUT_FILENO))
        die("standard output is a terminal and the result is binary; -o names a file, -f writes it "
            "all the same");
}

void put_field(const char *s)
{
    static const char from[] = "\t\n\r\\", to[] = "tnr\\";
    for (; *s; s++) {
        const char *at = strchr(from, *s);
        if (at) {
            putchar('\\');
            putchar(to[at - from]);
        } else {
            putchar(*s);
        }
    }
}

void put_number(double v)
{
    printf("%.9g", v);
}

/* Returns whether every byte was UTF-8. */
static bool json_string(const char *text)
{
    bool clean = true;
    putchar('"');
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        size_t n = rn_utf8_length((const char *)s);
        if (n == 0)
            fputs("\\ufffd", stdout);
        else if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if (*s < 0x20 || *s == 0x7f)
            printf("\\u%04x", *s);
        else
            fwrite(s, 1, n, stdout);
        clean = clean && n;
        s += n ? n : 1;
    }
    putchar('"');
    return clean;
}

void put_json(const char *s)
{
    json_string(s);
}

void put_json_number(double v)
{
    if (isfinite(v))
        put_number(v);
    else
        fputs("null", stdout);
}

void put_json_member(const char *key, const char *s)
{
    printf("\"%s\":", key);
    if (json_string(s))
        return;
    printf(",\"%s_hex\":\"", key);
    for (; *s; s++)
        printf("%02x", (unsigned char)*s);
    putchar('"');
}
