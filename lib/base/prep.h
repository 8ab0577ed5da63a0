/* The words of rn.resize and --resize: how a picture takes the size of the network's input. */
#ifndef RN_BASE_PREP_H
#define RN_BASE_PREP_H

#include <stdbool.h>

enum { RN_SIDE_MAX = 8192 }; /* pixels of an input's side */

/*
 * "squash" (shorter and crop become 0: to the input's size without keeping the aspect), or
 * "short=N,crop=M": the short side to N pixels, keeping the aspect, then the M x M pixels of the
 * middle. N and M are 1 to RN_SIDE_MAX, written without sign, space or leading zero. Returns false
 * for anything else.
 */
bool rn_resize_parse(const char *text, int *shorter, int *crop);

#endif
