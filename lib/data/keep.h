/*
 * Pictures kept from one epoch to the next, decoded and resized: small ones are decoded once. A
 * place is written once, by the thread that developed the picture; readers come in later epochs.
 */
#ifndef RN_DATA_KEEP_H
#define RN_DATA_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed: keeps nothing. */
struct rn_keep {
    size_t size;    /* bytes of a picture */
    uint8_t *pixel; /* [count][size]; pages that nobody wrote take no memory */
    bool *has;      /* [count]; NULL: nothing is kept */
};

/* Room for count pictures of `size` bytes, or for none where that is more than `most`. Returns 0 or
 * RN_EMEM. */
int rn_keep_init(struct rn_keep *k, long count, size_t size, size_t most);
void rn_keep_release(struct rn_keep *k);

const uint8_t *rn_keep_find(const struct rn_keep *k, long index); /* NULL: not there */
void rn_keep_put(struct rn_keep *k, long index, const uint8_t *pixel);

#endif
