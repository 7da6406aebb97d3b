#include "cmocka_headers.h"
#include "fixture.h"
#include "herald/job/v1/job.client.h"
#include "server/auth/token.h"
#include "server/rpc/server_parts.h"
#include "tests/unit/auth/auth_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Credentials over the wire: the client library and probes against a server that wants them. */

#define CALLERS                                                                                                        \
    "[caller event]\nkey.e = " KEY_A "\nmethods = herald.job.v1.JobService/*\nact_for = any\nclass = server\n"         \
    "[caller content]\nkey.c = " KEY_B "\nmethods = herald.job.v1.JobService/UpdateJob\nclass = server\n"              \
    "[caller shop]\nkey.s = " KEY_D "\nmethods = herald.job.v1.JobService/GetJob\n"                                    \
    "[caller operator]\nkey.o = " KEY_C                                                                                \
    "\nmethods = herald.rpc.v1.Introspection/*, herald.job.v1.JobService/WaitJob\nclass = operator\n"

static void open_with_callers(struct fixture *fixture) {
    struct herald_error error;
    free(fixture->settings.auth_callers_file);
    fixture->settings.auth_callers_file = strdup(write_file("callers.ini", CALLERS));
    fixture->settings.auth_required = true;
    fixture_start(fixture);
    assert_int_equal(rpc_server_secure(fixture->server, &error), HERALD_OK);
    assert_int_equal(rpc_server_listen(fixture->server, "tcp://127.0.0.1:0", &error), HERALD_OK);
    fixture->url = rpc_server_url(fixture->server);
}

static int set_up(void **state) {
    struct fixture *fixture = fixture_new();
    open_with_callers(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    fixture_stop(*state);
    free(*state);
    return 0;
}

static struct herald_channel *open_channel(const char *url, const char *key_id, char letter) {
    struct auth_key key = key_of(letter);
    struct herald_channel_options options = {0};
    struct herald_channel *channel = NULL;
    struct herald_error error;
    if (key_id) {
        assert_int_equal(herald_credential_hmac(key_id, key.bytes, key.count, &options.credential, &error), HERALD_OK);
    }
    assert_int_equal(herald_channel_open(url, &options, &channel, &error), HERALD_OK);
    herald_credential_unref(options.credential);
    return channel;
}

/* CreateImageJob for @user; empty: left to the credential. */
static void expect_create(struct herald_channel *channel, const char *user, const struct herald_call_options *options,
                          const char *code, const char *reason) {
    Herald__Job__V1__CreateImageJobRequest request = HERALD__JOB__V1__CREATE_IMAGE_JOB_REQUEST__INIT;
    const Herald__Job__V1__CreateImageJobResponse *response = NULL;
    Herald__Job__V1__StoreInfo store = HERALD__JOB__V1__STORE_INFO__INIT;
    struct herald_reply reply = {0};
    store.name = (char *)"s";
    request.store_info = &store;
    request.event_draft_id = (char *)TEST_JOB_ID;
    request.user_id = (char *)user;
    request.title = (char *)"t";
    request.prize = (char *)"p";
    herald_job_v1_job_service_create_image_job(channel, &request, options, &reply, &response);
    if (strcmp(herald_code_name((int)reply.error.code), code) != 0 || strcmp(reply.error.reason, reason) != 0) {
        fail_msg("%s %s: %s; expected %s %s", herald_code_name((int)reply.error.code), reply.error.reason,
                 reply.error.message, code, reason);
    }
    herald_reply_clear(&reply);
}

static void test_auth_signed_call_is_served_for_its_user(void **state) {
    struct fixture *fixture = *state;
    const struct herald_call_options for_u2 = {.acting_user = "u-2"};
    struct herald_channel *channel = open_channel(fixture->url, "e", 'A');
    for (int i = 0; i < 20; i++) {
        expect_create(channel, "u-1", NULL, "OK", "");
    }
    expect_create(channel, "", &for_u2, "OK", "");
    expect_create(channel, "u-1", &for_u2, "PERMISSION_DENIED", "NOT_YOUR_USER");
    expect_create(channel, "", NULL, "PERMISSION_DENIED", "USER_MISSING");
    herald_channel_close(channel);
}

static void test_auth_wrong_credentials_are_refused(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *key_id;
        char letter;
        const char *code, *reason;
    } CASES[] = {
        {NULL, 0, "UNAUTHENTICATED", "CREDENTIAL_MISSING"},
        {"e", 'B', "UNAUTHENTICATED", "BAD_CREDENTIAL"},
        {"unknown", 'A', "UNAUTHENTICATED", "BAD_CREDENTIAL"},
        {"c", 'B', "PERMISSION_DENIED", "METHOD_NOT_ALLOWED"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
        struct herald_channel *channel = open_channel(fixture->url, CASES[i].key_id, CASES[i].letter);
        expect_create(channel, "u-1", NULL, CASES[i].code, CASES[i].reason);
        herald_channel_close(channel);
    }
}

static void test_auth_open_methods_need_no_credential(void **state) {
    struct fixture *fixture = *state;
    assert_probe(fixture->url, "herald.rpc.v1.Health/Check", "\"status\":\"SERVING\"");
    assert_probe(fixture->url, "herald.job.v1.JobService/GetJob {\"jobId\":\"" TEST_JOB_ID "\"}", "\"job\":");
    assert_probe(fixture->url, "help", "herald.job.v1.JobService");
    assert_probe(fixture->url, "herald.job.v1.JobService/UpdateJob {}", "CREDENTIAL_MISSING");
}

static char *token_of(const char *caller, const char *key_id, char letter, const char *user) {
    const struct token_claims claims = {.caller = caller, .user = user, .issued_s = time(NULL), .life_s = 60};
    struct auth_key key = key_of(letter);
    char *token = NULL;
    assert_int_equal(token_make(key_id, &key, &claims, &token, NULL), HERALD_OK);
    return token;
}

static void test_auth_bearer_probe_is_served(void **state) {
    struct fixture *fixture = *state;
    char probe_text[2048], *token = token_of("operator", "o", 'C', NULL);
    snprintf(probe_text, sizeof(probe_text), "bearer %s herald.rpc.v1.Introspection/ListTasks", token);
    char *answer = probe(fixture->url, probe_text);
    assert_null(strstr(answer, "UNAUTHENTICATED"));
    assert_null(strstr(answer, "PERMISSION_DENIED"));
    free(answer);
    snprintf(probe_text, sizeof(probe_text), "bearer %s herald.job.v1.JobService/UpdateJob {}", token);
    assert_probe(fixture->url, probe_text, "METHOD_NOT_ALLOWED");
    snprintf(probe_text, sizeof(probe_text), "bearer %sx herald.rpc.v1.Health/Check", token);
    assert_probe(fixture->url, probe_text, "BAD_TOKEN");
    assert_probe(fixture->url, "bearer nonsense herald.rpc.v1.Health/Check", "BAD_TOKEN");
    free(token);
}

static void test_auth_bearer_probe_acts_for_its_user(void **state) {
    struct fixture *fixture = *state;
    char probe_text[2048], *token = token_of("event", "e", 'A', "u-1");
    static const char FORMAT[] = "bearer %s herald.job.v1.JobService/CreateImageJob {\"eventDraftId\":\"" TEST_JOB_ID
                                 "\",\"title\":\"t\",\"prize\":\"p\",\"storeInfo\":{\"name\":\"s\"}%s}";
    snprintf(probe_text, sizeof(probe_text), FORMAT, token, "");
    assert_probe(fixture->url, probe_text, "\"status\":\"PENDING\"");
    snprintf(probe_text, sizeof(probe_text), FORMAT, token, ",\"userId\":\"u-2\"");
    assert_probe(fixture->url, probe_text, "NOT_YOUR_USER");
    free(token);
}

struct channel_wish {
    struct herald_channel *channel;
    const char *reason;
};

static bool is_refused_with(void *arg) {
    struct channel_wish *wish = arg;
    Herald__Job__V1__CreateImageJobRequest request = HERALD__JOB__V1__CREATE_IMAGE_JOB_REQUEST__INIT;
    const Herald__Job__V1__CreateImageJobResponse *response = NULL;
    struct herald_reply reply = {0};
    request.user_id = (char *)"u-1";
    herald_job_v1_job_service_create_image_job(wish->channel, &request, NULL, &reply, &response);
    bool refused = strcmp(reply.error.reason, wish->reason) == 0;
    herald_reply_clear(&reply);
    return refused;
}

static void test_auth_changed_callers_file_is_taken_while_calls_go_on(void **state) {
    struct fixture *fixture = *state;
    struct channel_wish wish = {open_channel(fixture->url, "e", 'A'), "BAD_CREDENTIAL"};
    expect_create(wish.channel, "u-1", NULL, "OK", "");
    write_file("callers.ini", "[caller new]\nkey.n = " KEY_B "\nmethods = *\nact_for = any\n");
    assert_true(eventually(is_refused_with, &wish));
    herald_channel_close(wish.channel);
    struct herald_channel *channel = open_channel(fixture->url, "n", 'B');
    expect_create(channel, "u-1", NULL, "OK", "");
    herald_channel_close(channel);
}

/* ---- places ---- */

static void expect_get(struct herald_channel *channel, const char *reason) {
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    const Herald__Job__V1__GetJobResponse *response = NULL;
    struct herald_reply reply = {0};
    request.job_id = (char *)TEST_JOB_ID;
    herald_job_v1_job_service_get_job(channel, &request, NULL, &reply, &response);
    assert_string_equal(reply.error.reason, reason);
    herald_reply_clear(&reply);
}

/* Strangers take all places that they may have. Herald's own servers find theirs, a client with a key does not. */
static void test_auth_flood_of_strangers_leaves_places_for_servers(void **state) {
    struct fixture *fixture = fixture_new();
    const Herald__Rpc__V1__Request wait = wait_job_envelope(), get = get_job_envelope();
    struct raw_link flood;
    (void)state;
    fixture->settings.rpc_max_in_flight = 8;
    fixture->settings.rpc_reserved_for_servers = 50;
    open_with_callers(fixture);
    raw_link_open(&flood, fixture->url);
    for (int i = 0; i < 4; i++) {
        (void)raw_send_envelope(&flood, &wait);
    }
    fixture_await_waiting(fixture, 4);
    Herald__Rpc__V1__Response *response = raw_link_call(&flood, &get);
    assert_string_equal(response->reason, "TOO_MANY_CALLS");
    assert_non_null(strstr(response->message, "rpc.reserved_for_servers"));
    herald__rpc__v1__response__free_unpacked(response, NULL);
    struct herald_channel *event = open_channel(fixture->url, "e", 'A');
    struct herald_channel *boss = open_channel(fixture->url, "o", 'C');
    struct herald_channel *shop = open_channel(fixture->url, "s", 'D');
    for (int i = 0; i < 20; i++) {
        expect_get(event, "");
        expect_create(event, "u-1", NULL, "OK", "");
        expect_get(boss, "");
    }
    expect_get(shop, "TOO_MANY_CALLS");
    fixture->open = true;
    fixture_await_idle(fixture);
    expect_get(shop, "");
    herald_channel_close(event);
    herald_channel_close(boss);
    herald_channel_close(shop);
    raw_link_close(&flood);
    fixture_free(fixture);
}

/* Long polls of nobody fill their small share: other calls of nobody, and all calls with a name, find a place. */
static void test_auth_long_polls_without_a_credential_have_a_small_share(void **state) {
    struct fixture *fixture = fixture_new();
    const Herald__Rpc__V1__Request wait = wait_job_envelope(), get = get_job_envelope();
    Herald__Job__V1__WaitJobRequest request = HERALD__JOB__V1__WAIT_JOB_REQUEST__INIT;
    struct pending_call known;
    struct raw_link flood;
    (void)state;
    request.job_id = (char *)TEST_JOB_ID;
    fixture->settings.rpc_max_in_flight = 32;
    fixture->settings.rpc_reserved_for_servers = 50;
    /* 8 for nobody, of these 2 for long polls: a call that was answered keeps its place until the reply is sent. */
    fixture->settings.rpc_anonymous_share = 50;
    fixture->settings.rpc_waiting_share = 25;
    open_with_callers(fixture);
    raw_link_open(&flood, fixture->url);
    (void)raw_send_envelope(&flood, &wait);
    (void)raw_send_envelope(&flood, &wait);
    fixture_await_waiting(fixture, 2);
    for (int i = 0; i < 5; i++) {
        Herald__Rpc__V1__Response *response = raw_link_call(&flood, &wait);
        assert_string_equal(response->reason, "TOO_MANY_CALLS");
        assert_non_null(strstr(response->message, "limit of 2 calls in flight of methods that wait, without"));
        herald__rpc__v1__response__free_unpacked(response, NULL);
        response = raw_link_call(&flood, &get);
        assert_string_equal(response->reason, "");
        herald__rpc__v1__response__free_unpacked(response, NULL);
    }
    struct herald_channel *shop = open_channel(fixture->url, "s", 'D');
    start_call(shop, herald_job_v1_job_service_wait_job_method, &request.base, &known, 60000);
    fixture_await_waiting(fixture, 3);
    expect_get(shop, "");
    fixture->open = true;
    await_call(&known);
    assert_string_equal(known.reply.error.reason, "");
    herald_reply_clear(&known.reply);
    fixture_await_idle(fixture);
    Herald__Rpc__V1__Response *response = raw_link_call(&flood, &wait); /* the places are free again */
    assert_string_equal(response->reason, "");
    herald__rpc__v1__response__free_unpacked(response, NULL);
    herald_channel_close(shop);
    raw_link_close(&flood);
    fixture_free(fixture);
}

/* A server's calls do not meet the limits that are made for strangers: 12 of its long polls in flight at once. */
static void test_auth_server_meets_no_limit_of_strangers(void **state) {
    enum { CALLS = 12 };
    struct fixture *fixture = fixture_new();
    Herald__Job__V1__WaitJobRequest request = HERALD__JOB__V1__WAIT_JOB_REQUEST__INIT;
    struct pending_call calls[CALLS];
    (void)state;
    request.job_id = (char *)TEST_JOB_ID;
    fixture->settings.rpc_max_in_flight = 16;
    fixture->settings.rpc_max_in_flight_per_caller = 2;
    fixture->settings.rpc_max_in_flight_per_connection = 2;
    fixture->settings.rpc_waiting_share = 10;
    open_with_callers(fixture);
    struct herald_channel *event = open_channel(fixture->url, "e", 'A');
    for (int i = 0; i < CALLS; i++) {
        start_call(event, herald_job_v1_job_service_wait_job_method, &request.base, &calls[i], 60000);
    }
    fixture_await_waiting(fixture, CALLS);
    fixture->open = true;
    for (int i = 0; i < CALLS; i++) {
        await_call(&calls[i]);
        assert_string_equal(calls[i].reply.error.reason, "");
        herald_reply_clear(&calls[i].reply);
    }
    herald_channel_close(event);
    fixture_free(fixture);
}

/* ---- a flood of calls that wait for their turn ---- */

#define FLOOD_LINKS 4
#define FLOOD_CALLS 16 /* of each link */
#define FLOOD_LIMIT 8  /* of the adaptive limit */

static struct rpc_method *wait_job_of(struct fixture *fixture) {
    static const char NAME[] = "herald.job.v1.JobService/WaitJob";
    return registry_find(&rpc_server_parts(fixture->server)->registry, NAME, strlen(NAME));
}

static unsigned refusals_of(struct rpc_method *method) {
    return (unsigned)atomic_load(&method->stats.codes[HERALD_RESOURCE_EXHAUSTED]);
}

static bool flood_is_refused(void *arg) {
    return refusals_of(arg) >= FLOOD_LINKS * FLOOD_CALLS - FLOOD_LIMIT;
}

static bool the_signed_place_is_taken(void *arg) {
    const struct rpc_method *method = arg;
    return atomic_load(&method->adaptive[ADAPTIVE_SIGNED].waiting) == 1;
}

static bool kept_places_are_taken(void *arg) {
    const struct rpc_method *method = arg;
    return atomic_load(&method->adaptive[ADAPTIVE_SIGNED].waiting) +
               atomic_load(&method->adaptive[ADAPTIVE_KEPT].waiting) ==
           FLOOD_LIMIT;
}

static void flood(struct raw_link links[FLOOD_LINKS], const char *url) {
    const Herald__Rpc__V1__Request wait = wait_job_envelope();
    for (int i = 0; i < FLOOD_LINKS; i++) {
        raw_link_open(&links[i], url);
        for (int j = 0; j < FLOOD_CALLS; j++) {
            (void)raw_send_envelope(&links[i], &wait);
        }
    }
}

static struct herald_channel *open_channel_with_token(const char *url, char *token) {
    struct herald_channel_options options = {0};
    struct herald_channel *channel = NULL;
    struct herald_error error;
    assert_int_equal(herald_credential_bearer(token, &options.credential, &error), HERALD_OK);
    assert_int_equal(herald_channel_open(url, &options, &channel, &error), HERALD_OK);
    herald_credential_unref(options.credential);
    free(token);
    return channel;
}

/* Anonymous calls wait for the loop, as many as may, and so do those of clients: operators and servers get in. */
static void test_auth_flood_of_waiting_calls_leaves_places_for_operators_and_servers(void **state) {
    (void)state;
    SKIP_WITHOUT_OTHER_THREADS();
    struct fixture *fixture = fixture_new();
    struct raw_link links[FLOOD_LINKS];
    struct blockade blockade;
    open_with_callers(fixture);
    struct rpc_method *method = wait_job_of(fixture);
    atomic_store(&method->adaptive[ADAPTIVE_ANONYMOUS].limit, FLOOD_LIMIT);
    atomic_store(&method->adaptive[ADAPTIVE_SIGNED].limit, 1);
    struct herald_channel *channels[] = {
        open_channel(fixture->url, "s", 'D'), /* a client: takes the one place of signed calls */
        open_channel(fixture->url, "e", 'A'), open_channel(fixture->url, "o", 'C'),
        open_channel_with_token(fixture->url, token_of("operator", "o", 'C', NULL))};
    struct pending_call calls[FLOOD_LIMIT];
    begin_blockade(fixture, &blockade);
    flood(links, fixture->url);
    assert_true(eventually(flood_is_refused, method));
    unsigned refused = refusals_of(method);
    start_wait_job(channels[0], &calls[0], 60000);
    assert_true(eventually(the_signed_place_is_taken, method)); /* before another's call comes to it */
    for (int i = 1; i < FLOOD_LIMIT; i++) {
        start_wait_job(channels[1 + i % 3], &calls[i], 60000);
    }
    assert_true(eventually(kept_places_are_taken, method));
    assert_int_equal(refusals_of(method), refused);
    fixture->open = true;
    atomic_store(&blockade.over, true);
    for (int i = 0; i < FLOOD_LIMIT; i++) {
        await_call(&calls[i]);
        assert_string_equal(calls[i].reply.error.reason, "");
        herald_reply_clear(&calls[i].reply);
    }
    for (int i = 0; i < 4; i++) {
        herald_channel_close(channels[i]);
        raw_link_close(&links[i]);
    }
    fixture_free(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_auth_signed_call_is_served_for_its_user),
        TEST(test_auth_wrong_credentials_are_refused),
        TEST(test_auth_open_methods_need_no_credential),
        TEST(test_auth_bearer_probe_is_served),
        TEST(test_auth_bearer_probe_acts_for_its_user),
        TEST(test_auth_changed_callers_file_is_taken_while_calls_go_on),
        cmocka_unit_test(test_auth_flood_of_strangers_leaves_places_for_servers),
        cmocka_unit_test(test_auth_long_polls_without_a_credential_have_a_small_share),
        cmocka_unit_test(test_auth_server_meets_no_limit_of_strangers),
        cmocka_unit_test(test_auth_flood_of_waiting_calls_leaves_places_for_operators_and_servers),
    };
    int failed = cmocka_run_group_tests_name("rpc.auth", tests, NULL, NULL);
    remove_files();
    return failed;
}
