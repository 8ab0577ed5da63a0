/* The memory of a batch. */
#include "data/slot.h"

#include <string.h>

#include "base/mem.h"
#include "rn.h"

int rn_slot_init(struct rn_slot *s, int batch, size_t size)
{
    size_t n = (size_t)batch;
    s->batch = batch;
    s->size = size;
    s->x = rn_alloc(n, size * sizeof *s->x);
    s->label = rn_alloc(n, sizeof *s->label);
    s->index = rn_alloc(n, sizeof *s->index);
    s->name = rn_alloc(n, sizeof *s->name);
    s->error = rn_alloc(n, sizeof *s->error);
    s->name_text = rn_alloc(n, sizeof *s->name_text);
    s->error_text = rn_alloc(n, sizeof *s->error_text);
    return s->x && s->label && s->index && s->name && s->error && s->name_text && s->error_text
               ? 0
               : RN_EMEM;
}

void rn_slot_release(struct rn_slot *s)
{
    for (int i = 0; i < s->batch && s->name_text && s->error_text; i++) {
        rn_free(s->name_text[i].s);
        rn_free(s->error_text[i].s);
    }
    rn_free(s->x);
    rn_free(s->label);
    rn_free(s->index);
    rn_free(s->name);
    rn_free(s->error);
    rn_free(s->name_text);
    rn_free(s->error_text);
}

float *rn_slot_input(const struct rn_slot *s, int place)
{
    return s->x + (size_t)place * s->size;
}

static const char *keep(struct rn_text *t, const char *s)
{
    size_t n = strlen(s) + 1;
    char *larger = rn_grow(t->s, &t->room, 0, n);
    if (!larger)
        return "memory is short";
    return t->s = memcpy(larger, s, n);
}

void rn_slot_name(struct rn_slot *s, int place, const char *name, const char *error)
{
    s->error[place] = error ? keep(&s->error_text[place], error) : NULL;
    s->name[place] = keep(&s->name_text[place], name);
    if (error)
        memset(rn_slot_input(s, place), 0, s->size * sizeof *s->x);
}

int rn_slot_compact(struct rn_slot *s, int n)
{
    int to = 0;
    for (int i = 0; i < n; i++) {
        if (s->error[i])
            continue;
        if (to < i) {
            memcpy(rn_slot_input(s, to), rn_slot_input(s, i), s->size * sizeof *s->x);
            s->label[to] = s->label[i];
            s->index[to] = s->index[i];
            s->name[to] = s->name[i];
            s->error[to] = NULL;
        }
        to++;
    }
    return to;
}
