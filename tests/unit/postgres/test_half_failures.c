/* The parts of the pool that decide: what an error means, whose turn it is, which host comes first. */
#include "server/store/postgres/hosts.h"
#include "server/store/postgres/sqlstate.h"
#include "server/store/postgres/waiting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* ---- errors ---- */

static void test_sqlstate_the_most_precise_row_counts(void **state) {
    (void)state;
    assert_true(db_meaning_of("53100")->is_passing);
    assert_non_null(strstr(db_meaning_of("53100")->trouble, "disk"));
    assert_true(db_meaning_of("53400")->is_passing); /* by its class */
    assert_true(db_meaning_of("25006")->retires);
    assert_true(db_meaning_of("57P01")->retires);
    assert_false(db_meaning_of("57014")->retires); /* of the class of 57P01 */
    assert_null(db_meaning_of("57014")->trouble);
    assert_true(db_meaning_of("08006")->is_passing);
    assert_true(db_meaning_of("08007")->is_unknown);
    assert_false(db_meaning_of("08007")->is_passing);
    assert_false(db_meaning_of("40001")->retires);
    assert_false(db_meaning_of("23505")->is_passing);
    assert_false(db_meaning_of("")->is_passing);
}

/* ---- turns ---- */

static struct db_request *add(struct db_waiting *waiting, const char *tenant, enum db_lane lane) {
    static struct db_batch batch;
    db_batch_init(&batch);
    struct db_request *request = db_request_new(&batch);
    assert_non_null(request);
    request->lane = lane;
    assert_true(db_waiting_join(waiting, request, tenant));
    db_waiting_push(waiting, request, 1);
    return request;
}

static bool any_may_go(void *user, const struct db_request *request) {
    (void)request;
    return user == NULL;
}

static bool not_of(void *user, const struct db_request *request) {
    return strcmp(request->tenant->name, user) != 0;
}

static void test_waiting_tenants_take_turns_and_each_keeps_its_order(void **state) {
    (void)state;
    struct db_waiting waiting = {0};
    struct db_request *a[3], *b;
    for (int i = 0; i < 3; i++) {
        a[i] = add(&waiting, "a", DB_LANE_WRITE);
    }
    b = add(&waiting, "b", DB_LANE_WRITE);
    struct db_request *other_lane = add(&waiting, "a", DB_LANE_READ);
    struct db_request *const order[] = {a[0], b, a[1], a[2]};
    for (int i = 0; i < 4; i++) {
        assert_ptr_equal(db_waiting_next(&waiting, DB_LANE_WRITE, any_may_go, NULL), order[i]);
    }
    assert_null(db_waiting_next(&waiting, DB_LANE_WRITE, any_may_go, NULL));
    assert_int_equal(db_waiting_length(&waiting), 1);
    db_waiting_remove(&waiting, other_lane);
    assert_null(waiting.oldest[DB_LANE_READ]);
    for (int i = 0; i < 4; i++) {
        db_request_free(order[i]);
    }
    db_request_free(other_lane);
    assert_null(waiting.tenants); /* a tenant lives as long as its requests */
}

static void test_waiting_a_tenant_that_may_not_go_is_passed_over(void **state) {
    (void)state;
    struct db_waiting waiting = {0};
    struct db_request *a = add(&waiting, "a", DB_LANE_WRITE), *b = add(&waiting, "b", DB_LANE_WRITE);
    assert_ptr_equal(db_waiting_next(&waiting, DB_LANE_WRITE, not_of, "a"), b);
    assert_null(db_waiting_next(&waiting, DB_LANE_WRITE, not_of, "a"));
    db_waiting_remove(&waiting, a);
    db_waiting_lock(a);
    assert_int_equal(a->tenant->locked, 1);
    db_waiting_push(&waiting, a, 2);
    assert_int_equal(waiting.lengths[DB_LANE_LOCKED], 1);
    assert_ptr_equal(db_waiting_next(&waiting, DB_LANE_LOCKED, any_may_go, NULL), a);
    db_waiting_push(&waiting, b, 3);
    db_waiting_push_front(&waiting, a, 4);
    assert_ptr_equal(waiting.oldest[DB_LANE_LOCKED], a);
    db_waiting_remove(&waiting, a);
    db_waiting_remove(&waiting, b);
    db_request_free(a);
    db_request_free(b);
    assert_null(waiting.tenants);
}

/* ---- hosts ---- */

static void turn_and_compare(const char *dsn, unsigned first, const char *host, const char *port) {
    struct db_hosts hosts;
    char turned_host[DB_HOSTS_BYTES], turned_address[DB_HOSTS_BYTES], turned_port[DB_HOSTS_BYTES];
    PQconninfoOption *parsed = PQconninfoParse(dsn, NULL);
    assert_non_null(parsed);
    db_hosts_read(parsed, &hosts);
    PQconninfoFree(parsed);
    db_hosts_turn(&hosts, first, turned_host, turned_address, turned_port);
    assert_string_equal(turned_host, host);
    assert_string_equal(turned_address, "");
    assert_string_equal(turned_port, port);
}

static void test_hosts_begin_with_any_of_them_and_keep_their_ports(void **state) {
    (void)state;
    turn_and_compare("host=a,b,c port=1,2,3", 0, "a,b,c", "1,2,3");
    turn_and_compare("host=a,b,c port=1,2,3", 1, "b,c,a", "2,3,1");
    turn_and_compare("host=a,b,c port=1,2,3", 5, "c,a,b", "3,1,2");
    turn_and_compare("host=a,b port=1", 1, "b,a", "");
    turn_and_compare("postgresql://u@a:1,b:2/d", 1, "b,a", "2,1");
    turn_and_compare("host=a port=1", 1, "", "");
    turn_and_compare("dbname=d", 7, "", "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sqlstate_the_most_precise_row_counts),
        cmocka_unit_test(test_waiting_tenants_take_turns_and_each_keeps_its_order),
        cmocka_unit_test(test_waiting_a_tenant_that_may_not_go_is_passed_over),
        cmocka_unit_test(test_hosts_begin_with_any_of_them_and_keep_their_ports),
    };
    return cmocka_run_group_tests_name("unit.db.half_failures", tests, NULL, NULL);
}
