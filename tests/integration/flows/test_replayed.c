/*
 * A signed request in the hands of another: recorded on its way, and sent as it is to two processes of the kind. Neither
 * knows the nonces of the other. A ONCE call is held back by its idempotency key, which the signature covers; any other
 * that writes by the signatures in the database.
 */
#include "herald/distribution/v1/distribution.client.h"
#include "herald/event/v1/event.client.h"
#include "herald/rpc/v1/envelope.pb-c.h"
#include "herald/uuid.h"
#include "stack.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define GREETING   8u /* bytes that each end of a connection begins with */
#define HEAD       8u /* bytes of length before each message */
#define TAG        4u /* bytes of the request's number before each envelope */
#define MOST       65536u
#define PATIENCE_S 30

static const unsigned char client_greeting[GREETING] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
static const unsigned char server_greeting[GREETING] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};

/* A signature that is younger than the server by less than 100 ms is refused: its clock may be off by as much. */
#define SIGN_AFTER_MS 150

static struct stack *stack;
static char folder[64];

static void write_secret(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int start(void **state) {
    static char callers[160], key[160];
    static const char *const settings[] = {"HERALD_AUTH_REQUIRED=true", "HERALD_AUTH_KEY_ID=stack-1", callers, key,
                                           NULL};
    (void)state;
    strcpy(folder, "/tmp/herald-replayed-XXXXXX");
    assert_non_null(mkdtemp(folder));
    write_secret("key", KEY "\n");
    write_secret("callers.ini", "[caller stack]\nkey.stack-1 = " KEY "\nclass = server\nmethods = *\nact_for = any\n");
    snprintf(callers, sizeof(callers), "HERALD_AUTH_CALLERS_FILE=%s/callers.ini", folder);
    snprintf(key, sizeof(key), "HERALD_AUTH_KEY_FILE=%s/key", folder);
    stack = stack_start(settings);
    stack_run(stack, STACK_EVENT_2);
    stack_run(stack, STACK_DISTRIBUTION_2);
    stack_wait_serving(stack, STACK_EVENT_2);
    stack_wait_serving(stack, STACK_DISTRIBUTION_2);
    (void)nanosleep(&(struct timespec){.tv_nsec = SIGN_AFTER_MS * 1000000L}, NULL);
    return 0;
}

static int stop(void **state) {
    char command[128];
    (void)state;
    stack_stop(stack);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

/* ---- messages on a socket ---- */

static void be_patient(int fd) {
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
}

static void read_all(int fd, void *bytes, size_t count) {
    for (size_t got = 0; got < count;) {
        ssize_t now = recv(fd, (char *)bytes + got, count - got, 0);
        assert_true(now > 0);
        got += (size_t)now;
    }
}

static void write_all(int fd, const void *bytes, size_t count) {
    assert_int_equal(send(fd, bytes, count, MSG_NOSIGNAL), (ssize_t)count);
}

struct recorded {
    unsigned char bytes[MOST]; /* with the tag */
    size_t count;
};

static void read_message(int fd, struct recorded *message) {
    unsigned char head[HEAD];
    read_all(fd, head, sizeof(head));
    message->count = 0;
    for (size_t i = 0; i < HEAD; i++) {
        message->count = message->count << 8 | head[i];
    }
    assert_in_range(message->count, TAG + 1, MOST);
    read_all(fd, message->bytes, message->count);
}

static void write_message(int fd, const struct recorded *message) {
    unsigned char head[HEAD];
    for (size_t i = 0; i < HEAD; i++) {
        head[i] = (unsigned char)(message->count >> 8 * (HEAD - 1 - i));
    }
    write_all(fd, head, sizeof(head));
    write_all(fd, message->bytes, message->count);
}

/* ---- the thief ---- */

struct caller {
    pthread_t thread;
    const char *method;                                                              /* its name in the message */
    enum herald_code (*make)(struct caller *caller, struct herald_channel *channel); /* the call */
    char url[64], user[64], key[37], event[37];
    Herald__Event__V1__Objective objective;
    uint32_t timeout_ms; /* of Distribute */
    enum herald_code code;
};

static enum herald_code create_event(struct caller *caller, struct herald_channel *channel) {
    Herald__Event__V1__CreateEventRequest request = HERALD__EVENT__V1__CREATE_EVENT_REQUEST__INIT;
    Herald__Job__V1__StoreInfo store = HERALD__JOB__V1__STORE_INFO__INIT;
    const Herald__Event__V1__CreateEventResponse *response = NULL;
    const struct herald_call_options call = {.timeout_ms = 3000, .idempotency_key = caller->key};
    struct herald_reply reply = {0};
    store.name = (char *)"s";
    request.user_id = caller->user;
    request.title = (char *)"replayed";
    request.store_info = &store;
    enum herald_code code = herald_event_v1_event_service_create_event(channel, &request, &call, &reply, &response);
    herald_reply_clear(&reply);
    return code;
}

static enum herald_code select_objective(struct caller *caller, struct herald_channel *channel) {
    Herald__Event__V1__SelectObjectiveRequest request = HERALD__EVENT__V1__SELECT_OBJECTIVE_REQUEST__INIT;
    const Herald__Event__V1__SelectObjectiveResponse *response = NULL;
    const struct herald_call_options call = {.timeout_ms = 3000};
    struct herald_reply reply = {0};
    request.event_draft_id = caller->event;
    request.user_id = caller->user;
    request.objective = caller->objective;
    enum herald_code code = herald_event_v1_event_service_select_objective(channel, &request, &call, &reply, &response);
    herald_reply_clear(&reply);
    return code;
}

static enum herald_code distribute(struct caller *caller, struct herald_channel *channel) {
    Herald__Distribution__V1__DistributeRequest request = HERALD__DISTRIBUTION__V1__DISTRIBUTE_REQUEST__INIT;
    Herald__Distribution__V1__Content content = HERALD__DISTRIBUTION__V1__CONTENT__INIT;
    Herald__Job__V1__StoreInfo store = HERALD__JOB__V1__STORE_INFO__INIT;
    Herald__Distribution__V1__Channel channels[] = {HERALD__DISTRIBUTION__V1__CHANNEL__INSTAGRAM};
    const Herald__Distribution__V1__DistributeResponse *response = NULL;
    const struct herald_call_options call = {.timeout_ms = caller->timeout_ms};
    struct herald_reply reply = {0};
    store.name = (char *)"s";
    content.title = (char *)"replayed";
    content.store_info = &store;
    content.png_url = (char *)"https://pictures.example/a.png";
    content.jpeg_url = (char *)"https://pictures.example/a.jpg";
    request.event_id = caller->event;
    request.user_id = caller->user;
    request.content = &content;
    request.n_channels = 1;
    request.channels = channels;
    enum herald_code code =
        herald_distribution_v1_distribution_service_distribute(channel, &request, &call, &reply, &response);
    herald_reply_clear(&reply);
    return code;
}

static void *run_caller(void *arg) {
    struct caller *caller = arg;
    struct herald_channel_options options = {0};
    struct herald_channel *channel = NULL;
    char path[128];
    snprintf(path, sizeof(path), "%s/key", folder);
    assert_int_equal(herald_credential_hmac_file("stack-1", path, &options.credential, NULL), HERALD_OK);
    assert_int_equal(herald_channel_open(caller->url, &options, &channel, NULL), HERALD_OK);
    herald_credential_unref(options.credential);
    caller->code = caller->make(caller, channel);
    herald_channel_close(channel);
    return NULL;
}

/* Has @caller make a signed call to nobody, and keeps what it has sent. */
static void record_call(struct caller *caller, struct recorded *ret_call) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    unsigned char greeting[GREETING];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    snprintf(caller->url, sizeof(caller->url), "tcp://127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&caller->thread, NULL, run_caller, caller), 0);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    be_patient(fd);
    write_all(fd, server_greeting, sizeof(server_greeting));
    read_all(fd, greeting, sizeof(greeting));
    assert_memory_equal(greeting, client_greeting, GREETING);
    do {
        read_message(fd, ret_call);
    } while (memmem(ret_call->bytes, ret_call->count, caller->method, strlen(caller->method)) == NULL);
    pthread_join(caller->thread, NULL);
    close(fd);
    close(listener);
    assert_int_not_equal(caller->code, HERALD_OK); /* nobody has carried it out */
}

/* Sends the recorded call to a server. The caller frees the response. */
static Herald__Rpc__V1__Response *replay(enum stack_program program, const struct recorded *call) {
    static struct recorded reply;
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[64];
    unsigned port = 0;
    unsigned char greeting[GREETING];
    assert_int_equal(sscanf(stack_url(stack, program), "tcp://%63[^:]:%u", host, &port), 2);
    address.sin_port = htons((uint16_t)port);
    assert_int_equal(inet_pton(AF_INET, host, &address.sin_addr), 1);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    be_patient(fd);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    write_all(fd, client_greeting, sizeof(client_greeting));
    read_all(fd, greeting, sizeof(greeting));
    write_message(fd, call);
    read_message(fd, &reply);
    close(fd);
    Herald__Rpc__V1__Response *response = herald__rpc__v1__response__unpack(NULL, reply.count - TAG, reply.bytes + TAG);
    assert_non_null(response);
    return response;
}

static void assert_good(const Herald__Rpc__V1__Response *response) {
    if ((int)response->code != HERALD_OK) {
        fail_msg("the replay was answered with %s: %s", response->reason, response->message);
    }
}

static void test_signed_once_call_replayed_at_a_second_process_executes_once(void **state) {
    (void)state;
    static struct recorded call;
    struct caller caller = {.method = "CreateEvent", .make = create_event, .code = HERALD_OK};
    fresh_user(caller.user);
    herald_uuid7(caller.key);
    record_call(&caller, &call);
    Herald__Rpc__V1__Response *first = replay(STACK_EVENT, &call);
    assert_good(first);
    Herald__Rpc__V1__Response *second = replay(STACK_EVENT_2, &call);
    assert_good(second); /* its own nonces let it in … */
    assert_int_equal(second->payload.len, first->payload.len);
    assert_memory_equal(second->payload.data, first->payload.data, first->payload.len); /* … to the stored reply */
    stack_sql_is(stack, "1", "SELECT count(*) FROM event_drafts WHERE user_id = '%s'", caller.user);
    for (int i = 0; i < 2; i++) { /* each process takes the signature once */
        Herald__Rpc__V1__Response *again = replay(i == 0 ? STACK_EVENT : STACK_EVENT_2, &call);
        assert_int_equal(again->code, HERALD_UNAUTHENTICATED);
        herald__rpc__v1__response__free_unpacked(again, NULL);
    }
    /* Under another key the signature does not hold. */
    unsigned char *key = memmem(call.bytes, call.count, caller.key, strlen(caller.key));
    assert_non_null(key);
    key[35] = key[35] == '0' ? '1' : '0';
    Herald__Rpc__V1__Response *changed = replay(STACK_EVENT, &call);
    assert_int_equal(changed->code, HERALD_UNAUTHENTICATED);
    stack_sql_is(stack, "1", "SELECT count(*) FROM event_drafts WHERE user_id = '%s'", caller.user);
    herald__rpc__v1__response__free_unpacked(changed, NULL);
    herald__rpc__v1__response__free_unpacked(second, NULL);
    herald__rpc__v1__response__free_unpacked(first, NULL);
}

/* ---- any other call that writes ---- */

static void assert_refused_done(Herald__Rpc__V1__Response *response, enum herald_code code, const char *reason,
                                Herald__Rpc__V1__Done done) {
    if ((int)response->code != (int)code || strcmp(response->reason, reason) != 0) {
        fail_msg("%u %s: %s", response->code, response->reason, response->message);
    }
    assert_int_equal(response->done, done);
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

static void assert_refused(Herald__Rpc__V1__Response *response, enum herald_code code, const char *reason) {
    assert_refused_done(response, code, reason, HERALD__RPC__V1__DONE__NOTHING);
}

/* A call of @caller that reaches a server. */
static void call_program(struct caller *caller, enum stack_program program) {
    snprintf(caller->url, sizeof(caller->url), "%s", stack_url(stack, program));
    run_caller(caller);
    assert_int_equal(caller->code, HERALD_OK);
}

static void call_server(struct caller *caller) {
    call_program(caller, STACK_EVENT);
}

/* The owner chooses another objective meanwhile. The client signs by itself, and again where it must. */
static void change_mind(const struct caller *caller) {
    struct caller owner = *caller;
    owner.objective = HERALD__EVENT__V1__OBJECTIVE__AWARENESS;
    call_server(&owner);
}

/* One who is about to choose SALES for a draft. */
static struct caller chooser(void) {
    struct caller caller = {.method = "CreateEvent", .make = create_event};
    fresh_user(caller.user);
    herald_uuid7(caller.key);
    call_server(&caller);
    char *event = stack_sql(stack, "SELECT id FROM event_drafts WHERE user_id = '%s'", caller.user);
    assert_non_null(event);
    snprintf(caller.event, sizeof(caller.event), "%s", event);
    free(event);
    caller.method = "SelectObjective";
    caller.make = select_objective;
    caller.objective = HERALD__EVENT__V1__OBJECTIVE__SALES;
    return caller;
}

static void test_signed_idempotent_call_replayed_at_a_second_process_is_refused(void **state) {
    (void)state;
    static struct recorded call;
    struct caller caller = chooser();
    record_call(&caller, &call);
    Herald__Rpc__V1__Response *first = replay(STACK_EVENT, &call);
    assert_good(first);
    herald__rpc__v1__response__free_unpacked(first, NULL);
    change_mind(&caller);
    for (int i = 0; i < 2; i++) { /* by the signatures of all processes, then by its own */
        assert_refused(replay(STACK_EVENT_2, &call), HERALD_UNAUTHENTICATED, "REPLAYED");
    }
    stack_sql_is(stack, "AWARENESS", "SELECT objective FROM event_drafts WHERE id = '%s'", caller.event);
}

/* The database has crashed or failed over, which leaves its unlogged tables empty. */
static void test_signed_idempotent_call_replayed_after_the_signatures_were_lost_is_refused(void **state) {
    (void)state;
    static struct recorded call;
    struct caller caller = chooser();
    record_call(&caller, &call);
    Herald__Rpc__V1__Response *first = replay(STACK_EVENT, &call);
    assert_good(first);
    herald__rpc__v1__response__free_unpacked(first, NULL);
    free(stack_sql(stack, "TRUNCATE signatures, signature_memory"));
    change_mind(&caller);
    assert_refused(replay(STACK_EVENT_2, &call), HERALD_UNAVAILABLE, "SIGNED_BEFORE_START");
    stack_sql_is(stack, "AWARENESS", "SELECT objective FROM event_drafts WHERE id = '%s'", caller.event);
}

/* ---- a call that takes its signature with its effect ---- */

/* Whether Instagram had prepared before the event's distribution was made: its step is of the statement that took the signature. */
static bool prepared_before(const struct caller *caller) {
    char *found = stack_sql(stack,
                            "SELECT EXISTS (SELECT FROM delivery_steps JOIN signatures ON signatures.xmin = "
                            "delivery_steps.xmin WHERE event_id = '%s')",
                            caller->event);
    bool is_before = found && strcmp(found, "t") == 0;
    free(found);
    return is_before;
}

/* Instagram has a container ready in 20 ms, but perhaps not at each try on a busy machine. */
static void test_signed_distribute_is_made_with_what_was_prepared_and_refused_when_replayed(void **state) {
    (void)state;
    static struct recorded call;
    struct caller caller = {.method = "Distribute", .make = distribute, .timeout_ms = 20000};
    time_t give_up = time(NULL) + 60;
    fresh_user(caller.user);
    stack_channel_behaves(stack, "INSTAGRAM", "{\"mode\":\"ok\",\"delayMs\":1}");
    do {
        assert_true(time(NULL) < give_up);
        herald_uuid7(caller.event);
        call_program(&caller, STACK_DISTRIBUTION);
    } while (!prepared_before(&caller));
    herald_uuid7(caller.event);
    caller.timeout_ms = 3000;
    record_call(&caller, &call);
    Herald__Rpc__V1__Response *first = replay(STACK_DISTRIBUTION, &call);
    assert_good(first);
    herald__rpc__v1__response__free_unpacked(first, NULL);
    assert_refused_done(
        replay(STACK_DISTRIBUTION_2, &call), HERALD_UNAUTHENTICATED, "REPLAYED",
        HERALD__RPC__V1__DONE__AS_TOLD); /* by the signatures of all processes: REPLAYED tells that nothing was done */
    assert_refused(replay(STACK_DISTRIBUTION_2, &call), HERALD_UNAUTHENTICATED, "REPLAYED"); /* by its own nonces */
    json_t *posts = stack_posts(stack, caller.event);
    assert_int_equal(json_array_size(posts), 1);
    json_decref(posts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signed_once_call_replayed_at_a_second_process_executes_once),
        cmocka_unit_test(test_signed_idempotent_call_replayed_at_a_second_process_is_refused),
        cmocka_unit_test(test_signed_idempotent_call_replayed_after_the_signatures_were_lost_is_refused),
        cmocka_unit_test(test_signed_distribute_is_made_with_what_was_prepared_and_refused_when_replayed),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
