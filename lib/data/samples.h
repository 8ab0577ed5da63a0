/* A tar archive as a data set: samples as WebDataset writes them. */
#ifndef RN_DATA_SAMPLES_H
#define RN_DATA_SAMPLES_H

#include "data/source.h"

/*
 * s, a tar archive open at s->fd, becomes a source of its pictures, read in any order. KEY.jpg (or
 * another picture, or several, KEY.left.png) and KEY.cls, a class number from 0, are a sample; they
 * stand next to one another, in any order, and every picture has a class or none has. What can't be
 * read in any order, a pipe or gzip, is first written to a file without a name in TMPDIR (/tmp).
 *   pipe  s->head has been read from s->fd before
 * Returns 0, RN_EIO, RN_EFORMAT or RN_EMEM.
 */
int rn_source_read_samples(struct rn_source *s, bool pipe);

#endif
