/*
 * Names of layers in other programs' files and in ours, which are torchvision's. A dialect is a
 * table of rules that are read in both directions.
 */
#ifndef RN_WEIGHTS_NAMES_H
#define RN_WEIGHTS_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Two patterns of the same layers. In both stands
 *   #      for a number, > and < for that number and one, less one (of the other side)
 *   @      for the number before it again
 *   *      at the end, for the rest
 * in the same order on both sides. Rules apply one after the other, for writing from the last.
 */
struct rn_rule {
    const char *theirs, *ours;
    bool read_only; /* another spelling, which is not written */
};

struct rn_dialect {
    const char *name;
    const char *what; /* whose files have it */
    const struct rn_rule *rule;
};

extern const struct rn_dialect rn_dialects[]; /* in the order they are tried; a NULL name ends it */

const struct rn_dialect *rn_dialect_find(const char *name); /* NULL: none; rn_error() lists them */

enum { RN_FOREIGN_MAX = 160 }; /* characters of a name that rules apply to, with its NUL */

/*
 * The name of a tensor as ours, and ours as theirs: its layer by the rules, what stands behind the
 * last full stop (weight, running_mean) as it is. Reading takes wrappers (module., _orig_mod.,
 * model., net., backbone., resnet.) from its front. What no rule knows stays. Return false where it
 * does not fit.
 */
bool rn_name_read(const struct rn_dialect *d, const char *name, char ours[RN_FOREIGN_MAX]);
bool rn_name_write(const struct rn_dialect *d, const char *name, char theirs[RN_FOREIGN_MAX]);

/* Does a tensor's name, read, begin like one of our networks'? */
bool rn_name_known(const char *name);

#endif
