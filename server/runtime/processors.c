#include "server/runtime/processors.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 4096

/* ---- quotas ---- */

/* Reads the first line of a file of a cgroup. False: it is not there. */
static bool read_cgroup_line(const char *folder, const char *name, char ret_line[64]) {
    char path[PATH_BYTES + 32];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    bool good = fgets(ret_line, 64, file) != NULL;
    (void)fclose(file);
    return good;
}

/* The quota of one cgroup. 0: none */
static unsigned quota_of_folder(const char *folder) {
    char line[64], *rest;
    long long quota_us = 0, period_us = 0;
    if (read_cgroup_line(folder, "cpu.max", line)) { /* "max 100000", or "150000 100000" */
        quota_us = strtoll(line, &rest, 10);
        period_us = strtoll(rest, NULL, 10);
    } else if (read_cgroup_line(folder, "cpu.cfs_quota_us", line)) { /* -1: none */
        quota_us = strtoll(line, NULL, 10);
        period_us = read_cgroup_line(folder, "cpu.cfs_period_us", line) ? strtoll(line, NULL, 10) : 0;
    }
    if (quota_us <= 0 || period_us <= 0) {
        return 0;
    }
    return quota_us < period_us ? 1 : (unsigned)(quota_us / period_us);
}

static unsigned smaller_quota(unsigned one, unsigned other) {
    return one == 0 || (other != 0 && other < one) ? other : one;
}

/* The smallest quota of a cgroup and those above it. */
static unsigned quota_of_branch(const char *root, const char *path) {
    char folder[PATH_BYTES];
    unsigned quota = 0;
    int root_bytes = (int)strlen(root);
    if (snprintf(folder, sizeof(folder), "%s%s", root, path) >= (int)sizeof(folder)) {
        return 0;
    }
    for (;;) {
        quota = smaller_quota(quota, quota_of_folder(folder));
        char *slash = strrchr(folder + root_bytes, '/');
        if (slash == NULL) {
            return quota;
        }
        *slash = '\0';
    }
}

static bool has_cpu(char *controllers) {
    char *rest = NULL;
    for (const char *name = strtok_r(controllers, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
        if (strcmp(name, "cpu") == 0) {
            return true;
        }
    }
    return false;
}

/* Reads a line "4:cpu,cpuacct:/path" of version 1, or "0::/path" of version 2. */
static unsigned quota_of_line(char *line, const char *mount) {
    char root[PATH_BYTES];
    char *controllers = strchr(line, ':');
    char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (path == NULL) {
        return 0;
    }
    line[strcspn(line, "\n")] = '\0';
    *path++ = '\0';
    bool is_second = *++controllers == '\0';
    if (!is_second && !has_cpu(controllers)) {
        return 0;
    }
    (void)snprintf(root, sizeof(root), "%s%s", mount, is_second ? "" : "/cpu");
    return quota_of_branch(root, path);
}

unsigned processors_of_quota(const char *cgroups, const char *mount) {
    char line[PATH_BYTES];
    unsigned quota = 0;
    FILE *file = fopen(cgroups, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        quota = smaller_quota(quota, quota_of_line(line, mount));
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return quota;
}

/* ---- the process ---- */

unsigned processors_allowed(void) {
    cpu_set_t set;
    unsigned count = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
    unsigned quota = processors_of_quota("/proc/self/cgroup", "/sys/fs/cgroup");
    return smaller_quota(count > 0 ? count : 1, quota);
}

unsigned processors_loops(uint32_t wanted, unsigned most) {
    unsigned count = wanted > 0 ? wanted : processors_allowed();
    return count < most ? count : most;
}
