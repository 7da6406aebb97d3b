/* The names in the database are those of the schemas' enums. */
#include "herald/distribution/v1/distribution.pb-c.h"
#include "herald/event/v1/event.pb-c.h"
#include "herald/job/v1/job.pb-c.h"
#include "server/durable/outbox_store.h"
#include "server/store/postgres/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_same_names(const struct db_names *names, const ProtobufCEnumDescriptor *descriptor) {
    assert_int_equal(names->count, descriptor->n_values);
    for (int number = 1; number < names->count; number++) {
        const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(descriptor, number);
        assert_non_null(value);
        assert_string_equal(db_name_of(names, number), value->name);
        assert_int_equal(db_number_of(names, value->name, strlen(value->name)), number);
    }
}

static void test_names_of_the_schemas_are_the_same(void **state) {
    (void)state;
    assert_same_names(&db_event_statuses, &herald__event__v1__event_status__descriptor);
    assert_same_names(&db_objectives, &herald__event__v1__objective__descriptor);
    assert_same_names(&db_job_statuses, &herald__job__v1__job_status__descriptor);
    assert_same_names(&db_styles, &herald__job__v1__style__descriptor);
    assert_same_names(&db_channels, &herald__distribution__v1__channel__descriptor);
    assert_same_names(&db_delivery_states, &herald__distribution__v1__delivery_state__descriptor);
}

static void test_names_of_outbox_kinds(void **state) {
    (void)state;
    assert_string_equal(db_name_of(&db_outbox_kinds, OUTBOX_KAFKA), "KAFKA");
    assert_string_equal(db_name_of(&db_outbox_kinds, OUTBOX_CACHE_DELETE), "CACHE_DELETE");
}

static void test_names_unknown_numbers_and_names_have_none(void **state) {
    (void)state;
    assert_null(db_name_of(&db_channels, 0));
    assert_null(db_name_of(&db_channels, -1));
    assert_null(db_name_of(&db_channels, 7));
    assert_int_equal(db_number_of(&db_channels, "", 0), 0);
    assert_int_equal(db_number_of(&db_channels, "INSTA", 5), 0);
    assert_int_equal(db_number_of(&db_channels, "INSTAGRAMS", 10), 0);
    assert_int_equal(db_number_of(&db_channels, "INSTAGRAMS", 9), 4); /* the text need not end there */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_the_schemas_are_the_same),
        cmocka_unit_test(test_names_of_outbox_kinds),
        cmocka_unit_test(test_names_unknown_numbers_and_names_have_none),
    };
    return cmocka_run_group_tests_name("unit.db.names", tests, NULL, NULL);
}
