/*
 * Chooses the kernels: a table per step of the ladder, each made once from the one below it, and a
 * pointer to the table in force.
 */
#include "kernels/kernels.h"

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { TABLES_MAX = 8 };

static struct rn_kernels tables[TABLES_MAX]; /* "ref", then the steps this machine has */
static int count;
static const struct rn_kernels *_Atomic current; /* NULL until one is asked for */

static void climb(void)
{
    rn_kernels_ref(&tables[count++]);
    for (const struct rn_isa *s = rn_isas; s->name && count < TABLES_MAX; s++) {
        if (s->has()) {
            tables[count] = tables[count - 1];
            s->use(&tables[count]);
            tables[count++].isa = s->name;
        }
    }
}

static int tables_ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, climb);
    return count;
}

/* The table of that name, or NULL. */
static const struct rn_kernels *find(const char *isa)
{
    for (int i = 0; i < tables_ready(); i++)
        if (strcmp(tables[i].isa, isa) == 0)
            return &tables[i];
    return NULL;
}

static const struct rn_kernels *best(void)
{
    return &tables[tables_ready() - 1];
}

/* RN_ISA of the environment; empty counts as absent. */
static const char *wish(void)
{
    const char *isa = getenv("RN_ISA");
    return isa && *isa ? isa : NULL;
}

static int fail_unknown(const char *isa)
{
    char list[16 * TABLES_MAX] = "";
    for (int i = 0; i < count; i++) {
        strncat(list, i ? ", " : "", sizeof list - strlen(list) - 1);
        strncat(list, tables[i].isa, sizeof list - strlen(list) - 1);
    }
    return rn_fail(RN_EUSAGE, "instruction set '%s': this machine has %s", isa, list);
}

int rn_kernels_init(struct rn_kernels *k, const char *isa)
{
    const struct rn_kernels *found = isa ? find(isa) : best();
    if (!found)
        return fail_unknown(isa);
    *k = *found;
    return 0;
}

const struct rn_kernels *rn_kernels_get(void)
{
    const struct rn_kernels *k = atomic_load(&current);
    if (!k) {
        const char *isa = wish();
        const struct rn_kernels *found = isa ? find(isa) : NULL;
        found = found ? found : best();
        k = atomic_compare_exchange_strong(&current, &k, found) ? found : k;
    }
    return k;
}

int rn_isa_select(const char *name)
{
    const char *isa = name ? name : wish();
    const struct rn_kernels *found = isa ? find(isa) : best();
    if (!found)
        return fail_unknown(isa);
    atomic_store(&current, found);
    return 0;
}

const char *rn_isa_name(void)
{
    return rn_kernels_get()->isa;
}

int rn_isa_names(const char *names[], int max)
{
    int n = 0;
    for (int i = 1; i < tables_ready() && n < max; i++)
        names[n++] = tables[i].isa;
    return n;
}
