/* Memory that shows stray accesses. */
#ifndef GUARD_H
#define GUARD_H

#include <stdbool.h>
#include <stddef.h>

/* Behind the page that can't be touched, before it, or neither: off the vectors' alignment. */
enum place { AT_START, AT_END, BETWEEN, PLACES };

/* Gives all memory back; what is taken from now on lies at that place. */
void guard_reset(enum place where);

/* Memory full of canaries, with canaries around. Aborts when there is no more. */
void *guard_take(size_t bytes, size_t align);

/* Are the canaries around all that is taken unharmed? */
bool guard_intact(void);

#endif
