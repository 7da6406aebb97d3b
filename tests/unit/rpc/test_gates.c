#include "cmocka_headers.h"
#include "herald/job/v1/job.server.h"
#include "server/programs/settings.h"
#include "server/rpc/arrival.h"
#include "server/rpc/gates.h"
#include "server/rpc/request_text.h"
#include "server/rpc/server_parts.h"

#include <string.h>

/* Each gate of a call by itself, without a server and without nng: what passes, and what a refusal says. */

#define MS_US  UINT64_C(1000)
#define NOW_US (100 * UINT64_C(1000000))

static const struct rpc_limits LIMITS = {
    .server_name = "test-server",
    .max_message_bytes = 1000,
    .max_in_flight = 2,
    .max_strangers = 2,
    .max_waiting = 1,
    .max_connections = 8,
    .max_in_flight_per_method = 2,
    .max_in_flight_per_caller = 2,
    .max_waiting_per_caller = 1,
    .max_in_flight_per_connection = 3,
    .max_waiting_per_connection = 1,
    .max_in_flight_per_server = 3,
    .max_queue_ms = 20,
    .probes = true,
};

/* What a gate says when it lets a call pass: nothing. */
static struct herald_error untouched(void) {
    return (struct herald_error){.code = HERALD_DATA_LOSS, .retry_after_ms = 77, .reason = "UNTOUCHED"};
}

static void assert_passes(enum herald_code code, const struct herald_error *error) {
    assert_int_equal(code, HERALD_OK);
    assert_string_equal(error->reason, "UNTOUCHED");
    assert_int_equal(error->retry_after_ms, 77);
}

static void assert_refuses(enum herald_code code, const struct herald_error *error, enum herald_code expected,
                           const char *reason, uint32_t retry_after_ms, const char *message) {
    assert_string_equal(herald_code_name((int)code), herald_code_name((int)expected));
    assert_int_equal(error->code, expected);
    assert_string_equal(error->reason, reason);
    assert_int_equal(error->retry_after_ms, retry_after_ms);
    assert_string_equal(error->message, message);
}

/* A registry with JobService, whose methods are the tests' own. */
static struct registry registry;

static struct rpc_method *method_named(const char *name) {
    struct rpc_method *method = registry_find(&registry, name, strlen(name));
    assert_non_null(method);
    return method;
}

#define GET_JOB    "herald.job.v1.JobService/GetJob"
#define CREATE_JOB "herald.job.v1.JobService/CreateImageJob"

static int set_up(void **state) {
    static const struct herald_job_v1_job_service_handlers HANDLERS;
    (void)state;
    memset(&registry, 0, sizeof(registry));
    return registry_add(&registry, &herald_job_v1_job_service_binding, &HANDLERS, NULL, NULL, 100, NULL) == HERALD_OK
               ? 0
               : -1;
}

static int tear_down(void **state) {
    (void)state;
    registry_fini(&registry);
    return 0;
}

/* ---- on arrival ---- */

static void test_gate_connection_without_place_is_refused(void **state) {
    struct herald_error error = untouched();
    (void)state;
    assert_passes(gate_connection(&LIMITS, true, &error), &error);
    enum herald_code code = gate_connection(&LIMITS, false, &error);
    assert_refuses(code, &error, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CONNECTIONS", 1000,
                   "test-server has its limit of 8 connections (rpc.max_connections) and closes this one; try again "
                   "later");
}

static void test_gate_message_size_refuses_one_byte_too_many(void **state) {
    struct herald_error error = untouched();
    (void)state;
    assert_passes(gate_message_size(&LIMITS, 1000, &error), &error);
    enum herald_code code = gate_message_size(&LIMITS, 1001, &error);
    assert_refuses(code, &error, HERALD_RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE", 0,
                   "the message has 1001 bytes, the limit is rpc.max_message_bytes = 1000");
}

static void test_gate_probes_off_refuses_probes_only(void **state) {
    struct rpc_limits limits = LIMITS;
    struct herald_error error = untouched();
    (void)state;
    assert_passes(gate_probes(&limits, true, &error), &error);
    limits.probes = false;
    assert_passes(gate_probes(&limits, false, &error), &error);
    enum herald_code code = gate_probes(&limits, true, &error);
    assert_refuses(code, &error, HERALD_PERMISSION_DENIED, "PROBES_OFF", 0,
                   "plain-text probes are switched off here (rpc.probes = false); send a packed herald.rpc.v1.Request");
}

static void test_gate_in_flight_refuses_when_all_places_are_taken(void **state) {
    struct in_flight in_flight;
    struct herald_error error = untouched();
    (void)state;
    in_flight_init(&in_flight);
    assert_passes(gate_in_flight(&LIMITS, &in_flight, &error), &error);
    assert_passes(gate_in_flight(&LIMITS, &in_flight, &error), &error);
    enum herald_code code = gate_in_flight(&LIMITS, &in_flight, &error);
    assert_refuses(code, &error, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS", 100,
                   "test-server has its limit of 2 calls in flight (rpc.max_in_flight); try again later");
    assert_int_equal(in_flight.count, 2); /* who is refused holds none */
    in_flight_leave(&in_flight);
    error = untouched();
    assert_passes(gate_in_flight(&LIMITS, &in_flight, &error), &error);
    in_flight_fini(&in_flight);
}

static void test_gate_stranger_leaves_room_for_servers(void **state) {
    struct rpc_limits limits = LIMITS;
    struct in_flight in_flight;
    struct herald_error error = untouched();
    (void)state;
    limits.max_strangers = 1;
    in_flight_init(&in_flight);
    assert_passes(gate_stranger(&limits, &in_flight, &error), &error);
    enum herald_code code = gate_stranger(&limits, &in_flight, &error);
    assert_refuses(code, &error, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS", 100,
                   "test-server has its limit of 1 calls in flight of callers that are neither servers nor operators "
                   "(rpc.max_in_flight, rpc.reserved_for_servers); try again later");
    in_flight_leave_part(&in_flight.strangers);
    error = untouched();
    assert_passes(gate_stranger(&limits, &in_flight, &error), &error);
    in_flight_fini(&in_flight);
}

static void test_gate_waiting_leaves_room_for_other_calls(void **state) {
    struct in_flight in_flight;
    struct herald_error error = untouched();
    (void)state;
    in_flight_init(&in_flight);
    assert_passes(gate_waiting(&LIMITS, &in_flight, &error), &error);
    enum herald_code code = gate_waiting(&LIMITS, &in_flight, &error);
    assert_refuses(code, &error, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS", 1000,
                   "test-server has its limit of 1 calls in flight of methods that wait "
                   "(rpc.waiting_share of rpc.max_in_flight); try again later");
    assert_int_equal(in_flight.waiting, 1);
    in_flight_fini(&in_flight);
}

static void test_gate_anonymous_leaves_room_for_calls_with_a_credential(void **state) {
    struct rpc_limits limits = LIMITS;
    struct in_flight in_flight;
    struct herald_error error = untouched();
    (void)state;
    limits.max_anonymous = limits.max_anonymous_waiting = 1;
    in_flight_init(&in_flight);
    assert_passes(gate_anonymous(&limits, &in_flight, &error), &error);
    enum herald_code code = gate_anonymous(&limits, &in_flight, &error);
    assert_refuses(code, &error, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS", 100,
                   "test-server has its limit of 1 calls in flight without a credential (rpc.anonymous_share); try "
                   "again later, or with a credential");
    error = untouched();
    assert_passes(gate_anonymous_waiting(&limits, &in_flight, &error), &error);
    code = gate_anonymous_waiting(&limits, &in_flight, &error);
    assert_refuses(code, &error, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS", 1000,
                   "test-server has its limit of 1 calls in flight of methods that wait, without a credential "
                   "(rpc.waiting_share of rpc.anonymous_share); try again later, or with a credential");
    assert_int_equal(in_flight.anonymous, 1);
    assert_int_equal(in_flight.anonymous_waiting, 1);
    in_flight_fini(&in_flight);
}

/* A refused call keeps no place until its refusal has left: the next one of its caller finds one. */
static void test_gate_refused_stranger_keeps_no_place(void **state) {
    struct server_parts parts = {.limits = LIMITS};
    struct arrival first = {.parts = &parts}, second = {.parts = &parts}, third = {.parts = &parts};
    const struct rpc_method waits = {.schema = herald_job_v1_job_service_wait_job_method};
    const struct rpc_method gets = {.schema = herald_job_v1_job_service_get_job_method};
    struct herald_error error;
    (void)state;
    in_flight_init(&parts.in_flight);
    parts.limits.max_strangers = 3;
    parts.limits.max_anonymous = 2;
    parts.limits.max_anonymous_waiting = 1;
    assert_int_equal(arrival_enter_as_stranger(&first, &waits, true, &error), HERALD_OK);
    assert_int_equal(arrival_enter_as_stranger(&second, &waits, true, &error), HERALD_RESOURCE_EXHAUSTED);
    assert_int_equal(arrival_enter_as_stranger(&third, &gets, true, &error), HERALD_OK);
    assert_int_equal(parts.in_flight.anonymous, 2);
    assert_int_equal(parts.in_flight.strangers, 2);
    assert_int_equal(parts.in_flight.waiting, 1);
}

static void test_gate_draining_refuses_all(void **state) {
    struct in_flight in_flight;
    struct herald_error error = untouched();
    (void)state;
    in_flight_init(&in_flight);
    assert_passes(gate_draining(&LIMITS, &in_flight, &error), &error);
    in_flight_drain(&in_flight);
    enum herald_code code = gate_draining(&LIMITS, &in_flight, &error);
    assert_refuses(code, &error, HERALD_UNAVAILABLE, "DRAINING", 1000,
                   "test-server is about to end and takes no more calls");
    in_flight_fini(&in_flight);
}

static void test_gate_method_refuses_beyond_its_limit(void **state) {
    struct rpc_method *method = method_named(GET_JOB);
    struct places places[3] = {{.method = NULL}};
    struct herald_error error = untouched();
    (void)state;
    assert_passes(gate_method(&LIMITS, &places[0], method, ADAPTIVE_ANONYMOUS, NOW_US, &error), &error);
    assert_passes(gate_method(&LIMITS, &places[0], method, ADAPTIVE_ANONYMOUS, NOW_US, &error),
                  &error); /* again: the same place */
    assert_passes(gate_method(&LIMITS, &places[1], method, ADAPTIVE_ANONYMOUS, NOW_US, &error), &error);
    enum herald_code code = gate_method(&LIMITS, &places[2], method, ADAPTIVE_ANONYMOUS, NOW_US, &error);
    assert_refuses(code, &error, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS_OF_METHOD", 100,
                   "test-server has its limit of 2 calls of " GET_JOB
                   " in flight (rpc.max_in_flight_per_method); try again later");
    assert_int_equal(method->in_flight, 2);
    error = untouched();
    assert_passes(gate_method(&LIMITS, &places[2], method_named(CREATE_JOB), ADAPTIVE_ANONYMOUS, NOW_US, &error),
                  &error);
    method->own = true;
    struct places none = {.method = NULL};
    assert_passes(gate_method(&LIMITS, &none, method, ADAPTIVE_ANONYMOUS, NOW_US, &error),
                  &error); /* operators' methods pass */
    assert_null(none.method);
    for (int i = 0; i < 3; i++) {
        places_give_back(&places[i], NULL);
        places_give_back(&places[i], NULL); /* again does nothing */
    }
    assert_int_equal(method->in_flight, 0);
}

static void test_gate_method_refuses_waiting_calls_beyond_adaptive_limit(void **state) {
    struct rpc_limits limits = LIMITS;
    struct rpc_method *method = method_named(GET_JOB);
    struct places places[3] = {{.method = NULL}};
    struct herald_error error = untouched();
    (void)state;
    limits.max_in_flight_per_method = 0;
    limits.adaptive = true;
    atomic_store(&method->adaptive[ADAPTIVE_ANONYMOUS].limit, 2);
    assert_passes(gate_method(&limits, &places[0], method, ADAPTIVE_ANONYMOUS, NOW_US, &error), &error);
    assert_passes(gate_method(&limits, &places[1], method, ADAPTIVE_ANONYMOUS, NOW_US, &error), &error);
    enum herald_code code = gate_method(&limits, &places[2], method, ADAPTIVE_ANONYMOUS, NOW_US, &error);
    assert_refuses(code, &error, HERALD_RESOURCE_EXHAUSTED, "LIMIT_REACHED", 100,
                   "test-server is overloaded: 2 calls of " GET_JOB
                   " wait for their turn, as many as now may (rpc.adaptive_limit); try again later");
    places_give_back(&places[2], NULL);
    places_begin(&places[0], 0, NOW_US); /* it waits no more */
    error = untouched();
    assert_passes(gate_method(&limits, &places[2], method, ADAPTIVE_ANONYMOUS, NOW_US, &error), &error);
    for (int i = 0; i < 3; i++) {
        places_give_back(&places[i], NULL);
    }
    assert_int_equal(method->adaptive[ADAPTIVE_ANONYMOUS].waiting, 0);
    assert_int_equal(method->in_flight, 0);
}

static void test_gate_connection_calls_refuses_when_full(void **state) {
    struct herald_error error = untouched();
    (void)state;
    assert_passes(gate_connection_calls(&LIMITS, false, &error), &error);
    enum herald_code code = gate_connection_calls(&LIMITS, true, &error);
    assert_refuses(code, &error, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS_OF_CALLER", 100,
                   "the connection has its limit of 3 calls in flight on test-server "
                   "(rpc.max_in_flight_per_connection); try again later");
}

static void test_gate_connection_waits_refuses_when_full(void **state) {
    struct herald_error error = untouched();
    (void)state;
    assert_passes(gate_connection_waits(&LIMITS, false, &error), &error);
    enum herald_code code = gate_connection_waits(&LIMITS, true, &error);
    assert_refuses(code, &error, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS_OF_CALLER", 100,
                   "the connection has its limit of 1 calls in flight of methods that wait on test-server "
                   "(rpc.waiting_share of rpc.max_in_flight_per_connection); try again later");
}

/* ---- the head is known ---- */

static void test_gate_deadline_refuses_when_time_is_spent(void **state) {
    struct herald_error error = untouched();
    (void)state;
    assert_passes(gate_deadline(GET_JOB, 10, NOW_US, NOW_US + 10 * MS_US - 1, &error), &error);
    enum herald_code code = gate_deadline(GET_JOB, 10, NOW_US, NOW_US + 10 * MS_US, &error);
    assert_refuses(code, &error, HERALD_DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", 0,
                   "the call's 10 ms were spent before " GET_JOB " began: the server is busy");
}

static void test_gate_queue_refuses_who_waited_too_long(void **state) {
    struct rpc_limits limits = LIMITS;
    struct herald_error error = untouched();
    (void)state;
    assert_passes(gate_queue(&limits, GET_JOB, 5000, NOW_US, NOW_US + 20 * MS_US, &error), &error);
    enum herald_code code = gate_queue(&limits, GET_JOB, 5000, NOW_US, NOW_US + 20 * MS_US + 1, &error);
    assert_refuses(code, &error, HERALD_RESOURCE_EXHAUSTED, "QUEUE_TIMEOUT", 100,
                   GET_JOB " waited for its turn for 20 ms, longer than rpc.max_queue_ms = 20; try again later");
    error = untouched();
    assert_passes(gate_queue(&limits, GET_JOB, 70000, NOW_US, NOW_US + 3500 * MS_US, &error), &error);
    error = untouched();
    code = gate_queue(&limits, GET_JOB, 70000, NOW_US, NOW_US + 3500 * MS_US + 1, &error);
    assert_refuses(code, &error, HERALD_RESOURCE_EXHAUSTED, "QUEUE_TIMEOUT", 100,
                   GET_JOB " waited for its turn for 3500 ms, longer than 1/20 of its deadline = 3500 ms; try again "
                           "later");
    limits.max_queue_ms = 0;
    error = untouched();
    assert_passes(gate_queue(&limits, GET_JOB, 5000, NOW_US, NOW_US + 3600000 * MS_US, &error), &error);
}

static void test_gate_time_left_refuses_less_than_the_fastest_needed(void **state) {
    struct rpc_method *methods[] = {method_named(GET_JOB), method_named(CREATE_JOB)};
    struct herald_error error = untouched();
    (void)state;
    assert_passes(gate_time_left(methods[0], NOW_US + 1, NOW_US, &error), &error); /* nothing is known yet */
    for (unsigned i = 0; i < 2 * LEAST_LATENCY_SAMPLES_MIN; i++) {
        least_latency_note(&methods[i % 2]->least, 30 * MS_US, NOW_US);
    }
    assert_passes(gate_time_left(methods[0], NOW_US + 30 * MS_US, NOW_US, &error), &error);
    assert_passes(gate_time_left(methods[1], NOW_US + 1, NOW_US, &error), &error); /* it takes effect once */
    enum herald_code code = gate_time_left(methods[0], NOW_US + 10 * MS_US, NOW_US, &error);
    assert_refuses(code, &error, HERALD_DEADLINE_EXCEEDED, "CANNOT_FINISH_IN_TIME", 0,
                   GET_JOB " has 10 ms left, and its quickest call of late took 30 ms: it was not begun; give it more "
                           "time");
}

#define SHOP(waits, places) gate_caller(&LIMITS, places, &counts, "shop", CALLER_CLASS_CLIENT, waits, &error)

static void test_gate_caller_counts_each_caller(void **state) {
    struct caller_counts counts;
    struct places places[4] = {{.method = NULL}};
    struct herald_error error = untouched();
    (void)state;
    caller_counts_init(&counts);
    assert_passes(SHOP(false, &places[0]), &error);
    assert_passes(SHOP(false, &places[1]), &error);
    assert_passes(gate_caller(&LIMITS, &places[2], &counts, "boss", CALLER_CLASS_OPERATOR, false, &error), &error);
    enum herald_code code = SHOP(false, &places[3]);
    assert_refuses(code, &error, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS_OF_CALLER", 100,
                   "the caller \"shop\" has its limit of 2 calls in flight on test-server "
                   "(rpc.max_in_flight_per_caller); try again later");
    assert_null(places[3].caller);
    places_give_back(&places[0], &counts);
    error = untouched();
    assert_passes(SHOP(false, &places[3]), &error);
    for (int i = 0; i < 4; i++) {
        places_give_back(&places[i], &counts);
    }
    caller_counts_fini(&counts);
}

static void test_gate_caller_limits_calls_that_wait(void **state) {
    struct caller_counts counts;
    struct places places[3] = {{.method = NULL}};
    struct herald_error error = untouched();
    (void)state;
    caller_counts_init(&counts);
    assert_passes(SHOP(true, &places[0]), &error);
    enum herald_code code = SHOP(true, &places[1]);
    assert_refuses(code, &error, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS_OF_CALLER", 100,
                   "the caller \"shop\" has its limit of 1 calls in flight of methods that wait on test-server "
                   "(rpc.waiting_share of rpc.max_in_flight_per_caller); try again later");
    error = untouched();
    assert_passes(SHOP(false, &places[1]), &error); /* the other place is for other calls */
    places_give_back(&places[1], &counts);
    places_give_back(&places[0], &counts);
    assert_passes(SHOP(true, &places[2]), &error);
    places_give_back(&places[2], &counts);
    caller_counts_fini(&counts);
}

static void test_gate_caller_limits_a_server_by_its_own_setting(void **state) {
    struct rpc_limits limits = LIMITS;
    struct caller_counts counts;
    struct places places[5] = {{.method = NULL}};
    struct herald_error error = untouched();
    (void)state;
    caller_counts_init(&counts);
    for (int i = 0; i < 3; i++) { /* beyond those of other callers, waiting or not */
        assert_passes(gate_caller(&limits, &places[i], &counts, "event", CALLER_CLASS_SERVER, true, &error), &error);
    }
    enum herald_code code = gate_caller(&limits, &places[3], &counts, "event", CALLER_CLASS_SERVER, true, &error);
    assert_refuses(code, &error, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS_OF_CALLER", 100,
                   "the caller \"event\" has its limit of 3 calls in flight on test-server "
                   "(rpc.max_in_flight_per_server); try again later");
    limits.max_in_flight_per_server = 0;
    error = untouched();
    assert_passes(gate_caller(&limits, &places[4], &counts, "event", CALLER_CLASS_SERVER, true, &error), &error);
    assert_null(places[4].caller);
    for (int i = 0; i < 5; i++) {
        places_give_back(&places[i], &counts);
    }
    caller_counts_fini(&counts);
}

/* ---- the limits ---- */

static const struct rpc_settings SETTINGS = {
    .rpc_max_in_flight = 1000,
    .rpc_reserved_for_servers = 20,
    .rpc_waiting_share = 50,
    .rpc_anonymous_share = 10,
    .rpc_max_in_flight_per_caller = 100,
};

static void test_limits_keep_places_only_where_servers_are_known(void **state) {
    struct rpc_limits limits = limits_from_settings("test-server", &SETTINGS, true);
    (void)state;
    assert_int_equal(limits.max_strangers, 800);
    assert_int_equal(limits.max_waiting, 400);
    assert_int_equal(limits.max_anonymous, 80);
    assert_int_equal(limits.max_anonymous_waiting, 40);
    assert_int_equal(limits.max_waiting_per_caller, 50);
    assert_int_equal(limits.max_in_flight_per_connection, 100);
    assert_int_equal(limits.max_waiting_per_connection, 50);
    limits = limits_from_settings("test-server", &SETTINGS, false);
    assert_int_equal(limits.max_strangers, 1000);
    assert_int_equal(limits.max_waiting, 500);
    assert_int_equal(limits.max_anonymous, 1000);
    assert_int_equal(limits.max_anonymous_waiting, 500);
    assert_int_equal(limits.max_in_flight_per_connection, 750);
    assert_int_equal(limits.max_waiting_per_connection, 375);
}

static void test_limits_of_a_connection_are_as_set(void **state) {
    struct rpc_settings settings = SETTINGS;
    (void)state;
    settings.rpc_max_in_flight_per_connection = 7;
    assert_int_equal(limits_from_settings("test-server", &settings, true).max_in_flight_per_connection, 7);
    assert_int_equal(limits_from_settings("test-server", &settings, false).max_in_flight_per_connection, 7);
    settings.rpc_max_in_flight_per_connection = 1;
    assert_int_equal(limits_from_settings("test-server", &settings, true).max_waiting_per_connection, 1);
    settings.rpc_max_in_flight_per_caller = 0; /* none stays none */
    assert_int_equal(limits_from_settings("test-server", &settings, true).max_waiting_per_caller, 0);
}

/* One of each server on a developer's machine: the event server's one connection carries all publishes that wait. */
static void test_limits_defaults_let_ten_thousand_wait_on_a_connection(void **state) {
    struct settings settings;
    (void)state;
    assert_int_equal(settings_load(&settings, NULL, NULL), HERALD_OK);
    const struct rpc_limits limits = limits_from_settings("test-server", &settings.rpc, false);
    assert_true(limits.max_in_flight_per_connection >= 10000);
    assert_true(limits.max_in_flight_per_connection < limits.max_in_flight); /* another connection finds a place */
    settings_fini(&settings);
}

/* ---- the request is decoded ---- */

static void test_gate_request_refuses_what_the_rules_forbid(void **state) {
    const struct herald_message_schema *schema = method_named(GET_JOB)->schema->request;
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    struct herald_error error = untouched();
    char nobody[] = "";
    (void)state;
    request.job_id = (char *)"0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e";
    assert_passes(gate_request(schema, &request.base, nobody, &error), &error);
    request.job_id = (char *)"no uuid";
    assert_int_equal(gate_request(schema, &request.base, nobody, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "INVALID_FIELD");
    assert_string_equal(error.details[0].field, "jobId");
}

static void test_gate_request_takes_acting_user_from_the_credential(void **state) {
    const struct herald_message_schema *schema = method_named(CREATE_JOB)->schema->request;
    Herald__Job__V1__StoreInfo store = HERALD__JOB__V1__STORE_INFO__INIT;
    Herald__Job__V1__CreateImageJobRequest request = HERALD__JOB__V1__CREATE_IMAGE_JOB_REQUEST__INIT;
    struct herald_error error = untouched();
    char user[] = "user-1";
    (void)state;
    store.name = (char *)"shop";
    request.event_draft_id = (char *)"0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e";
    request.title = (char *)"title";
    request.store_info = &store;
    assert_passes(gate_request(schema, &request.base, user, &error), &error);
    assert_string_equal(request.user_id, "user-1");
    request.user_id = (char *)"user-2";
    enum herald_code code = gate_request(schema, &request.base, user, &error);
    assert_refuses(code, &error, HERALD_PERMISSION_DENIED, "NOT_YOUR_USER", 0,
                   "the credential is for another user than the request's userId; leave that empty");
}

/* ---- the texts of a request ---- */

static void test_request_text_is_counted_and_kept_in_one_form(void **state) {
    const struct herald_message_schema *schema = method_named(CREATE_JOB)->schema->request;
    Herald__Job__V1__StoreInfo store = HERALD__JOB__V1__STORE_INFO__INIT;
    Herald__Job__V1__CreateImageJobRequest request = HERALD__JOB__V1__CREATE_IMAGE_JOB_REQUEST__INIT;
    struct herald_error error = untouched();
    struct arena arena;
    char nobody[] = "user-1", title[80 * 9 + 1] = "";
    (void)state;
    for (int i = 0; i < 80; i++) {
        strcat(title, "\u1100\u1161\u11A8"); /* 각, as macOS sends it */
    }
    store.name = (char *)"가\u200B게 ";
    request.event_draft_id = (char *)"0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e";
    request.title = title;
    request.store_info = &store;
    arena_init(&arena, 0);
    assert_passes(request_text_clean(schema, &request.base, &arena, &error), &error);
    assert_passes(gate_request(schema, &request.base, nobody, &error), &error);
    assert_int_equal(strlen(request.title), 80 * 3);
    assert_memory_equal(request.title, "각각", 6);
    assert_string_equal(store.name, "가게");
    arena_fini(&arena);
}

static void test_request_text_of_invisible_characters_is_missing(void **state) {
    const struct herald_message_schema *schema = method_named(CREATE_JOB)->schema->request;
    Herald__Job__V1__StoreInfo store = HERALD__JOB__V1__STORE_INFO__INIT;
    Herald__Job__V1__CreateImageJobRequest request = HERALD__JOB__V1__CREATE_IMAGE_JOB_REQUEST__INIT;
    struct herald_error error = untouched();
    struct arena arena;
    char nobody[] = "user-1";
    (void)state;
    store.name = (char *)"\u3164";
    request.event_draft_id = (char *)"0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e";
    request.title = (char *)"\u200B";
    request.store_info = &store;
    request.brand_color = (char *)" #000000"; /* has a format: left as it is, and refused */
    arena_init(&arena, 0);
    assert_passes(request_text_clean(schema, &request.base, &arena, &error), &error);
    assert_int_equal(gate_request(schema, &request.base, nobody, &error), HERALD_INVALID_ARGUMENT);
    assert_int_equal(error.detail_count, 3);
    assert_string_equal(error.details[0].field, "title");
    assert_string_equal(error.details[0].reason, "REQUIRED");
    assert_string_equal(error.details[1].field, "brandColor");
    assert_string_equal(error.details[2].field, "storeInfo.name");
    assert_string_equal(error.details[2].reason, "REQUIRED");
    arena_fini(&arena);
}

static void test_request_text_without_memory_is_refused(void **state) {
    const struct herald_message_schema *schema = method_named(CREATE_JOB)->schema->request;
    Herald__Job__V1__CreateImageJobRequest request = HERALD__JOB__V1__CREATE_IMAGE_JOB_REQUEST__INIT;
    struct herald_error error = untouched();
    struct arena arena;
    (void)state;
    request.title = (char *)"행사 ";
    arena_init(&arena, 1);
    assert_int_equal(request_text_clean(schema, &request.base, &arena, &error), HERALD_RESOURCE_EXHAUSTED);
    assert_string_equal(error.reason, "ARENA_FULL");
    assert_string_equal(request.title, "행사 ");
    arena_fini(&arena);
}

static void test_gate_drain_cut_refuses_all(void **state) {
    struct herald_error error = untouched();
    (void)state;
    assert_passes(gate_drain_cut(&LIMITS, false, &error), &error);
    enum herald_code code = gate_drain_cut(&LIMITS, true, &error);
    assert_refuses(code, &error, HERALD_UNAVAILABLE, "DRAINING", 0, "test-server is about to end");
}

static void test_gate_wanted_refuses_cancelled_calls_but_once_ones(void **state) {
    struct herald_error error = untouched();
    (void)state;
    assert_passes(gate_wanted(method_named(GET_JOB)->schema, false, &error), &error);
    assert_passes(gate_wanted(method_named(CREATE_JOB)->schema, true, &error), &error);
    enum herald_code code = gate_wanted(method_named(GET_JOB)->schema, true, &error);
    assert_refuses(code, &error, HERALD_CANCELLED, "CANCELLED", 0, GET_JOB " was cancelled before it began");
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_gate_connection_without_place_is_refused),
        TEST(test_gate_message_size_refuses_one_byte_too_many),
        TEST(test_gate_probes_off_refuses_probes_only),
        TEST(test_gate_in_flight_refuses_when_all_places_are_taken),
        TEST(test_gate_anonymous_leaves_room_for_calls_with_a_credential),
        TEST(test_gate_refused_stranger_keeps_no_place),
        TEST(test_gate_draining_refuses_all),
        TEST(test_gate_method_refuses_beyond_its_limit),
        TEST(test_gate_method_refuses_waiting_calls_beyond_adaptive_limit),
        TEST(test_gate_connection_calls_refuses_when_full),
        TEST(test_gate_connection_waits_refuses_when_full),
        TEST(test_gate_stranger_leaves_room_for_servers),
        TEST(test_gate_waiting_leaves_room_for_other_calls),
        TEST(test_gate_caller_limits_a_server_by_its_own_setting),
        TEST(test_gate_caller_limits_calls_that_wait),
        TEST(test_limits_keep_places_only_where_servers_are_known),
        TEST(test_limits_of_a_connection_are_as_set),
        TEST(test_limits_defaults_let_ten_thousand_wait_on_a_connection),
        TEST(test_gate_deadline_refuses_when_time_is_spent),
        TEST(test_gate_queue_refuses_who_waited_too_long),
        TEST(test_gate_time_left_refuses_less_than_the_fastest_needed),
        TEST(test_gate_caller_counts_each_caller),
        TEST(test_gate_request_refuses_what_the_rules_forbid),
        TEST(test_gate_request_takes_acting_user_from_the_credential),
        TEST(test_request_text_is_counted_and_kept_in_one_form),
        TEST(test_request_text_of_invisible_characters_is_missing),
        TEST(test_request_text_without_memory_is_refused),
        TEST(test_gate_drain_cut_refuses_all),
        TEST(test_gate_wanted_refuses_cancelled_calls_but_once_ones),
    };
    return cmocka_run_group_tests_name("rpc.gates", tests, NULL, NULL);
}
