/*
 * What the parts of rn-convert share: the options, and the weights on their way through the steps
 * that were asked for.
 */
#ifndef RN_CMD_CONVERT_H
#define RN_CMD_CONVERT_H

#include "rn.h"

struct convert_options {
    const char *format, *output, *arch, *names;
    const char *labels, *resize, *preset, *compare;
    int size[2], head, dtype;
    int means, stds;
    float mean[RN_CHANNELS_MAX], std[RN_CHANNELS_MAX];
    bool list, diff, average, ema, strip, fold;
    double tolerance;
};
extern struct convert_options convert;

/* Dies with rn_error() unless status is 0. */
void must(int status);

/* A weight file; made a model, recognised where it is another program's; both. The caller closes it.
 */
struct rn_weights *open_file(const char *path);
void make_model(struct rn_weights *w, const char *path);
struct rn_weights *open_model(const char *path);
struct rn_model *load_model(const char *path);

/* Results instead of a file, each on the operands: the exit code. */
int put_list(char **in);
int put_diff(char **in);
int put_compare(char **in);

/* Steps on the way from the operands to the output; in[0] is the one that w was read from. */
void step_average(struct rn_weights *w, char **in, int n);
void step_describe(struct rn_weights *w, const char *path);

#endif
