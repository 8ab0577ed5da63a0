/*
 * One picture on its way from a source into a batch: its name, its class and either pixels, encoded
 * bytes or a file to read. It owns its memory and keeps it for the next picture.
 */
#ifndef RN_DATA_ITEM_H
#define RN_DATA_ITEM_H

#include "data/image.h"

/* Zeroed at first. */
struct rn_item {
    char *name; /* of the record */
    size_t name_room;
    int label;             /* -1: unknown */
    bool file;             /* the encoded picture is in the file `name`; data are not read yet */
    bool sparse;           /* a member of a tar stored with holes: it has no data */
    struct rn_image image; /* pixel NULL: data[n] are the encoded picture */
    uint8_t *data;
    size_t n, room; /* bytes of data used, allocated */
};
void rn_item_release(struct rn_item *it);

/* Empties it and gives it the name PREFIX#NUMBER, or PREFIX where number is -1. Returns 0 or
 * RN_EMEM. */
int rn_item_begin(struct rn_item *it, const char *prefix, long number);
/* The same, PREFIX#MEMBER. */
int rn_item_begin_member(struct rn_item *it, const char *prefix, const char *member);

/* Room for n bytes of data in all; those that are used stay. Returns 0 or RN_EMEM. */
int rn_item_reserve(struct rn_item *it, size_t n);

/* Reads the file into data, no further than it can be a picture. Returns 0, RN_EIO, RN_EFORMAT or
 * RN_EMEM. */
int rn_item_load(struct rn_item *it);

#endif
