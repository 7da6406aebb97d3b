#include "client/message/signature.h"
#include "server/auth/token.h"
#include "server/programs/settings.h"
#include "server/rpc/auth.h"
#include "tests/unit/auth/auth_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NOW_MS     1800000000000
#define GET_EVENT  "herald.event.v1.EventService/GetEvent"
#define LIST_TASKS "herald.rpc.v1.Introspection/ListTasks"
#define CHECK      "herald.rpc.v1.Health/Check"

static const char CALLERS[] =
    "[caller event]\nkey.e = " KEY_A "\nmethods = herald.event.v1.EventService/*\nact_for = any\n"
    "methods = herald.rpc.v1.Introspection/*\n"
    "[caller shop]\nkey.s = " KEY_B "\nmethods = herald.event.v1.EventService/GetEvent\n"
    "act_for = u-1\n";

/* A signed call: the parts as they are sent, signed before a test changes them. */
struct signed_call {
    Herald__Rpc__V1__Signature signature;
    Herald__Rpc__V1__Auth auth;
    struct rpc_call_head head;
    uint8_t nonce[16], mac[HERALD_SIGNATURE_BYTES];
};

static unsigned nonces;

static void sign(struct signed_call *call, char letter) {
    struct auth_key key = key_of(letter);
    const struct herald_signed_parts parts = {
        .key_id = call->signature.key_id,
        .time_ms = call->signature.time_ms,
        .nonce = call->nonce,
        .nonce_bytes = sizeof(call->nonce),
        .method = call->head.method,
        .method_bytes = strlen(call->head.method),
        .user = call->signature.user,
        .idempotency_key = call->head.idempotency_key,
        .payload = call->head.payload,
        .payload_bytes = call->head.payload_bytes,
    };
    assert_true(herald_signature_compute(&parts, key.bytes, key.count, call->mac));
}

static void signed_call_init(struct signed_call *call, const char *key_id, char letter, const char *method,
                             const char *user) {
    memset(call, 0, sizeof(*call));
    herald__rpc__v1__signature__init(&call->signature);
    herald__rpc__v1__auth__init(&call->auth);
    snprintf((char *)call->nonce, sizeof(call->nonce), "%u", ++nonces);
    call->signature.key_id = (char *)key_id;
    call->signature.time_ms = NOW_MS;
    call->signature.user = (char *)user;
    call->signature.nonce = (ProtobufCBinaryData){sizeof(call->nonce), call->nonce};
    call->signature.mac = (ProtobufCBinaryData){sizeof(call->mac), call->mac};
    call->auth.proof_case = HERALD__RPC__V1__AUTH__PROOF_SIGNATURE;
    call->auth.signature = &call->signature;
    call->head = (struct rpc_call_head){.method = method,
                                        .idempotency_key = "key-1",
                                        .auth = &call->auth,
                                        .payload = (const uint8_t *)"payload",
                                        .payload_bytes = 7};
    sign(call, letter);
}

static struct auth *open_auth(bool required, const char *callers) {
    struct settings settings;
    struct herald_error error;
    struct auth *auth = NULL;
    assert_int_equal(settings_load(&settings, NULL, &error), HERALD_OK);
    free(settings.auth_callers_file);
    settings.auth_callers_file = strdup(callers ? write_file("callers.ini", callers) : "");
    settings.auth_required = required;
    if (auth_new(&settings.auth, &auth, &error) != HERALD_OK) {
        fail_msg("%s", error.message);
    }
    settings_fini(&settings);
    auth_begin(auth, 0);
    return auth;
}

static enum herald_code check(struct auth *auth, const struct rpc_call_head *head, struct auth_identity *ret_identity,
                              struct herald_error *reterr) {
    const struct herald_method_schema *method = herald_schema_find_method(head->method);
    assert_non_null(method);
    return auth_check(auth, method, head, NOW_MS, NOW_MS, ret_identity, reterr);
}

static void assert_taken(struct auth *auth, const struct rpc_call_head *head, const char *caller, const char *user) {
    struct auth_identity identity;
    struct herald_error error;
    if (check(auth, head, &identity, &error) != HERALD_OK) {
        fail_msg("%s: %s", error.reason, error.message);
    }
    assert_string_equal(identity.caller, caller);
    assert_string_equal(identity.user, user);
}

static void assert_refused(struct auth *auth, const struct rpc_call_head *head, enum herald_code code,
                           const char *reason) {
    struct auth_identity identity = {.caller = "untouched"};
    struct herald_error error;
    assert_int_equal(check(auth, head, &identity, &error), code);
    assert_string_equal(error.reason, reason);
    assert_string_equal(identity.caller, "untouched");
}

static void test_auth_signature_tells_caller_and_user(void **state) {
    struct signed_call call;
    (void)state;
    struct auth *auth = open_auth(true, CALLERS);
    signed_call_init(&call, "e", 'A', GET_EVENT, "u-7");
    assert_taken(auth, &call.head, "event", "u-7");
    signed_call_init(&call, "s", 'B', GET_EVENT, "u-1");
    assert_taken(auth, &call.head, "shop", "u-1");
    auth_free(auth);
}

static void change_method(struct signed_call *call) {
    call->head.method = "herald.event.v1.EventService/DeleteEvent";
}
static void change_payload(struct signed_call *call) {
    call->head.payload = (const uint8_t *)"Payload";
}
static void shorten_payload(struct signed_call *call) {
    call->head.payload_bytes--;
}
static void change_user(struct signed_call *call) {
    call->signature.user = (char *)"u-8";
}
static void drop_user(struct signed_call *call) {
    call->signature.user = (char *)"";
}
static void change_key_id(struct signed_call *call) {
    call->signature.key_id = (char *)"s";
}
static void change_to_unknown_key(struct signed_call *call) {
    call->signature.key_id = (char *)"nobody";
}
static void change_nonce(struct signed_call *call) {
    call->nonce[15] ^= 1;
}
static void change_time(struct signed_call *call) {
    call->signature.time_ms++;
}
static void change_idempotency_key(struct signed_call *call) {
    call->head.idempotency_key = "key-2";
}
static void drop_idempotency_key(struct signed_call *call) {
    call->head.idempotency_key = NULL;
}
static void change_mac(struct signed_call *call) {
    call->mac[31] ^= 1;
}
static void shorten_mac(struct signed_call *call) {
    call->signature.mac.len = 31;
}
static void drop_mac(struct signed_call *call) {
    call->signature.mac.len = 0;
}
static void test_auth_parts_with_a_newline_are_refused_though_signed(void **state) {
    struct signed_call call;
    (void)state;
    struct auth *auth = open_auth(true, CALLERS);
    signed_call_init(&call, "e", 'A', GET_EVENT, "u-7");
    call.head.idempotency_key = "key\n1"; /* could be split in another way: user "u-7\nkey", key "1" */
    sign(&call, 'A');
    assert_refused(auth, &call.head, HERALD_UNAUTHENTICATED, "BAD_CREDENTIAL");
    signed_call_init(&call, "e", 'A', GET_EVENT, "u\n7");
    assert_refused(auth, &call.head, HERALD_UNAUTHENTICATED, "BAD_CREDENTIAL");
    auth_free(auth);
}

static void test_auth_each_forged_part_is_refused(void **state) {
    static void (*const FORGERIES[])(struct signed_call *) = {
        change_method,
        change_payload,
        shorten_payload,
        change_user,
        drop_user,
        change_key_id,
        change_nonce,
        change_time,
        change_idempotency_key,
        drop_idempotency_key,
        change_to_unknown_key,
        change_mac,
        shorten_mac,
        drop_mac,
    };
    (void)state;
    /* Also where no credential is needed: one that is there is checked. */
    for (int required = 0; required < 2; required++) {
        struct auth *auth = open_auth(required != 0, CALLERS);
        for (size_t i = 0; i < sizeof(FORGERIES) / sizeof(*FORGERIES); i++) {
            struct signed_call call;
            signed_call_init(&call, "e", 'A', GET_EVENT, "u-7");
            FORGERIES[i](&call);
            assert_refused(auth, &call.head, HERALD_UNAUTHENTICATED, "BAD_CREDENTIAL");
        }
        auth_free(auth);
    }
}

static void test_auth_unknown_key_and_bad_signature_look_the_same(void **state) {
    struct signed_call call;
    struct auth_identity identity;
    struct herald_error unknown, wrong;
    (void)state;
    struct auth *auth = open_auth(true, CALLERS);
    signed_call_init(&call, "nobody", 'A', GET_EVENT, "u-7");
    check(auth, &call.head, &identity, &unknown);
    signed_call_init(&call, "e", 'C', GET_EVENT, "u-7");
    check(auth, &call.head, &identity, &wrong);
    assert_string_equal(unknown.reason, wrong.reason);
    assert_string_equal(unknown.message, wrong.message);
    auth_free(auth);
}

static void test_auth_clock_skew_is_told_in_milliseconds(void **state) {
    static const int64_t OFFSETS[] = {-AUTH_SKEW_MS - 1, AUTH_SKEW_MS + 1, -INT64_C(1700000000000),
                                      INT64_C(200000000000000)};
    static const char *const PARTS[] = {"30001 ms behind", "30001 ms ahead of", "behind", "ahead of"};
    (void)state;
    struct auth *auth = open_auth(true, CALLERS);
    for (size_t i = 0; i < 4; i++) {
        struct signed_call call;
        struct auth_identity identity;
        struct herald_error error;
        signed_call_init(&call, "e", 'A', GET_EVENT, "u-7");
        call.signature.time_ms += OFFSETS[i];
        sign(&call, 'A');
        assert_int_equal(check(auth, &call.head, &identity, &error), HERALD_UNAUTHENTICATED);
        assert_string_equal(error.reason, "CLOCK_SKEW");
        assert_non_null(strstr(error.message, PARTS[i]));
    }
    for (int sign_of = -1; sign_of < 2; sign_of += 2) {
        struct signed_call call;
        signed_call_init(&call, "e", 'A', GET_EVENT, "u-7");
        call.signature.time_ms += sign_of * AUTH_SKEW_MS;
        sign(&call, 'A');
        assert_taken(auth, &call.head, "event", "u-7");
    }
    auth_free(auth);
}

/* ---- signatures from before ---- */

#define BEGAN_MS 5000 /* on the clock that never goes back */

/* A call that is signed @signed_ms and comes @came_ms after the server began to take calls. */
static enum herald_code come(struct auth *auth, int64_t signed_ms, int64_t came_ms, struct herald_error *reterr) {
    struct signed_call call;
    struct auth_identity identity;
    signed_call_init(&call, "e", 'A', GET_EVENT, "u-7");
    call.signature.time_ms += signed_ms;
    sign(&call, 'A');
    return auth_check(auth, herald_schema_find_method(GET_EVENT), &call.head, NOW_MS + came_ms,
                      (uint64_t)(BEGAN_MS + came_ms), &identity, reterr);
}

static void assert_signed_early(struct auth *auth, int64_t signed_ms, int64_t came_ms, uint32_t retry_after_ms) {
    struct herald_error error;
    assert_int_equal(come(auth, signed_ms, came_ms, &error), HERALD_UNAVAILABLE);
    assert_string_equal(error.reason, "SIGNED_BEFORE_START");
    assert_int_equal(error.retry_after_ms, retry_after_ms);
}

static void test_auth_signature_from_before_the_start_is_refused(void **state) {
    struct herald_error error;
    (void)state;
    struct auth *auth = open_auth(true, CALLERS);
    auth_begin(auth, BEGAN_MS);
    assert_signed_early(auth, -29000, 0, 1000);
    assert_signed_early(auth, -500, 10, 601); /* the lead, and what is missing */
    assert_signed_early(auth, -1, 29999, 102);
    assert_signed_early(auth, 0, 0, 101);
    assert_signed_early(auth, AUTH_LEAD_MS, AUTH_LEAD_MS, 1); /* signed before by a clock that is ahead */
    assert_int_equal(come(auth, AUTH_LEAD_MS + 1, AUTH_LEAD_MS + 1, &error), HERALD_OK);
    assert_int_equal(come(auth, AUTH_LEAD_MS + 1, 30000, &error), HERALD_OK); /* was long on its way */
    assert_int_equal(come(auth, -1, 30000, &error), HERALD_UNAUTHENTICATED);
    assert_string_equal(error.reason, "CLOCK_SKEW");
    auth_free(auth);
}

/* It is signed anew after the wait that it was told, by the same clock. */
static void test_auth_signer_behind_passes_after_its_wait(void **state) {
    (void)state;
    for (int64_t behind_ms = 0; behind_ms <= 20000; behind_ms += 100) {
        struct auth *auth = open_auth(true, CALLERS);
        struct herald_error error = {0};
        auth_begin(auth, BEGAN_MS);
        int64_t now_ms = 1;
        enum herald_code code;
        for (int attempts = 0; (code = come(auth, now_ms - behind_ms, now_ms, &error)) != HERALD_OK; attempts++) {
            assert_string_equal(error.reason, "SIGNED_BEFORE_START");
            assert_true(attempts <= behind_ms / 1000);
            now_ms += error.retry_after_ms;
        }
        assert_true(now_ms - behind_ms == AUTH_LEAD_MS + 1);
        auth_free(auth);
    }
}

static void test_auth_nothing_signed_is_taken_before_the_begin(void **state) {
    struct signed_call call;
    struct auth_identity identity;
    struct herald_error error;
    struct settings settings;
    struct auth *auth = NULL;
    (void)state;
    assert_int_equal(settings_load(&settings, NULL, &error), HERALD_OK);
    free(settings.auth_callers_file);
    settings.auth_callers_file = strdup(write_file("callers.ini", CALLERS));
    assert_int_equal(auth_new(&settings.auth, &auth, &error), HERALD_OK);
    settings_fini(&settings);
    for (int64_t ahead_ms = 0; ahead_ms <= AUTH_SKEW_MS; ahead_ms += AUTH_SKEW_MS) {
        signed_call_init(&call, "e", 'A', GET_EVENT, "u-7");
        call.signature.time_ms += ahead_ms;
        sign(&call, 'A');
        assert_int_equal(check(auth, &call.head, &identity, &error), HERALD_UNAVAILABLE);
        assert_string_equal(error.reason, "SIGNED_BEFORE_START");
        assert_true(error.retry_after_ms > 0);
    }
    auth_free(auth);
}

/* It is told after the signature was found good, and takes no nonce. */
static void test_auth_signed_early_is_told_to_who_has_a_key_and_takes_no_nonce(void **state) {
    struct signed_call call;
    (void)state;
    struct auth *auth = open_auth(true, CALLERS);
    auth_begin(auth, NOW_MS);
    signed_call_init(&call, "e", 'A', GET_EVENT, "u-7");
    call.mac[0] ^= 1;
    assert_refused(auth, &call.head, HERALD_UNAUTHENTICATED, "BAD_CREDENTIAL");
    call.mac[0] ^= 1;
    assert_refused(auth, &call.head, HERALD_UNAVAILABLE, "SIGNED_BEFORE_START");
    auth_begin(auth, NOW_MS - 1000);
    assert_taken(auth, &call.head, "event", "u-7");
    auth_free(auth);
}

/* The server's clock is set back by an hour, and then to where it was: nobody is locked out by what it was before. */
static void test_auth_clock_set_back_locks_nobody_out(void **state) {
    struct signed_call call;
    struct auth_identity identity;
    struct herald_error error;
    (void)state;
    struct auth *auth = open_auth(true, CALLERS);
    auth_begin(auth, BEGAN_MS);
    static const int64_t BACK_MS[] = {0, 3600000, 0};
    for (size_t i = 0; i < 3; i++) {
        signed_call_init(&call, "e", 'A', GET_EVENT, "u-7");
        call.signature.time_ms -= BACK_MS[i];
        sign(&call, 'A');
        assert_int_equal(auth_check(auth, herald_schema_find_method(GET_EVENT), &call.head, NOW_MS - BACK_MS[i],
                                    BEGAN_MS + 1000, &identity, &error),
                         HERALD_OK);
    }
    auth_free(auth);
}

static void test_auth_replay_is_refused_and_a_bad_call_takes_no_nonce(void **state) {
    struct signed_call call;
    (void)state;
    struct auth *auth = open_auth(true, CALLERS);
    signed_call_init(&call, "e", 'A', GET_EVENT, "u-7");
    call.mac[0] ^= 1;
    assert_refused(auth, &call.head, HERALD_UNAUTHENTICATED, "BAD_CREDENTIAL");
    call.mac[0] ^= 1;
    assert_taken(auth, &call.head, "event", "u-7");
    assert_refused(auth, &call.head, HERALD_UNAUTHENTICATED, "REPLAYED");
    auth_free(auth);
}

static void test_auth_access_is_by_method_and_user(void **state) {
    struct signed_call call;
    (void)state;
    struct auth *auth = open_auth(true, CALLERS);
    signed_call_init(&call, "s", 'B', "herald.event.v1.EventService/PublishEvent", "u-1");
    assert_refused(auth, &call.head, HERALD_PERMISSION_DENIED, "METHOD_NOT_ALLOWED");
    signed_call_init(&call, "s", 'B', GET_EVENT, "u-2");
    assert_refused(auth, &call.head, HERALD_PERMISSION_DENIED, "USER_NOT_ALLOWED");
    signed_call_init(&call, "s", 'B', GET_EVENT, "");
    assert_refused(auth, &call.head, HERALD_PERMISSION_DENIED, "USER_MISSING");
    signed_call_init(&call, "e", 'A', LIST_TASKS, ""); /* acts for no user */
    assert_taken(auth, &call.head, "event", "");
    signed_call_init(&call, "s", 'B', CHECK, ""); /* not listed, and anyone may */
    assert_taken(auth, &call.head, "shop", "");
    auth_free(auth);
}

/* ---- classes ---- */

static const char CLASSES[] = "[caller event]\nkey.e = " KEY_A "\nmethods = *\nact_for = any\nclass = server\n"
                              "[caller shop]\nkey.s = " KEY_B "\nmethods = *\nact_for = any\n"
                              "[caller boss]\nkey.b = " KEY_C "\nmethods = *\nact_for = any\nclass = operator\n";

/* GetEvent as if its schema said this caller. */
static struct herald_method_schema method_for(enum herald_caller caller) {
    struct herald_method_schema method = *herald_schema_find_method(GET_EVENT);
    method.caller = caller;
    return method;
}

/* Calls such a method by a key; NULL: without a credential. @reason  NULL: it is accepted */
static void assert_class(struct auth *auth, enum herald_caller caller, const char *key_id, char letter,
                         const char *reason) {
    const struct herald_method_schema method = method_for(caller);
    struct signed_call call;
    struct auth_identity identity;
    struct herald_error error = {.code = HERALD_OK};
    signed_call_init(&call, key_id, letter, GET_EVENT, "u-1");
    call.head.auth = key_id ? &call.auth : NULL;
    enum herald_code code = auth_check(auth, &method, &call.head, NOW_MS, NOW_MS, &identity, &error);
    assert_string_equal(error.reason, reason ? reason : "");
    assert_int_equal(code, reason ? herald_reason_code(herald_reason_find(reason)) : HERALD_OK);
}

static void test_auth_method_of_a_class_refuses_the_others(void **state) {
    (void)state;
    for (int required = 0; required < 2; required++) {
        struct auth *auth = open_auth(required != 0, CLASSES);
        assert_class(auth, HERALD_CALLER_SERVER, "e", 'A', NULL);
        assert_class(auth, HERALD_CALLER_SERVER, "s", 'B', "CALLER_NOT_A_SERVER");
        assert_class(auth, HERALD_CALLER_SERVER, "b", 'C', "CALLER_NOT_A_SERVER");
        assert_class(auth, HERALD_CALLER_SERVER, NULL, 'A', "CREDENTIAL_MISSING");
        assert_class(auth, HERALD_CALLER_OPERATOR, "e", 'A', NULL);
        assert_class(auth, HERALD_CALLER_OPERATOR, "s", 'B', "CALLER_NOT_AN_OPERATOR");
        assert_class(auth, HERALD_CALLER_OPERATOR, "b", 'C', NULL);
        assert_class(auth, HERALD_CALLER_OPERATOR, NULL, 'A', "CREDENTIAL_MISSING");
        assert_class(auth, HERALD_CALLER_IDENTIFIED, "s", 'B', NULL);
        assert_class(auth, HERALD_CALLER_IDENTIFIED, NULL, 'A', required ? "CREDENTIAL_MISSING" : NULL);
        auth_free(auth);
    }
}

/* Nobody could have a class, and such a server listens on loopback only. */
static void test_auth_without_callers_methods_of_a_class_are_open(void **state) {
    (void)state;
    struct auth *auth = open_auth(false, NULL);
    assert_class(auth, HERALD_CALLER_SERVER, NULL, 'A', NULL);
    assert_class(auth, HERALD_CALLER_OPERATOR, NULL, 'A', NULL);
    auth_free(auth);
}

static void test_auth_refusal_of_a_class_says_what_to_set(void **state) {
    const struct herald_method_schema method = method_for(HERALD_CALLER_SERVER);
    struct signed_call call;
    struct auth_identity identity;
    struct herald_error error;
    (void)state;
    struct auth *auth = open_auth(true, CLASSES);
    signed_call_init(&call, "s", 'B', GET_EVENT, "u-1");
    (void)auth_check(auth, &method, &call.head, NOW_MS, NOW_MS, &identity, &error);
    assert_non_null(strstr(error.message, "set class = server under [caller shop] in the callers file"));
    auth_free(auth);
}

static void test_auth_token_has_the_class_of_its_signer(void **state) {
    const struct herald_method_schema method = method_for(HERALD_CALLER_OPERATOR);
    struct token_claims claims = {.caller = "boss", .user = "u-7", .issued_s = NOW_MS / 1000, .life_s = 60};
    Herald__Rpc__V1__Auth proof = HERALD__RPC__V1__AUTH__INIT;
    const struct rpc_call_head head = {.method = GET_EVENT, .auth = &proof};
    struct auth_key key = key_of('C');
    struct auth_identity identity;
    struct herald_error error;
    (void)state;
    struct auth *auth = open_auth(true, CLASSES);
    proof.proof_case = HERALD__RPC__V1__AUTH__PROOF_BEARER;
    assert_int_equal(token_make("b", &key, &claims, &proof.bearer, NULL), HERALD_OK);
    assert_int_equal(auth_check(auth, &method, &head, NOW_MS, NOW_MS, &identity, &error), HERALD_OK);
    assert_int_equal(identity.class, CALLER_CLASS_OPERATOR);
    free(proof.bearer);
    key = key_of('B');
    claims.caller = "shop";
    assert_int_equal(token_make("s", &key, &claims, &proof.bearer, NULL), HERALD_OK);
    assert_int_equal(auth_check(auth, &method, &head, NOW_MS, NOW_MS, &identity, &error), HERALD_PERMISSION_DENIED);
    assert_string_equal(error.reason, "CALLER_NOT_AN_OPERATOR");
    free(proof.bearer);
    auth_free(auth);
}

/* A client's credential that names no user would let it name any in the request. */
static void test_auth_client_without_user_is_refused_though_none_is_required(void **state) {
    struct signed_call call;
    (void)state;
    struct auth *auth = open_auth(false, CLASSES);
    signed_call_init(&call, "s", 'B', GET_EVENT, "");
    assert_refused(auth, &call.head, HERALD_PERMISSION_DENIED, "USER_MISSING");
    signed_call_init(&call, "b", 'C', GET_EVENT, "");
    assert_taken(auth, &call.head, "boss", "");
    signed_call_init(&call, "e", 'A', GET_EVENT, "");
    assert_taken(auth, &call.head, "event", "");
    auth_free(auth);
}

/* ListJobs' user may be left out: then the jobs of all are listed. */
static void test_auth_who_is_on_duty_reads_of_all_users_without_naming_one(void **state) {
    static const char METHOD[] = "herald.job.v1.JobService/ListJobs";
    static const char CHANGE[] = "herald.distribution.v1.DistributionService/CancelDistribution";
    static const char OF_ONE[] = "[caller boss]\nkey.b = " KEY_C "\nmethods = *\nact_for = u-1\nclass = operator\n";
    struct signed_call call;
    (void)state;
    struct auth *auth = open_auth(true, CLASSES);
    signed_call_init(&call, "b", 'C', METHOD, "");
    assert_taken(auth, &call.head, "boss", "");
    signed_call_init(&call, "e", 'A', METHOD, "");
    assert_taken(auth, &call.head, "event", "");
    signed_call_init(&call, "s", 'B', METHOD, "");
    assert_refused(auth, &call.head, HERALD_PERMISSION_DENIED, "USER_MISSING");
    signed_call_init(&call, "b", 'C', CHANGE, ""); /* no read */
    assert_refused(auth, &call.head, HERALD_PERMISSION_DENIED, "USER_MISSING");
    signed_call_init(&call, "b", 'C', GET_EVENT, ""); /* its user may not be left out */
    assert_refused(auth, &call.head, HERALD_PERMISSION_DENIED, "USER_MISSING");
    auth_free(auth);
    auth = open_auth(true, OF_ONE);
    signed_call_init(&call, "b", 'C', METHOD, "");
    assert_refused(auth, &call.head, HERALD_PERMISSION_DENIED, "USER_MISSING");
    auth_free(auth);
}

static void test_auth_missing_credential_is_refused_where_one_is_needed(void **state) {
    const struct rpc_call_head get_event = {.method = GET_EVENT}, health = {.method = CHECK};
    Herald__Rpc__V1__Auth empty = HERALD__RPC__V1__AUTH__INIT;
    const struct rpc_call_head with_empty = {.method = GET_EVENT, .auth = &empty};
    (void)state;
    struct auth *auth = open_auth(true, CALLERS);
    assert_refused(auth, &get_event, HERALD_UNAUTHENTICATED, "CREDENTIAL_MISSING");
    assert_refused(auth, &with_empty, HERALD_UNAUTHENTICATED, "CREDENTIAL_MISSING");
    assert_taken(auth, &health, "", "");
    auth_free(auth);
    auth = open_auth(false, CALLERS);
    assert_taken(auth, &get_event, "", "");
    empty.proof_case = HERALD__RPC__V1__AUTH__PROOF_BEARER; /* a token that is there, and no good one */
    assert_refused(auth, &with_empty, HERALD_UNAUTHENTICATED, "BAD_TOKEN");
    auth_free(auth);
}

static void test_auth_without_callers_any_credential_is_refused(void **state) {
    struct signed_call call;
    const struct rpc_call_head none = {.method = GET_EVENT};
    (void)state;
    struct auth *auth = open_auth(false, NULL);
    signed_call_init(&call, "e", 'A', GET_EVENT, "u-7");
    assert_refused(auth, &call.head, HERALD_UNAUTHENTICATED, "NO_CALLERS");
    assert_taken(auth, &none, "", "");
    auth_free(auth);
}

static void test_auth_required_without_callers_does_not_start(void **state) {
    struct settings settings;
    struct herald_error error;
    struct auth *auth = NULL;
    (void)state;
    assert_int_equal(settings_load(&settings, NULL, &error), HERALD_OK);
    settings.auth_required = true;
    assert_int_equal(auth_new(&settings.auth, &auth, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "CALLERS_FILE_MISSING");
    settings_fini(&settings);
}

static void test_auth_token_tells_caller_and_user(void **state) {
    static const char *const NARROW[] = {"herald.event.v1.EventService/ListEvents"};
    struct token_claims claims = {.caller = "event", .user = "u-7", .issued_s = NOW_MS / 1000, .life_s = 60};
    struct auth_key key = key_of('A');
    Herald__Rpc__V1__Auth proof = HERALD__RPC__V1__AUTH__INIT;
    const struct rpc_call_head head = {.method = GET_EVENT, .auth = &proof};
    (void)state;
    struct auth *auth = open_auth(true, CALLERS);
    proof.proof_case = HERALD__RPC__V1__AUTH__PROOF_BEARER;
    assert_int_equal(token_make("e", &key, &claims, &proof.bearer, NULL), HERALD_OK);
    assert_taken(auth, &head, "event", "u-7");
    assert_taken(auth, &head, "event", "u-7"); /* a token is for many calls */
    proof.bearer[5] ^= 1;
    assert_refused(auth, &head, HERALD_UNAUTHENTICATED, "BAD_TOKEN");
    free(proof.bearer);
    claims.methods = NARROW;
    claims.method_count = 1;
    assert_int_equal(token_make("e", &key, &claims, &proof.bearer, NULL), HERALD_OK);
    assert_refused(auth, &head, HERALD_PERMISSION_DENIED, "METHOD_NOT_ALLOWED");
    free(proof.bearer);
    auth_free(auth);
}

static void test_auth_changed_callers_are_in_force_and_bad_ones_are_not(void **state) {
    struct signed_call call;
    (void)state;
    struct auth *auth = open_auth(true, CALLERS);
    write_file("callers.ini", "[caller event]\nkey.e = nonsense\n");
    auth_reload(auth, false);
    signed_call_init(&call, "e", 'A', GET_EVENT, "u-7");
    assert_taken(auth, &call.head, "event", "u-7");
    write_file("callers.ini", "[caller new]\nkey.n = " KEY_C "\nmethods = *\nact_for = any\n");
    auth_reload(auth, false);
    signed_call_init(&call, "e", 'A', GET_EVENT, "u-7");
    assert_refused(auth, &call.head, HERALD_UNAUTHENTICATED, "BAD_CREDENTIAL");
    signed_call_init(&call, "n", 'C', GET_EVENT, "u-7");
    assert_taken(auth, &call.head, "new", "u-7");
    assert_int_equal(chmod(write_file("callers.ini", CALLERS), 0644), 0); /* others may read it */
    auth_reload(auth, false);
    signed_call_init(&call, "n", 'C', GET_EVENT, "u-7");
    assert_taken(auth, &call.head, "new", "u-7");
    auth_free(auth);
}

/* As by a writer that empties the file before it fills it. */
static void test_auth_emptied_callers_file_leaves_the_old_callers(void **state) {
    static const char *const EMPTY[] = {"", "\n", "; nobody\n", "[caller event]\nkey.e"};
    struct signed_call call;
    (void)state;
    for (int required = 0; required < 2; required++) {
        struct auth *auth = open_auth(required, CALLERS);
        for (size_t i = 0; i < sizeof(EMPTY) / sizeof(*EMPTY); i++) {
            assert_false(auth_is_outdated(auth));
            write_file("callers.ini", EMPTY[i]);
            auth_reload(auth, false);
            assert_true(auth_is_outdated(auth));
            signed_call_init(&call, "e", 'A', GET_EVENT, "u-7");
            assert_taken(auth, &call.head, "event", "u-7");
            write_file("callers.ini", CALLERS);
            auth_reload(auth, false);
        }
        auth_free(auth);
    }
}

static void test_auth_required_with_an_empty_callers_file_does_not_start(void **state) {
    struct settings settings;
    struct herald_error error;
    struct auth *auth = NULL;
    (void)state;
    assert_int_equal(settings_load(&settings, NULL, NULL), HERALD_OK);
    settings.auth_required = true;
    free(settings.auth_callers_file);
    settings.auth_callers_file = strdup(write_file("callers.ini", "; nobody yet\n"));
    assert_int_equal(auth_new(auth_settings(&settings), &auth, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "BAD_CALLERS");
    settings.auth_required = false;
    assert_int_equal(auth_new(auth_settings(&settings), &auth, &error), HERALD_OK);
    auth_free(auth);
    settings_fini(&settings);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_auth_signature_tells_caller_and_user),
        cmocka_unit_test(test_auth_each_forged_part_is_refused),
        cmocka_unit_test(test_auth_parts_with_a_newline_are_refused_though_signed),
        cmocka_unit_test(test_auth_unknown_key_and_bad_signature_look_the_same),
        cmocka_unit_test(test_auth_clock_skew_is_told_in_milliseconds),
        cmocka_unit_test(test_auth_signature_from_before_the_start_is_refused),
        cmocka_unit_test(test_auth_signer_behind_passes_after_its_wait),
        cmocka_unit_test(test_auth_nothing_signed_is_taken_before_the_begin),
        cmocka_unit_test(test_auth_signed_early_is_told_to_who_has_a_key_and_takes_no_nonce),
        cmocka_unit_test(test_auth_clock_set_back_locks_nobody_out),
        cmocka_unit_test(test_auth_replay_is_refused_and_a_bad_call_takes_no_nonce),
        cmocka_unit_test(test_auth_access_is_by_method_and_user),
        cmocka_unit_test(test_auth_method_of_a_class_refuses_the_others),
        cmocka_unit_test(test_auth_without_callers_methods_of_a_class_are_open),
        cmocka_unit_test(test_auth_refusal_of_a_class_says_what_to_set),
        cmocka_unit_test(test_auth_token_has_the_class_of_its_signer),
        cmocka_unit_test(test_auth_client_without_user_is_refused_though_none_is_required),
        cmocka_unit_test(test_auth_who_is_on_duty_reads_of_all_users_without_naming_one),
        cmocka_unit_test(test_auth_missing_credential_is_refused_where_one_is_needed),
        cmocka_unit_test(test_auth_without_callers_any_credential_is_refused),
        cmocka_unit_test(test_auth_required_without_callers_does_not_start),
        cmocka_unit_test(test_auth_token_tells_caller_and_user),
        cmocka_unit_test(test_auth_changed_callers_are_in_force_and_bad_ones_are_not),
        cmocka_unit_test(test_auth_emptied_callers_file_leaves_the_old_callers),
        cmocka_unit_test(test_auth_required_with_an_empty_callers_file_does_not_start),
    };
    int failed = cmocka_run_group_tests_name("auth.check", tests, NULL, NULL);
    remove_files();
    return failed;
}
