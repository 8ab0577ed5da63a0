/* How long rn-infer takes from its start to its first label. */
#ifndef RN_CMD_BENCH_STARTUP_H
#define RN_CMD_BENCH_STARTUP_H

struct startup {
    const char *model, *picture; /* picture NULL: random pixels of the model's size */
    int threads;
    double label_ms, exit_ms; /* from the start to the first line, and to the end of the process */
};

/* Runs rn-infer once, that beside this program. When it fails, its own sentence stands on stderr
 * and this is exit 2. */
void startup_run(struct startup *s);

#endif
