/* The memory of one batch in the loader's ring: allocated once, but for texts, which grow to the
 * longest. */
#ifndef RN_DATA_SLOT_H
#define RN_DATA_SLOT_H

#include <stdbool.h>
#include <stddef.h>

/* A text that keeps its memory. */
struct rn_text {
    char *s;
    size_t room;
};

struct rn_slot {
    int n;       /* places claimed */
    int pending; /* of them, still being developed */
    bool closed; /* no more will be claimed */
    int batch;   /* places; the arrays have so many items */
    size_t size; /* floats of an input */
    float *x;    /* [batch][size] */
    int *label;
    long *index;
    const char **name, **error;
    struct rn_text *name_text, *error_text;
};

/* Returns 0 or RN_EMEM; the caller releases either way. */
int rn_slot_init(struct rn_slot *s, int batch, size_t size);
void rn_slot_release(struct rn_slot *s);

float *rn_slot_input(const struct rn_slot *s, int place);

/* The picture's name, and why it can't be developed (its input becomes zeros), or NULL. */
void rn_slot_name(struct rn_slot *s, int place, const char *name, const char *error);

/* The first n places without those that have an error; the others move up. Returns how many. */
int rn_slot_compact(struct rn_slot *s, int n);

#endif
