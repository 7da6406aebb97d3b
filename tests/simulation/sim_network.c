/*
 * Calls from herald-event to herald-distribution. This takes the place of the client library's sockets: remote_call() above it
 * and the rules of retries (client/src/retry.c) are the real ones. A request or its reply can be lost, silently or with the
 * connection; both are slow at times; a process that died does not answer, and one that is starting refuses.
 */
#include "client/src/reply.h"
#include "client/src/retry.h"
#include "herald/distribution/v1/distribution.schema.h"
#include "tests/simulation/sim.h"

#include <stdlib.h>
#include <string.h>

#define SILENT_PERCENT 50 /* of what is lost; else the client sees that the connection is lost */
#define SLOW_PERCENT   5
#define REFUSE_PERCENT 2 /* of requests during the storm, by a server that drains */
#define CONNECT_MS     2000
#define SERVER_ARENA   (1 << 20)
#define LEAST_CALL_MS  1

enum herald_code herald_call_start_packed(struct herald_channel *channel, const struct herald_method_schema *method,
                                          const ProtobufCMessage *request, const struct herald_call_options *options,
                                          herald_call_done_fn *done, void *user, struct herald_call **ret_call,
                                          struct herald_error *reterr);
void herald_call_give_up(struct herald_call *call, bool late);
void __wrap_herald_reply_clear(struct herald_reply *reply);
void __wrap_herald_response_clear(struct herald_response *response);

/* A call of the client: several attempts, one after the other. Freed when it has ended and its handle is released. */
struct herald_call {
    struct sim_life *life; /* that makes it */
    const struct herald_method_schema *method;
    uint8_t *request;
    size_t request_bytes;
    int64_t deadline_ms;
    herald_call_done_fn *done;
    void *user;
    struct completion wake; /* an attempt is answered, or the call is given up */
    bool given_up, late;
    unsigned refs;
};

/* One attempt. Its server and its client share it; whoever ends last frees it. */
struct exchange {
    struct call call; /* of the handler */
    struct sim_life *server;
    const struct herald_method_schema *method;
    uint8_t *request;
    size_t request_bytes;
    struct herald_call *caller;
    bool answered;
    enum herald_outcome outcome;
    struct herald_error error; /* code OK: there is a reply */
    uint8_t *reply;
    size_t reply_bytes;
    unsigned refs;
};

static int64_t now_ms(void) {
    return (int64_t)(sim.now_us / 1000);
}

static void call_unref(struct herald_call *call) {
    if (--call->refs == 0) {
        free(call->request);
        free(call);
    }
}

static void exchange_unref(struct exchange *exchange) {
    if (--exchange->refs == 0) {
        call_unref(exchange->caller);
        free(exchange->request);
        free(exchange->reply);
        free(exchange);
    }
}

static void answer(struct exchange *exchange, enum herald_outcome outcome) {
    exchange->outcome = outcome;
    exchange->answered = true;
    completion_complete(&exchange->caller->wake);
}

/* ---- the server's side ---- */

/* How an attempt ends whose reply does not come; without a word if the network swallows it. */
static void lose(struct exchange *exchange) {
    if (sim_chance(SILENT_PERCENT)) {
        return;
    }
    herald_error_set(&exchange->error, HERALD_REASON_CONNECTION_LOST, "simulated: the connection was lost");
    answer(exchange, HERALD_MAYBE_EXECUTED);
}

static bool is_lost(void) {
    return sim_chance(sim.brokers.loss_percent) || sim.brokers.network_down_until_us > sim.now_us;
}

TASK_FN static void travel(void) {
    bool slow = !sim.calm && sim_chance(SLOW_PERCENT);
    sim_wait_us(slow ? sim_between(100000, 3000000) : sim_between(100, 2000));
}

static ProtobufCMessage *new_response(const struct herald_method_schema *method) {
    const ProtobufCMessageDescriptor *descriptor = method->response->descriptor;
    ProtobufCMessage *response = arena_alloc(call_arena(), descriptor->sizeof_message);
    protobuf_c_message_init(descriptor, response);
    return response;
}

/* Runs the handler. Returns: the response, in the call's arena */
TASK_FN static const ProtobufCMessage *run_handler(struct exchange *exchange) {
    void *service = &exchange->server->service;
    struct herald_error *error = &exchange->error;
    ProtobufCMessage *request = protobuf_c_message_unpack(
        exchange->method->request->descriptor, &call_arena()->protobuf, exchange->request_bytes, exchange->request);
    ProtobufCMessage *response = new_response(exchange->method);
    if (exchange->method == herald_distribution_v1_distribution_service_distribute_method) {
        error->code = distribution_distribute(service, (void *)request, (void *)response, error);
    } else if (exchange->method == herald_distribution_v1_distribution_service_get_distribution_method) {
        error->code = distribution_get_distribution(service, (void *)request, (void *)response, error);
    } else {
        sim_give_up("a method that the network does not know");
    }
    return response;
}

TASK_FN static void serve(struct exchange *exchange) {
    travel();
    if (is_lost() || exchange->server->dead) {
        lose(exchange);
        return;
    }
    sim_wait_thaw(exchange->server);
    const ProtobufCMessage *response = run_handler(exchange);
    bool is_gone = exchange->server->dead || is_lost();
    if (!is_gone && exchange->error.code == HERALD_OK) {
        exchange->reply = malloc(protobuf_c_message_get_packed_size(response) + 1);
        exchange->reply_bytes = exchange->reply ? protobuf_c_message_pack(response, exchange->reply) : 0;
    }
    travel();
    if (is_gone) {
        exchange->error.code = HERALD_OK;
        lose(exchange);
        return;
    }
    answer(exchange, HERALD_EXECUTED);
}

TASK_FN static void serve_task(void *arg) {
    struct exchange *exchange = arg;
    serve(exchange);
    sim_unlist_call(&exchange->call);
    call_fini(&exchange->call);
    exchange_unref(exchange);
}

/* ---- the client's side ---- */

/* Ends an attempt that nobody serves. */
static void refuse(struct exchange *exchange, enum herald_outcome outcome, enum herald_reason reason) {
    herald_error_set(&exchange->error, reason, "simulated");
    answer(exchange, outcome);
}

static struct exchange *send_request(struct herald_call *call, int64_t left_ms) {
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    uint8_t *request = malloc(call->request_bytes + 1);
    if (!exchange || !request) {
        sim_give_up("no memory for a call");
    }
    memcpy(request, call->request, call->request_bytes);
    exchange->server = sim.processes[SIM_DISTRIBUTION][sim_between(0, SIM_PROCESSES - 1)];
    exchange->method = call->method;
    exchange->request = request;
    exchange->request_bytes = call->request_bytes;
    exchange->refs = 1;
    exchange->caller = call;
    call->refs++;
    if (!exchange->server) {
        refuse(exchange, HERALD_NOT_SENT, HERALD_REASON_NOT_CONNECTED);
        return exchange;
    }
    if (!sim.calm && sim_chance(REFUSE_PERCENT)) {
        refuse(exchange, HERALD_EXECUTED, HERALD_REASON_DRAINING);
        return exchange;
    }
    call_init(&exchange->call, call->method->full_name, NULL, (uint32_t)left_ms, SERVER_ARENA);
    sim_list_call(&exchange->call, exchange->server);
    if (task_spawn(sim.loop, &exchange->call, "serve", serve_task, exchange, NULL) != HERALD_OK) {
        sim_give_up("no memory for a call");
    }
    exchange->refs++;
    return exchange;
}

/* Waits for the end of an attempt (NULL: none), or that the call is given up, until @until_us at most. */
TASK_FN static void wait_until(struct herald_call *call, const struct exchange *exchange, uint64_t until_us) {
    while (!(exchange && exchange->answered) && !call->given_up && sim.now_us < until_us) {
        completion_init(&call->wake);
        (void)completion_wait_for(&call->wake, (uint32_t)((until_us - sim.now_us) / 1000) + 1, NULL);
    }
}

/* What follows an attempt, as the client decides. Returns: false: the call ends */
TASK_FN static bool wait_for_retry(struct herald_call *call, struct herald_retry_facts *facts) {
    bool ready = false;
    for (size_t i = 0; i < SIM_PROCESSES; i++) {
        ready |= sim.processes[SIM_DISTRIBUTION][i] != NULL;
    }
    facts->ready = facts->connected = ready;
    facts->random = sim_random();
    struct herald_decision decision = herald_retry_decide(facts, HERALD_ATTEMPT_ENDED, now_ms());
    facts->uncounted += decision.uncounted;
    facts->restart_until_ms = decision.restart_until_ms;
    if (decision.next == HERALD_NEXT_END) {
        return false;
    }
    wait_until(call, NULL, sim.now_us + decision.wait_ms * UINT64_C(1000));
    return !call->given_up;
}

static void fill_reply(const struct herald_call *call, struct exchange *exchange, enum herald_outcome outcome,
                       struct herald_reply *reply) {
    reply->outcome = outcome;
    reply->effect = call->method->effect;
    if (!exchange->answered) {
        bool late = call->late || now_ms() >= call->deadline_ms;
        herald_error_set(&reply->error, late ? HERALD_REASON_DEADLINE_EXCEEDED : HERALD_REASON_CANCELLED, "simulated");
        return;
    }
    reply->error = exchange->error;
    reply->payload = exchange->reply;
    reply->payload_bytes = exchange->reply_bytes;
    exchange->reply = NULL;
}

/* Makes attempts until the call ends. */
TASK_FN static void run_attempts(struct herald_call *call, struct herald_reply *reply) {
    const struct herald_retry_policy policy = herald_retry_policy_filled((struct herald_retry_policy){0});
    struct herald_retry_facts facts = {
        .policy = &policy,
        .effect = call->method->effect,
        .deadline_ms = call->deadline_ms,
        .connect_timeout_ms = CONNECT_MS,
    };
    enum herald_outcome carried = HERALD_NOT_SENT;
    for (;;) {
        sim_wait_thaw(call->life);
        int64_t left_ms = call->deadline_ms - now_ms();
        struct exchange *exchange = send_request(call, left_ms > LEAST_CALL_MS ? left_ms : LEAST_CALL_MS);
        wait_until(call, exchange, (uint64_t)call->deadline_ms * 1000);
        facts.attempts++;
        facts.end =
            herald_attempt_end_of(exchange->answered ? exchange->outcome : HERALD_MAYBE_EXECUTED, &exchange->error);
        bool ended = !exchange->answered || exchange->error.code == HERALD_OK || !wait_for_retry(call, &facts);
        if (ended) {
            fill_reply(call, exchange, herald_retry_outcome(carried, &facts.end), reply);
            exchange_unref(exchange);
            return;
        }
        carried = herald_retry_carried(carried, &facts.end);
        exchange_unref(exchange);
    }
}

TASK_FN static void client_task(void *arg) {
    struct herald_call *call = arg;
    struct herald_reply *reply = calloc(1, sizeof(*reply)); /* large */
    if (!reply) {
        sim_give_up("no memory for a reply");
    }
    run_attempts(call, reply);
    sim_wait_thaw(call->life);
    call->done(call->user, reply);
    free(reply);
    call_unref(call);
}

enum herald_code herald_call_start_packed(struct herald_channel *channel, const struct herald_method_schema *method,
                                          const ProtobufCMessage *request, const struct herald_call_options *options,
                                          herald_call_done_fn *done, void *user, struct herald_call **ret_call,
                                          struct herald_error *reterr) {
    struct herald_call *call = calloc(1, sizeof(*call));
    uint8_t *packed = malloc(protobuf_c_message_get_packed_size(request) + 1);
    if (!call || !packed || task_spawn(sim.loop, NULL, "client", client_task, call, NULL) != HERALD_OK) {
        free(call);
        free(packed);
        return herald_error_no_memory(reterr, "a call");
    }
    *call = (struct herald_call){
        .life = channel->life,
        .method = method,
        .request = packed,
        .request_bytes = protobuf_c_message_pack(request, packed),
        .deadline_ms = now_ms() + options->timeout_ms,
        .done = done,
        .user = user,
        .refs = 2,
    };
    completion_init(&call->wake);
    *ret_call = call;
    return HERALD_OK;
}

void herald_call_give_up(struct herald_call *call, bool late) {
    call->given_up = true;
    call->late = late;
    completion_complete(&call->wake);
}

void herald_call_release(struct herald_call *call) {
    call_unref(call);
}

/* A reply of this network has its payload on the heap, and nothing else. */
void __wrap_herald_reply_clear(struct herald_reply *reply) {
    free((void *)(uintptr_t)reply->payload);
    reply->payload = NULL;
    reply->payload_bytes = 0;
}

void __wrap_herald_response_clear(struct herald_response *response) {
    free((void *)(uintptr_t)response->payload);
    *response = (struct herald_response){.memory = NULL};
}
