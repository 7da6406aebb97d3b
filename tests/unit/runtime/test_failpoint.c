#include "server/runtime/failpoint.h"
#include "tests/unit/runtime/run.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Two rooms. */
#define FIRST_FAILPOINTS(X)                                                                                            \
    X(BEFORE, "first.before", FAILPOINT_IN_TASK, "it has not begun")                                                   \
    X(REPLY, "first.reply", FAILPOINT_OF_REPLY, "the reply is ready")
#define SECOND_FAILPOINTS(X) X(AFTER, "second.after", FAILPOINT_IN_TASK, "it has ended")

FAILPOINTS_DECLARE(FIRST_FAILPOINTS)
FAILPOINTS_DECLARE(SECOND_FAILPOINTS)
extern struct failpoint *const first_failpoints[], *const second_failpoints[];
FAILPOINTS_DEFINE(first_failpoints, FIRST_FAILPOINTS)
FAILPOINTS_DEFINE(second_failpoints, SECOND_FAILPOINTS)

#define POINT FAILPOINT_BEFORE
#define NAME  "first.before"

static int use_both(void **state) {
    (void)state;
    static struct failpoint *const *const tables[] = {first_failpoints, second_failpoints, NULL};
    failpoint_use(tables);
    return 0;
}

static const char *action_of(const char *wanted) {
    static char action[FAILPOINT_ACTION_BYTES];
    for (unsigned i = 0; i < failpoint_count(); i++) {
        const char *name = NULL, *about = NULL;
        failpoint_describe(i, &name, &about, action);
        assert_non_null(name);
        assert_true(about != NULL && about[0] != '\0');
        if (strcmp(name, wanted) == 0) {
            return action;
        }
    }
    fail_msg("%s is not listed", wanted);
    return NULL;
}

static void test_points_are_those_of_all_tables_in_their_order(void **state) {
    (void)state;
    static const char *const NAMES[] = {"first.before", "first.reply", "second.after"};
    assert_int_equal(failpoint_count(), 3);
    for (unsigned i = 0; i < 3; i++) {
        const char *name, *about;
        char action[FAILPOINT_ACTION_BYTES];
        failpoint_describe(i, &name, &about, action);
        assert_string_equal(name, NAMES[i]);
    }
}

static void set(const char *name, const char *action) {
    struct herald_error error = {0};
    if (failpoint_set(name, action, NULL, &error) != HERALD_OK) {
        fail_msg("%s:%s: %s", name, action, error.message);
    }
}

static int all_off(void **state) {
    (void)state;
    unsetenv("HERALD_FAILPOINT");
    for (unsigned i = 0; i < failpoint_count(); i++) {
        const char *name, *about;
        char action[FAILPOINT_ACTION_BYTES];
        failpoint_describe(i, &name, &about, action);
        set(name, "off");
    }
    return 0;
}

static void test_set_each_action_is_shown_as_set(void **state) {
    (void)state;
    static const char *const ACTIONS[] = {"error(UNAVAILABLE)",
                                          "delay(0)",
                                          "delay(600000)",
                                          "kill",
                                          "3*error(ABORTED)",
                                          "20%delay(5)",
                                          "16777215*1%error(OUTCOME_UNKNOWN)",
                                          "off"};
    char previous[FAILPOINT_ACTION_BYTES];
    const char *before = "off";
    for (size_t i = 0; i < sizeof(ACTIONS) / sizeof(ACTIONS[0]); i++) {
        assert_int_equal(failpoint_set(NAME, ACTIONS[i], previous, NULL), HERALD_OK);
        assert_string_equal(previous, before);
        assert_string_equal(action_of(NAME), ACTIONS[i]);
        before = ACTIONS[i];
    }
}

static void test_set_what_is_no_action_is_refused_and_changes_nothing(void **state) {
    (void)state;
    static const char *const BAD[] = {"",
                                      "on",
                                      "error",
                                      "error()",
                                      "error(OK)",
                                      "error(NO)",
                                      "error(ABORTED",
                                      "error(ABORTED)x",
                                      "delay()",
                                      "delay(600001)",
                                      "delay(-1)",
                                      "delay(5)x",
                                      "0*kill",
                                      "3*",
                                      "0%kill",
                                      "101%kill",
                                      "50%",
                                      "3*off",
                                      "16777216*kill",
                                      "kill ",
                                      "50%3*kill"};
    set(NAME, "delay(7)");
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct herald_error error = {0};
        if (failpoint_set(NAME, BAD[i], NULL, &error) != HERALD_INVALID_ARGUMENT) {
            fail_msg("\"%s\" was taken", BAD[i]);
        }
        assert_string_equal(error.reason, "NO_ACTION");
        assert_string_equal(action_of(NAME), "delay(7)");
    }
}

static void test_set_unknown_name_lists_the_names(void **state) {
    (void)state;
    struct herald_error error = {0};
    assert_int_equal(failpoint_set("first.nowhere", "off", NULL, &error), HERALD_NOT_FOUND);
    assert_non_null(strstr(error.message, NAME));
    assert_non_null(strstr(error.message, "second.after"));
}

static void test_set_action_that_the_point_does_not_take_is_refused(void **state) {
    (void)state;
    struct herald_error error = {0};
    assert_int_equal(failpoint_set(NAME, "drop", NULL, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "ACTION_NOT_HERE");
    assert_int_equal(failpoint_set("first.reply", "delay(1)", NULL, &error), HERALD_INVALID_ARGUMENT);
    assert_int_equal(failpoint_set("first.reply", "error(ABORTED)", NULL, &error), HERALD_INVALID_ARGUMENT);
}

static void test_hit_when_off_is_ok(void **state) {
    (void)state;
    assert_int_equal(failpoint_hit(POINT, NULL), HERALD_OK);
    assert_false(failpoint_drops(FAILPOINT_REPLY));
}

static void test_hit_error_returns_its_code(void **state) {
    (void)state;
    struct herald_error error = {0};
    set(NAME, "error(UNAVAILABLE)");
    assert_int_equal(failpoint_hit(POINT, &error), HERALD_UNAVAILABLE);
    assert_string_equal(error.reason, "FAILPOINT");
    assert_non_null(strstr(error.message, NAME));
    assert_int_equal(failpoint_hit(FAILPOINT_AFTER, NULL), HERALD_OK);
}

static void test_hit_with_a_count_is_off_afterwards(void **state) {
    (void)state;
    set(NAME, "3*error(ABORTED)");
    assert_int_equal(failpoint_hit(POINT, NULL), HERALD_ABORTED);
    assert_string_equal(action_of(NAME), "2*error(ABORTED)");
    assert_int_equal(failpoint_hit(POINT, NULL), HERALD_ABORTED);
    assert_int_equal(failpoint_hit(POINT, NULL), HERALD_ABORTED);
    assert_int_equal(failpoint_hit(POINT, NULL), HERALD_OK);
    assert_string_equal(action_of(NAME), "off");
}

static void test_hit_with_a_percentage_happens_that_often(void **state) {
    (void)state;
    unsigned dropped = 0;
    set("first.reply", "20%drop");
    for (unsigned i = 0; i < 10000; i++) {
        dropped += failpoint_drops(FAILPOINT_REPLY);
    }
    assert_in_range(dropped, 1500, 2500);
}

static void test_drops_with_a_count_drops_that_many(void **state) {
    (void)state;
    unsigned dropped = 0;
    set("first.reply", "5*50%drop");
    for (unsigned i = 0; i < 1000; i++) {
        dropped += failpoint_drops(FAILPOINT_REPLY);
    }
    assert_int_equal(dropped, 5);
}

static bool other_ran;

static void other(void *arg) {
    (void)arg;
    other_ran = true;
}

static void hit_delayed(void *arg) {
    (void)arg;
    uint64_t begin_us = clock_now_us();
    other_ran = false;
    assert_int_equal(task_spawn(loop_current(), NULL, "other", other, NULL, NULL), HERALD_OK);
    assert_int_equal(failpoint_hit(POINT, NULL), HERALD_OK);
    assert_true(clock_now_us() - begin_us >= 20000);
    assert_true(other_ran); /* the loop went on */
}

static void test_hit_delay_suspends_the_task_only(void **state) {
    (void)state;
    set(NAME, "1*delay(20)");
    run_task(NULL, hit_delayed, NULL);
}

static void hit_beyond_deadline(void *arg) {
    (void)arg;
    assert_int_equal(failpoint_hit(POINT, NULL), HERALD_DEADLINE_EXCEEDED);
}

static void test_hit_delay_ends_with_the_calls_deadline(void **state) {
    (void)state;
    struct call call;
    set(NAME, "delay(600000)");
    call_init(&call, "test", NULL, 10, 0);
    run_task(&call, hit_beyond_deadline, NULL);
    call_fini(&call);
}

/* How a child process ends that does @hit. */
static int end_of_child(void (*hit)(void)) {
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        hit();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void hit_point(void) {
    (void)failpoint_hit(POINT, NULL);
}

static void hit_reply(void) {
    (void)failpoint_drops(FAILPOINT_REPLY);
}

static void test_hit_kill_ends_the_process_at_once(void **state) {
    (void)state;
    set(NAME, "kill");
    set("first.reply", "kill");
    int status = end_of_child(hit_point);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    status = end_of_child(hit_reply);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_environment_sets_each_part(void **state) {
    (void)state;
    assert_int_equal(failpoint_set_from_environment(NULL), HERALD_OK);
    setenv("HERALD_FAILPOINT", "first.reply:10*drop," NAME ":20%error(ABORTED)", 1);
    assert_int_equal(failpoint_set_from_environment(NULL), HERALD_OK);
    assert_string_equal(action_of("first.reply"), "10*drop");
    assert_string_equal(action_of(NAME), "20%error(ABORTED)");
}

static void test_environment_that_is_wrong_is_refused_with_the_part(void **state) {
    (void)state;
    struct herald_error error = {0};
    setenv("HERALD_FAILPOINT", "first.reply", 1);
    assert_int_equal(failpoint_set_from_environment(&error), HERALD_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "HERALD_FAILPOINT: \"first.reply\" is no name:action"));
    setenv("HERALD_FAILPOINT", "nowhere:kill", 1);
    assert_int_equal(failpoint_set_from_environment(&error), HERALD_NOT_FOUND);
}

static char told[1024];

static void tell(void *user, enum herald_code code, const struct herald_error *problem) {
    unsigned *count = user;
    assert_int_equal(code, problem->code);
    (*count)++;
    strcat(told, problem->message);
    strcat(told, "\n");
}

static void test_check_of_the_environment_tells_each_wrong_part_and_sets_nothing(void **state) {
    (void)state;
    unsigned count = 0;
    setenv("HERALD_FAILPOINT", "first.before:delay(5),first.befor:kill,first.before:explode,first.reply:delay(1),x", 1);
    told[0] = '\0';
    failpoint_check_environment(tell, &count);
    assert_int_equal(count, 4);
    assert_non_null(
        strstr(told, "HERALD_FAILPOINT: there is no failpoint \"first.befor\": did you mean first.before?"));
    assert_non_null(strstr(told, "HERALD_FAILPOINT: \"explode\" is no action of failpoint first.before; actions are"));
    assert_non_null(
        strstr(told, "HERALD_FAILPOINT: failpoint first.reply does not take \"delay(1)\"; it takes off, drop"));
    assert_non_null(strstr(told, "HERALD_FAILPOINT: \"x\" is no name:action"));
    assert_string_equal(action_of(NAME), "off");
    setenv("HERALD_FAILPOINT", "first.before:2*delay(5),first.reply:20%drop", 1);
    failpoint_check_environment(tell, &count);
    assert_int_equal(count, 4);
    unsetenv("HERALD_FAILPOINT");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points_are_those_of_all_tables_in_their_order),
        cmocka_unit_test_setup(test_set_each_action_is_shown_as_set, all_off),
        cmocka_unit_test_setup(test_set_what_is_no_action_is_refused_and_changes_nothing, all_off),
        cmocka_unit_test_setup(test_set_unknown_name_lists_the_names, all_off),
        cmocka_unit_test_setup(test_set_action_that_the_point_does_not_take_is_refused, all_off),
        cmocka_unit_test_setup(test_hit_when_off_is_ok, all_off),
        cmocka_unit_test_setup(test_hit_error_returns_its_code, all_off),
        cmocka_unit_test_setup(test_hit_with_a_count_is_off_afterwards, all_off),
        cmocka_unit_test_setup(test_hit_with_a_percentage_happens_that_often, all_off),
        cmocka_unit_test_setup(test_drops_with_a_count_drops_that_many, all_off),
        cmocka_unit_test_setup(test_hit_delay_suspends_the_task_only, all_off),
        cmocka_unit_test_setup(test_hit_delay_ends_with_the_calls_deadline, all_off),
        cmocka_unit_test_setup(test_hit_kill_ends_the_process_at_once, all_off),
        cmocka_unit_test_setup(test_environment_sets_each_part, all_off),
        cmocka_unit_test_setup(test_environment_that_is_wrong_is_refused_with_the_part, all_off),
        cmocka_unit_test_setup(test_check_of_the_environment_tells_each_wrong_part_and_sets_nothing, all_off),
    };
    return cmocka_run_group_tests_name("runtime.failpoint", tests, use_both, NULL);
}
