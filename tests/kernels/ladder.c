/* kernels.c: the ladder's names, selection by name and by RN_ISA, errors, first use by threads. */
#include "check.h"

#include "rn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 8 };

static bool say(bool good, const char *what)
{
    if (!good)
        printf("# ladder: %s\n", what);
    return good;
}

/* Many threads at once ask first: all get the table that RN_ISA wishes. */
static bool first_use(void)
{
    enum { ASKERS = 8 };
    const struct rn_kernels *got[ASKERS];
    bool good = true;
    setenv("RN_ISA", "ref", 1);
#pragma omp parallel for num_threads(ASKERS)
    for (int i = 0; i < ASKERS; i++)
        got[i] = rn_kernels_get();
    for (int i = 0; i < ASKERS; i++)
        good &= got[i] == rn_kernels_get() && strcmp(got[i]->isa, "ref") == 0;
    unsetenv("RN_ISA");
    return say(good, "the threads' first tables differ");
}

static bool select_each(const char *const *names, int n)
{
    for (int i = 0; i < n; i++) {
        struct rn_kernels k;
        const struct rn_kernels *before = rn_kernels_get();
        const char *isa = before->isa;
        if (!say(rn_isa_select(names[i]) == 0 && strcmp(rn_isa_name(), names[i]) == 0, names[i]) ||
            !say(rn_kernels_init(&k, names[i]) == 0 && k.igemm == rn_kernels_get()->igemm,
                 "init and get differ") ||
            !say(before->isa == isa, "selecting changed the old table"))
            return false;
    }
    return true;
}

static bool unknown_name(const char *const *names, int n)
{
    struct rn_kernels k;
    const char *before = rn_isa_name();
    bool good = rn_isa_select("mmx") == RN_EUSAGE && rn_kernels_init(&k, "mmx") == RN_EUSAGE &&
                strcmp(rn_isa_name(), before) == 0;
    for (int i = 0; i < n; i++)
        good &= strstr(rn_error(), names[i]) != NULL;
    setenv("RN_ISA", "mmx", 1);
    good &= rn_isa_select(NULL) == RN_EUSAGE;
    setenv("RN_ISA", "", 1);
    good &= rn_isa_select(NULL) == 0;
    unsetenv("RN_ISA");
    return say(good, "an unknown name");
}

bool check_ladder(void)
{
    const char *names[NAMES_MAX];
    bool good = first_use();
    int n = rn_isa_names(names, NAMES_MAX);
    good &= say(n < 1 || rn_isa_names(names, n - 1) == n - 1, "names past max");
    good &= select_each(names, n) && unknown_name(names, n);
    good &= say(rn_isa_select("ref") == 0 && strcmp(rn_isa_name(), "ref") == 0, "ref");
    good &= say(rn_isa_select(NULL) == 0 && strcmp(rn_isa_name(), n ? names[n - 1] : "ref") == 0,
                "the best is not the default");
    return good;
}
