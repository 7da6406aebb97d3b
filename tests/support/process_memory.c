#include "tests/support/process_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static long read_statm(pid_t pid, bool resident) {
    char path[64];
    long pages[2] = {0};
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &pages[0], &pages[1]), 2);
    (void)fclose(file);
    return pages[resident] * (sysconf(_SC_PAGESIZE) / 1024);
}

long process_resident_kib(pid_t pid) {
    return read_statm(pid, true);
}

long process_virtual_kib(pid_t pid) {
    return read_statm(pid, false);
}
