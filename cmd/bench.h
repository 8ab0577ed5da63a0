/* What the sub-commands of rn-bench share: what is asked for, a case, the limits. */
#ifndef RN_CMD_BENCH_H
#define RN_CMD_BENCH_H

#include <stdbool.h>

#include "bench_table.h"
#include "rn.h"

enum { LIST_MAX = 32, THREADS_MAX = 1024 };

/* What is asked for. */
struct bench {
    const struct table *table; /* that of the sub-command */
    int batches[LIST_MAX], batch_count;
    int threads[LIST_MAX], thread_count;
    int repeats, hw[2];
    int pass; /* enum rn_pass; -1: all */
};
extern struct bench bench;
extern const char *const bench_passes[]; /* by enum rn_pass, ended by NULL */

/* One network at one batch size and number of threads. */
struct network_case {
    const char *network;
    struct rn_model *model;
    int batch, threads;
    struct rn_session *session; /* infer */
    struct rn_trainer *trainer; /* train */
    float *x;                   /* [batch][H][W][C] */
    int *label;                 /* [batch] */
    float *logits;              /* [batch][classes] */
    double *rate;               /* [repeats], images/s */
    double *ms;                 /* [count], of each batch */
    long count, room;
    double spent[RN_PHASES]; /* train: seconds of all batches */
    double peak_bytes;       /* what opening and the first batch took; negative: unknown */
};

/* Measures n cases, prints and releases them. */
void run_networks(struct network_case *b, int n, bool train);
/* Every convolution of the case's network, a row for each pass. */
void run_layers(const struct network_case *b);
/* A row for each limit of the machine at each number of threads. */
void run_peak(void);
/* A row for each number of threads. */
void run_startup(char **operand, int n);

/* The limits, measured when they are first asked for: GFLOP/s and GB/s of n threads. */
double peak(int n);
double bandwidth(enum rn_level level, int n);

void row_machine(struct row *r); /* isa, cores, cpu: the end of every row */

#endif
