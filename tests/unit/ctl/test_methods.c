#include "deploy/ctl/methods.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct herald_method_schema *found(const char *name) {
    const struct herald_method_schema *method = NULL;
    struct herald_error error;
    if (methods_find(name, &method, &error) != HERALD_OK) {
        fail_msg("%s: %s", name, error.message);
    }
    return method;
}

static void test_find_by_full_or_short_name_is_the_same_method(void **state) {
    (void)state;
    const char *full = "herald.event.v1.EventService/PublishEvent";
    assert_string_equal(found(full)->full_name, full);
    assert_string_equal(found("EventService/PublishEvent")->full_name, full);
    assert_string_equal(found("PublishEvent")->full_name, full);
    assert_string_equal(found("EventService.PublishEvent")->full_name, full);
    assert_string_equal(found("v1.EventService/PublishEvent")->full_name, full);
}

static void test_find_part_of_a_word_is_not_found(void **state) {
    (void)state;
    const struct herald_method_schema *method = NULL;
    struct herald_error error;
    assert_int_equal(methods_find("Event", &method, &error), HERALD_NOT_FOUND);
    assert_int_equal(methods_find("", &method, &error), HERALD_NOT_FOUND);
    assert_int_equal(methods_find("/", &method, &error), HERALD_NOT_FOUND);
    assert_null(method);
}

static void test_find_a_misspelt_name_lists_near_ones(void **state) {
    (void)state;
    const struct herald_method_schema *method = NULL;
    struct herald_error error;
    assert_int_equal(methods_find("EventService/publishevent", &method, &error), HERALD_NOT_FOUND);
    assert_string_equal(error.reason, "METHOD_NOT_FOUND");
    assert_string_equal(error.message, "there is no method \"EventService/publishevent\"; near are "
                                       "herald.event.v1.EventService/PublishEvent");
    assert_int_equal(methods_find("Teleport", &method, &error), HERALD_NOT_FOUND);
    assert_string_equal(error.message, "there is no method \"Teleport\"; heraldctl ls --offline lists all");
}

static struct settings test_settings = {
    .event_url = (char *)"tcp://e:1",
    .job_url = (char *)"tcp://j:2",
    .distribution_url = (char *)"tcp://d:3",
};

static void test_url_follows_the_package(void **state) {
    (void)state;
    struct ctl_arguments arguments = {0};
    assert_string_equal(methods_url(&arguments, &test_settings, found("GetEvent")), "tcp://e:1");
    assert_string_equal(methods_url(&arguments, &test_settings, found("WaitJob")), "tcp://j:2");
    assert_string_equal(methods_url(&arguments, &test_settings, found("GetDistribution")), "tcp://d:3");
    assert_string_equal(methods_url(&arguments, &test_settings, found("Health/Check")), "tcp://e:1");
}

static void test_url_given_or_server_named_goes_before_the_package(void **state) {
    (void)state;
    struct ctl_arguments arguments = {.server = "job"};
    assert_string_equal(methods_url(&arguments, &test_settings, found("Health/Check")), "tcp://j:2");
    arguments.url = "ipc:///x";
    assert_string_equal(methods_url(&arguments, &test_settings, found("GetEvent")), "ipc:///x");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_by_full_or_short_name_is_the_same_method),
        cmocka_unit_test(test_find_part_of_a_word_is_not_found),
        cmocka_unit_test(test_find_a_misspelt_name_lists_near_ones),
        cmocka_unit_test(test_url_follows_the_package),
        cmocka_unit_test(test_url_given_or_server_named_goes_before_the_package),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
