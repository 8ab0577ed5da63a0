/* A source that is a list of picture files, with or without classes: what folders, lists of names
 * and picture files become. */
#ifndef RN_DATA_FILES_H
#define RN_DATA_FILES_H

#include "data/source.h"

/* Zeroed at first. */
struct rn_files {
    char *text; /* the paths, a NUL behind each */
    size_t used, room;
    size_t *at; /* [count], where they begin */
    size_t at_room;
    int *label; /* [count], -1: unknown */
    size_t label_room;
    long count;
};

void rn_files_release(struct rn_files *f);

/* Adds the path of n bytes. Returns 0 or RN_EMEM. */
int rn_files_add(struct rn_files *f, const char *path, size_t n, int label);

/* s becomes a source of these files, which it takes over, also on error. */
void rn_files_become(struct rn_source *s, struct rn_files *f);

/* 1: a file that begins as a picture does; 0: something else; -1: it can't be read. */
int rn_picture_file(const char *path);

#endif
