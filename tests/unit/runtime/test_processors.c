#include "server/runtime/processors.h"
#include "tests/unit/rpc/cmocka_headers.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How many processors a process may use, by files like those of the kernel. */

static char folder[64];

static int set_up(void **state) {
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/herald-processors-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

/* Writes a file of @folder, and the folders above it. */
static void put(const char *name, const char *text) {
    char command[512], path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    snprintf(command, sizeof(command), "mkdir -p $(dirname %s)", path);
    assert_int_equal(system(command), 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static unsigned quota(void) {
    char cgroups[128], mount[128];
    snprintf(cgroups, sizeof(cgroups), "%s/cgroup", folder);
    snprintf(mount, sizeof(mount), "%s/fs", folder);
    return processors_of_quota(cgroups, mount);
}

static void test_processors_without_quota(void **state) {
    (void)state;
    assert_int_equal(quota(), 0);
    put("cgroup", "0::/a/b\n");
    assert_int_equal(quota(), 0);
    put("fs/a/b/cpu.max", "max 100000\n");
    assert_int_equal(quota(), 0);
}

static void test_processors_by_quota_of_version_2(void **state) {
    (void)state;
    put("cgroup", "0::/a/b\n");
    put("fs/a/b/cpu.max", "350000 100000\n");
    assert_int_equal(quota(), 3);
    put("fs/a/cpu.max", "200000 100000\n"); /* it is above */
    assert_int_equal(quota(), 2);
    put("fs/cpu.max", "25000 100000\n");
    assert_int_equal(quota(), 1); /* a quarter of one */
}

static void test_processors_by_quota_of_version_1(void **state) {
    (void)state;
    put("cgroup", "4:memory:/m\n3:cpuacct,cpu:/c\n1:cpuset:/c\n");
    put("fs/cpu/c/cpu.cfs_quota_us", "-1\n");
    put("fs/cpu/c/cpu.cfs_period_us", "100000\n");
    assert_int_equal(quota(), 0);
    put("fs/cpu/c/cpu.cfs_quota_us", "400000\n");
    assert_int_equal(quota(), 4);
    put("fs/m/cpu.max", "100000 100000\n"); /* of another one */
    assert_int_equal(quota(), 4);
}

static void test_processors_make_loops(void **state) {
    cpu_set_t set;
    (void)state;
    assert_int_equal(processors_loops(3, 64), 3);
    assert_int_equal(processors_loops(3, 2), 2);
    assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
    assert_in_range(processors_loops(0, 64), 1, (unsigned)CPU_COUNT(&set));
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_processors_without_quota),
        TEST(test_processors_by_quota_of_version_2),
        TEST(test_processors_by_quota_of_version_1),
        TEST(test_processors_make_loops),
    };
    return cmocka_run_group_tests_name("runtime.processors", tests, NULL, NULL);
}
