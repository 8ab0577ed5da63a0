/* A folder of its own for a test program: made, filled, removed. */
#ifndef RN_TESTS_FOLDER_H
#define RN_TESTS_FOLDER_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static char dir[64];

/* Makes dir, named after the program; exits when it can't. */
static inline void folder_make(const char *program)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/rn-%s-XXXXXX", tmp ? tmp : "/tmp", program);
    if (mkdtemp(dir))
        return;
    perror(dir);
    exit(1);
}

/* Removes it with all that is in it; returns whether it is gone. */
static inline bool folder_remove(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return !system(command);
}

/* A path in the folder; good for sixteen calls. */
static inline const char *in_dir(const char *name)
{
    static char path[16][160];
    static int next;
    char *p = path[next++ % 16];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

/* A file in the folder; returns its path. */
static inline const char *put(const char *name, const void *data, size_t n)
{
    const char *path = in_dir(name);
    FILE *f = fopen(path, "w");
    if (f) {
        fwrite(data, 1, n, f);
        fclose(f);
    }
    return path;
}

#endif
