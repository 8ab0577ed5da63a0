/* Files: mapped for reading, written whole or not at all. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

/* ---- reading ---- */

static ssize_t read_some(int fd, void *out, size_t n)
{
    ssize_t got;
    do {
        got = read(fd, out, n);
    } while (got < 0 && errno == EINTR);
    return got;
}

static int read_whole(struct rn_map *m, const char *path, int fd)
{
    uint8_t *data = NULL;
    size_t size = 0, room = 0;
    for (;;) {
        if (size == room) {
            room = room ? 2 * room : 1 << 16;
            uint8_t *more = realloc(data, room);
            if (!more) {
                free(data);
                return rn_fail(RN_EMEM, "%s: memory is short behind %zu bytes", path, size);
            }
            data = more;
        }
        ssize_t got = read_some(fd, data + size, room - size);
        if (got < 0) {
            int status = rn_fail_errno("%s", path);
            free(data);
            return status;
        }
        if (got == 0) {
            *m = (struct rn_map){ .data = data, .size = size, .owned = data };
            return 0;
        }
        size += (size_t)got;
    }
}

static int map_fd(struct rn_map *m, const char *path, int fd)
{
    struct stat st;
    if (fstat(fd, &st))
        return rn_fail_errno("%s", path);
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return rn_fail_errno("%s", path);
    }
    if (!S_ISREG(st.st_mode) || st.st_size == 0) /* files of /proc say 0, too */
        return read_whole(m, path, fd);
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return rn_fail_errno("%s", path);
    *m = (struct rn_map){ .data = p, .size = (size_t)st.st_size };
    return 0;
}

int rn_map_open(struct rn_map *m, const char *path)
{
    *m = (struct rn_map){ 0 };
    if (!strcmp(path, "-"))
        return read_whole(m, path, STDIN_FILENO);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return rn_fail_errno("%s", path);
    int status = map_fd(m, path, fd);
    close(fd);
    return status;
}

void rn_map_close(struct rn_map *m)
{
    if (m->owned)
        free(m->owned);
    else if (m->data)
        munmap((void *)(uintptr_t)m->data, m->size);
    *m = (struct rn_map){ 0 };
}

enum { ADVISE_MIN = 1 << 18 }; /* bytes from which a system call about them pays */

/* Advice about the pages that hold (or, `inner`, that lie wholly in) a part of a mapped file. */
static void advise(const struct rn_map *m, const void *data, size_t bytes, bool inner, int advice)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)data, end = at + bytes;
    uintptr_t begin = (uintptr_t)m->data;
    if (!m->data || m->owned || bytes < ADVISE_MIN || at < begin || end > begin + m->size)
        return;
    at = (inner ? at + page - 1 : at) / page * page;
    end = (inner ? end : end + page - 1) / page * page;
    madvise((void *)at, end - at, advice); /* what an old kernel does not know is let be */
}

void rn_map_want(const struct rn_map *m, const void *data, size_t bytes)
{
#ifdef MADV_POPULATE_READ
    advise(m, data, bytes, false, MADV_POPULATE_READ);
#else
    advise(m, data, bytes, false, MADV_WILLNEED);
#endif
}

void rn_map_drop(const struct rn_map *m, const void *data, size_t bytes)
{
    advise(m, data, bytes, true, MADV_DONTNEED);
}

/* ---- writing ---- */

enum { BUFFER = 1 << 20 };

struct rn_writer {
    int fd;
    int error;   /* errno of the first write that failed: no commit after it */
    char *path;  /* as the caller said, for messages */
    char *final; /* what PATH.tmp becomes: path with symbolic links followed; NULL: written directly
                  */
    char *tmp;
    uint8_t *buffer; /* [BUFFER] */
    size_t used;
};

static void writer_free(struct rn_writer *w)
{
    if (w->fd >= 0 && w->fd != STDOUT_FILENO)
        close(w->fd);
    rn_free(w->path);
    free(w->final);
    free(w->tmp);
    rn_free(w->buffer);
    rn_free(w);
}

/* A file system that has no locks is written without one. */
static bool lock(int fd)
{
    return !flock(fd, LOCK_EX | LOCK_NB) || errno == ENOSYS || errno == ENOLCK ||
           errno == EOPNOTSUPP;
}

/* Is fd still what the name says? Its last owner may have renamed or removed it before we got the
 * lock. */
static bool same_file(int fd, const char *name)
{
    struct stat a, b;
    return !fstat(fd, &a) && !lstat(name, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Opens PATH.tmp and takes its lock: from then on it is ours, also one that a killed process left
 * behind. O_TRUNC would spoil it under a writer that holds the lock. */
static int open_tmp(struct rn_writer *w)
{
    for (int tries = 0; tries < 1000; tries++) {
        w->fd = open(w->tmp, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (w->fd < 0)
            return rn_fail_errno("%s", w->path);
        if (!lock(w->fd)) {
            return errno == EWOULDBLOCK
                       ? rn_fail(RN_EIO, "%s: another process is writing it", w->path)
                       : rn_fail_errno("%s", w->path);
        }
        if (same_file(w->fd, w->tmp))
            return 0;
        close(w->fd);
    }
    w->fd = -1;
    return rn_fail(RN_EIO, "%s: others keep replacing it", w->path);
}

/* From here on what fails removes PATH.tmp, as it is ours. */
static int begin_tmp(struct rn_writer *w, const struct stat *old)
{
    if (ftruncate(w->fd, 0) || (old && fchmod(w->fd, old->st_mode & 0777))) {
        int status = rn_fail_errno("%s", w->path);
        unlink(w->tmp);
        return status;
    }
    return 0;
}

/* Devices and pipes can't be replaced by renaming: they are written directly. */
static int open_path(struct rn_writer *w)
{
    struct stat st;
    bool exists = !stat(w->path, &st);
    if (exists && !S_ISREG(st.st_mode)) {
        w->fd = open(w->path, O_WRONLY | O_CLOEXEC);
        return w->fd < 0 ? rn_fail_errno("%s", w->path) : 0;
    }
    w->final = exists ? realpath(w->path, NULL) : strdup(w->path);
    if (!w->final)
        return rn_fail_errno("%s", w->path);
    if (asprintf(&w->tmp, "%s.tmp", w->final) < 0) {
        w->tmp = NULL;
        return rn_fail(RN_EMEM, "%s: memory is short", w->path);
    }
    int status = open_tmp(w);
    return status ? status : begin_tmp(w, exists ? &st : NULL);
}

int rn_writer_open(struct rn_writer **out, const char *path)
{
    struct rn_writer *w = rn_alloc(1, sizeof *w);
    if (!w)
        return RN_EMEM;
    bool direct = !strcmp(path, "-");
    w->fd = direct ? STDOUT_FILENO : -1;
    w->path = rn_strdup(direct ? "stdout" : path);
    w->buffer = rn_alloc(BUFFER, 1);
    int status = w->path && w->buffer ? 0 : RN_EMEM;
    if (!status && !direct)
        status = open_path(w);
    if (status) {
        writer_free(w);
        return status;
    }
    *out = w;
    return 0;
}

static int put(struct rn_writer *w, const uint8_t *data, size_t n)
{
    while (n > 0 && !w->error) {
        ssize_t written = write(w->fd, data, n);
        if (written >= 0) {
            data += written;
            n -= (size_t)written;
        } else if (errno != EINTR) {
            w->error = errno;
        }
    }
    errno = w->error;
    return w->error ? rn_fail_errno("%s", w->path) : 0;
}

static int flush(struct rn_writer *w)
{
    size_t n = w->used;
    w->used = 0;
    return put(w, w->buffer, n);
}

int rn_writer_write(struct rn_writer *w, const void *data, size_t n)
{
    if (n > BUFFER - w->used) {
        int status = flush(w);
        if (status || n >= BUFFER)
            return status ? status : put(w, data, n);
    }
    memcpy(w->buffer + w->used, data, n);
    w->used += n;
    return 0;
}

/* Makes the rename last. A folder that can't be opened or has no fsync is left to the kernel. */
static int sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX] = ".";
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", (int)(slash == path ? 1 : slash - path), path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    int status = fsync(fd) && errno != EINVAL ? rn_fail_errno("%s", folder) : 0;
    close(fd);
    return status;
}

int rn_writer_commit(struct rn_writer *w)
{
    int status = flush(w);
    if (!status && w->final) {
        if (fsync(w->fd)) {
            status = rn_fail_errno("%s", w->path);
        } else if (rename(w->tmp, w->final)) {
            status = rn_fail_errno("%s", w->path);
        } else {
            status = sync_folder(w->final);
            writer_free(w);
            return status;
        }
    }
    if (status)
        rn_writer_abort(w);
    else
        writer_free(w);
    return status;
}

void rn_writer_abort(struct rn_writer *w)
{
    if (w && w->tmp)
        unlink(w->tmp);
    if (w)
        writer_free(w);
}
