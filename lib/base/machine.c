/* How many threads this process should run, and a clock. Asks the kernel, never the OpenMP runtime,
 * which knows nothing of cgroups. */
#include "base/machine.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rn.h"

/* Up to `most` numbers of a file of one line; a word ("max") counts as -1. Returns how many. */
static int read_numbers(const char *path, long *value, int most)
{
    char line[64] = "";
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    char *p = fgets(line, sizeof line, f);
    fclose(f);
    int n = 0;
    for (char *save, *word = p ? strtok_r(p, " \n", &save) : NULL; word && n < most;
         word = strtok_r(NULL, " \n", &save)) {
        char *end;
        errno = 0;
        long v = strtol(word, &end, 10);
        value[n++] = *end || errno ? -1 : v;
    }
    return n;
}

/* Quota and period of the group in `folder`, in us: v2 has both in cpu.max, v1 one in each file. */
static int group_cpus(const char *folder)
{
    char path[PATH_MAX + 32];
    long value[2] = { -1, -1 };
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (read_numbers(path, value, 2) != 2) {
        snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
        read_numbers(path, value, 1);
        snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
        read_numbers(path, value + 1, 1);
    }
    if (value[0] <= 0 || value[1] <= 0)
        return 0;
    long cpus = value[0] / value[1] + (value[0] % value[1] != 0);
    return cpus < INT_MAX ? (int)cpus : INT_MAX;
}

/* The narrowest quota from `group` up to the mount point, which is all a container sees of it. */
static int path_cpus(const char *mount, const char *group)
{
    char folder[PATH_MAX];
    int least = 0, length = snprintf(folder, sizeof folder, "%s%s", mount, group);
    if (length >= (int)sizeof folder)
        return 0;
    for (size_t top = strlen(mount);;) {
        int cpus = group_cpus(folder);
        if (cpus && (!least || cpus < least))
            least = cpus;
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < top)
            return least;
        *slash = '\0';
    }
}

/* Is `word` an item of the comma-separated list of n bytes? */
static bool lists(const char *list, size_t n, const char *word)
{
    size_t length = strlen(word);
    for (const char *end = list + n; list < end;) {
        size_t item = strcspn(list, ",:");
        if (item == length && !memcmp(list, word, length))
            return true;
        list += item + 1;
    }
    return false;
}

int rn_quota_cpus(const char *cgroup, const char *root)
{
    static const char *const mounts[2][2] = { { "", "/unified" }, { "/cpu", "/cpu,cpuacct" } };
    char line[PATH_MAX], mount[PATH_MAX];
    int least = 0;
    FILE *f = fopen(cgroup, "re");
    while (f && fgets(line, sizeof line, f)) { /* ID:CONTROLLERS:PATH; v2 has no controllers */
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        size_t n = (size_t)(group - ++controllers);
        if (n && !lists(controllers, n, "cpu"))
            continue;
        for (int i = 0; i < 2; i++) {
            snprintf(mount, sizeof mount, "%s%s", root, mounts[n > 0][i]);
            int cpus = path_cpus(mount, group + 1);
            if (cpus && (!least || cpus < least))
                least = cpus;
        }
    }
    if (f)
        fclose(f);
    return least;
}

/* The kernel's mask may be wider than a cpu_set_t. */
static int affinity_cpus(void)
{
    for (int most = CPU_SETSIZE; most <= 1 << 20; most *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)most);
        size_t size = CPU_ALLOC_SIZE((size_t)most);
        int n = set && !sched_getaffinity(0, size, set) ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (n > 0)
            return n;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

/* The first number of OMP_NUM_THREADS (a list, an item per level of nesting); 0: none that is
 * valid. */
static int omp_threads(void)
{
    const char *text = getenv("OMP_NUM_THREADS");
    if (!text)
        return 0;
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    end += strspn(end, " \t");
    bool valid = end != text && (!*end || *end == ',') && !errno && n >= 1 && n <= 1 << 16;
    return valid ? (int)n : 0;
}

int rn_threads_default(void)
{
    int n = omp_threads();
    if (n)
        return n;
    n = affinity_cpus();
    int quota = rn_quota_cpus("/proc/self/cgroup", "/sys/fs/cgroup");
    return quota && quota < n ? quota : n;
}

double rn_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
