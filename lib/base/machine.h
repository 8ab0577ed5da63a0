/* What this process may use of the machine. */
#ifndef RN_BASE_MACHINE_H
#define RN_BASE_MACHINE_H

/*
 * CPUs that the cgroup's quota allows, rounded up, the narrowest of the group and its parents; 0:
 * no quota.
 *   cgroup  /proc/self/cgroup       root  /sys/fs/cgroup
 */
int rn_quota_cpus(const char *cgroup, const char *root);

#endif
