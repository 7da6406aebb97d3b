/* Numbers of the schemas' enums and the names that the database holds for them. */
#include "herald/distribution/v1/distribution.pb-c.h"
#include "herald/event/v1/event.pb-c.h"
#include "herald/job/v1/job.pb-c.h"
#include "server/store/postgres/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define CHANNELS (&herald__distribution__v1__channel__descriptor)

/* @names  of the numbers 1, 2, …; NULL after the last */
static void assert_names(const ProtobufCEnumDescriptor *values, const char *const *names) {
    int number = 0;
    while (names[number]) {
        const char *name = names[number++];
        assert_string_equal(db_name_of(values, number), name);
        assert_int_equal(db_number_of(values, name, strlen(name)), number);
    }
    assert_int_equal(values->n_values, number + 1); /* and the unspecified one */
}

/* Rows and the tables' constraints have these names: an enum's value in the schemas may be added, not renamed. */
static void test_names_are_those_of_the_rows_there_are(void **state) {
    (void)state;
    assert_names(&herald__event__v1__event_status__descriptor,
                 (const char *[]){"DRAFT", "APPROVED", "ACTIVE", "ENDED", NULL});
    assert_names(&herald__event__v1__objective__descriptor,
                 (const char *[]){"NEW_CUSTOMERS", "REPEAT_VISITS", "SALES", "AWARENESS", NULL});
    assert_names(&herald__job__v1__job_status__descriptor,
                 (const char *[]){"PENDING", "RUNNING", "COMPLETED", "FAILED", NULL});
    assert_names(&herald__job__v1__style__descriptor, (const char *[]){"SIMPLE", "FANCY", "TRENDY", NULL});
    assert_names(CHANNELS, (const char *[]){"WOORIDONGNE_TV", "RINGO_BIZ", "GENIE_TV", "INSTAGRAM", "NAVER_BLOG",
                                            "KAKAO_CHANNEL", NULL});
    assert_names(&herald__distribution__v1__delivery_state__descriptor,
                 (const char *[]){"PENDING", "DEFERRED", "PREPARING", "READY", "COMMITTING", "PUBLISHED",
                                  "AWAITING_OPERATOR", "REJECTED", "NEEDS_AUTH", "OUTCOME_UNKNOWN", "RECONCILING",
                                  "EXPIRED", "CANCELLED", NULL});
}

static void test_names_unknown_numbers_and_names_have_none(void **state) {
    (void)state;
    assert_null(db_name_of(CHANNELS, 0));
    assert_null(db_name_of(CHANNELS, -1));
    assert_null(db_name_of(CHANNELS, 77));
    assert_int_equal(db_number_of(CHANNELS, "", 0), 0);
    assert_int_equal(db_number_of(CHANNELS, "CHANNEL_UNSPECIFIED", 19), 0);
    assert_int_equal(db_number_of(CHANNELS, "INSTA", 5), 0);
    assert_int_equal(db_number_of(CHANNELS, "INSTAGRAMS", 10), 0);
    assert_int_equal(db_number_of(CHANNELS, "INSTAGRAMS", 9), 4); /* the text need not end there */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_those_of_the_rows_there_are),
        cmocka_unit_test(test_names_unknown_numbers_and_names_have_none),
    };
    return cmocka_run_group_tests_name("unit.db.names", tests, NULL, NULL);
}
