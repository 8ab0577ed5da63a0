/* The machine as Linux tells it in /proc. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench_machine.h"
#include "rn.h"
#include "say.h"

const char *cpu_name(void)
{
    static char cpu[128];
    char line[256];
    FILE *f = *cpu ? NULL : fopen("/proc/cpuinfo", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "model name%*[ \t]: %127[^\n]", cpu) == 1)
            break;
    if (f)
        fclose(f);
    struct utsname u;
    if (!*cpu && uname(&u) == 0)
        snprintf(cpu, sizeof cpu, "%.127s", u.machine);
    return cpu;
}

/* ---- others ---- */

static const double LOUD = 0.05; /* share of all processors, taken by others */

/* Processor seconds of the whole machine (with those a host took away) less those of this process
 * and its children; negative: unknown. */
static double others_s(void)
{
    double v[8] = { 0 }, own = 0; /* user nice system idle iowait irq softirq steal */
    FILE *f = fopen("/proc/stat", "re");
    int n = f ? fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", v, v + 1, v + 2, v + 3, v + 4,
                       v + 5, v + 6, v + 7)
              : 0;
    if (f)
        fclose(f);
    if (n < 7)
        return -1;
    for (int who = 0; who < 2; who++) {
        struct rusage u;
        getrusage(who ? RUSAGE_CHILDREN : RUSAGE_SELF, &u);
        own += (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
               1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    }
    return (v[0] + v[1] + v[2] + v[5] + v[6] + v[7]) / (double)sysconf(_SC_CLK_TCK) - own;
}

static double start_s, start_others;

void quiet_start(void)
{
    start_s = rn_seconds();
    start_others = others_s();
}

void quiet_check(void)
{
    double seconds = rn_seconds() - start_s, others = others_s();
    double all = seconds * (double)sysconf(_SC_NPROCESSORS_ONLN);
    double share = (others - start_others) / all;
    if (start_others >= 0 && others >= 0 && seconds > 0.5 && share > LOUD)
        warn("the machine was not quiet: others took %.0f %% of its processors", 100 * share);
}

/* ---- memory ---- */

static double start_bytes;

/* A line of /proc/self/status, in bytes; -1: it has none. */
static double status_bytes(const char *name)
{
    char line[128];
    double kib = -1;
    size_t n = strlen(name);
    FILE *f = fopen("/proc/self/status", "re");
    while (f && kib < 0 && fgets(line, sizeof line, f))
        if (strncmp(line, name, n) != 0 || sscanf(line + n, ": %lf kB", &kib) != 1)
            kib = -1;
    if (f)
        fclose(f);
    return kib < 0 ? -1 : 1024 * kib;
}

/* Writing 5 sets the high water to what is resident now (Linux 4.0). */
void memory_start(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "we");
    bool good = f && fputs("5", f) >= 0;
    if (f && fclose(f))
        good = false;
    start_bytes = good ? status_bytes("VmRSS") : -1;
}

double memory_rise(void)
{
    double high = status_bytes("VmHWM");
    if (start_bytes < 0 || high < 0)
        return -1;
    return high > start_bytes ? high - start_bytes : 0;
}
