/* rn-convert --grow and --ungroup: another network that computes the same. */
#ifndef CMD_CONVERT_GROW_H
#define CMD_CONVERT_GROW_H

#include <stdbool.h>

struct grow_options {
    const char *spec; /* of the larger network; NULL: none */
    int behind;       /* block of each stage; -1: the last */
    bool ungroup, verify;
};

/*
 * Makes the network of the model file `in`, proves on random pictures, if it is to be verified, that
 * it computes the same (a line on stdout), and writes it to `output` ("-": stdout). Returns the exit
 * status: 1 when the outputs differ by more than rounding, and nothing is written; dies of the rest.
 */
int convert_grow(const struct grow_options *o, const char *in, const char *output);

#endif
