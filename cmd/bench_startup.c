/* rn-infer as a process: fork, exec, the clock until its first line comes out of a pipe. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "opt.h"
#include "say.h"

struct startup {
    const char *model, *picture; /* picture NULL: random pixels of the model's size */
    int threads;
    double label_ms, exit_ms; /* from the start to the first line, and to the end of the process */
};

/* rn-infer in the folder of this program. */
static const char *infer_path(void)
{
    static char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof "rn-infer");
    if (n < 0)
        die("/proc/self/exe: %s", strerror(errno));
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    strcpy(slash ? slash + 1 : path, "rn-infer");
    if (access(path, X_OK))
        die("%s: %s", path, strerror(errno));
    return path;
}

/* A descriptor of memory with one random picture as IDX; it is grey, as IDX is. */
static int random_picture(const char *model)
{
    struct rn_model *m;
    if (rn_model_open(&m, model))
        die("%s", rn_error());
    const struct rn_prep *p = rn_model_prep(m);
    if (p->C != 1)
        die("%s: takes pictures of %d channels: name a PICTURE", model, p->C);
    const unsigned head[4] = { 0x803, 1, (unsigned)p->H, (unsigned)p->W };
    int fd = memfd_create("picture", MFD_CLOEXEC);
    FILE *f = fd < 0 ? NULL : fdopen(dup(fd), "wb");
    if (!f)
        die("a picture in memory: %s", strerror(errno));
    for (int i = 0; i < 16; i++)
        putc((int)(head[i / 4] >> (24 - i % 4 * 8) & 255), f);
    srand48(1);
    for (long i = (long)p->H * p->W; i > 0; i--)
        putc((int)(lrand48() & 255), f);
    if (fclose(f))
        die("a picture in memory: %s", strerror(errno));
    rn_model_free(m);
    return fd;
}

static _Noreturn void child(const struct startup *s, const char *program, int in, int out)
{
    char threads[16];
    const char *argv[10] = { "rn-infer", "-m", s->model, "-j", threads };
    int n = 5;
    snprintf(threads, sizeof threads, "%d", s->threads);
    if (common.isa) {
        argv[n++] = "--isa";
        argv[n++] = common.isa;
    }
    argv[n++] = "--";
    argv[n++] = s->picture ? s->picture : "-";
    if (dup2(out, STDOUT_FILENO) < 0 || (in >= 0 && dup2(in, STDIN_FILENO) < 0))
        _exit(2);
    execv(program, (char *const *)argv);
    _exit(2);
}

/* Reads to the end; returns when the first line was whole, 0: never. */
static double first_line(int fd)
{
    char text[4096];
    double when = 0;
    ssize_t n;
    while ((n = read(fd, text, sizeof text)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0 && when == 0 && memchr(text, '\n', (size_t)n))
            when = rn_seconds();
    return when;
}

/* Runs rn-infer once, that beside this program. When it fails, its own sentence stands on stderr
 * and this is exit 2. */
static void run_once(struct startup *s)
{
    static const char *program;
    static int picture = -1;
    int out[2], status = 0;
    program = program ? program : infer_path();
    if (!s->picture && picture < 0)
        picture = random_picture(s->model);
    if (!s->picture)
        lseek(picture, 0, SEEK_SET);
    if (pipe2(out, O_CLOEXEC))
        die("pipe: %s", strerror(errno));
    double begin = rn_seconds();
    pid_t pid = fork();
    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid == 0)
        child(s, program, s->picture ? -1 : picture, out[1]);
    close(out[1]);
    double label = first_line(out[0]);
    close(out[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    s->exit_ms = 1e3 * (rn_seconds() - begin);
    s->label_ms = 1e3 * (label - begin);
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        exit(2); /* it has said why */
    if (status != 0 || label == 0)
        die("%s: ended without a label", program);
}

static void measure(struct startup *s)
{
    struct row r;
    double *label = allocate(bench.repeats, sizeof *label),
           *end = allocate(bench.repeats, sizeof *end);
    run_once(s); /* brings the files into memory */
    for (int i = 0; i < bench.repeats; i++) {
        run_once(s);
        label[i] = s->label_ms;
        end[i] = s->exit_ms;
    }
    row_start(&r, bench.table);
    row_text(&r, s->model);
    row_text(&r, s->picture ? s->picture : "");
    row_number(&r, s->threads);
    row_spread(&r, spread(label, bench.repeats));
    row_number(&r, spread(end, bench.repeats).median);
    row_machine(&r);
    free(label);
    free(end);
}

void run_startup(char **operand, int n)
{
    for (int i = 0; i < bench.thread_count; i++)
        measure(&(struct startup){ .model = operand[0],
                                   .picture = n > 1 ? operand[1] : NULL,
                                   .threads = bench.threads[i] });
}
