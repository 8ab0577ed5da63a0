/* What rn-bench asks the system: the processor, whether others used it, the process's memory. */
#ifndef RN_CMD_BENCH_MACHINE_H
#define RN_CMD_BENCH_MACHINE_H

const char *cpu_name(void); /* "" where the system has no name for it */

/* Between the two calls: warns when others took more than a few per cent of the processors. */
void quiet_start(void);
void quiet_check(void);

/*
 * Bytes that the resident memory rose, at its highest, above what it was at the start; negative
 * where the kernel does not tell.
 */
void memory_start(void);
double memory_rise(void);

#endif
