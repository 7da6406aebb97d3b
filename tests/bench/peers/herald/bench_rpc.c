/*
 * Herald's own cells:
 *
 *   herald_native         from tasks of a loop to tasks of a loop, both sides on the native engine
 *   herald_nng            the client library, which is nng's, to tasks of a server on nng
 *   herald_nng_to_native  the client library to tasks of a server on the native engine
 *
 * A connection is a channel. All calls are whole ones: with call id, deadline, checks, gates, list of recent calls and
 * the client's retries. Settings are the defaults, but for two limits: connections, and rpc.adaptive_limit, which would
 * refuse calls when other processes take the processor. No peer refuses calls.
 */
#include "client/src/channel.h"
#include "herald/bench/v1/echo.client.h"
#include "herald/bench/v1/echo.task.h"
#include "server/process/server_main.h"
#include "server/programs/outgoing_calls.h"
#include "server/runtime/task.h"
#include "tests/bench/peers/cell.h"
#include "tests/bench/peers/herald/echo_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *server_engine;

static void check(enum herald_code code, const struct herald_error *error) {
    if (code != HERALD_OK) {
        cell_fail("%s: %s", herald_code_name((int)code), error->message);
    }
}

static void print_url(const struct cell *cell, unsigned port, char ret_url[64]) {
    snprintf(ret_url, 64, "%s://" CELL_HOST ":%u", cell->tls ? "tls+tcp" : "tcp", port);
}

/* ---- the server ---- */

static void serve(const struct cell *cell) {
    char url[64], loops[16];
    print_url(cell, cell->port, url);
    setenv("HERALD_RPC_ENGINE", server_engine, 1);
    if (cell->loops > 0) {
        snprintf(loops, sizeof(loops), "%u", cell->loops);
        setenv("HERALD_RPC_LOOPS", loops, 1);
    }
    setenv("HERALD_RPC_MAX_CONNECTIONS", "2048", 1);
    setenv("HERALD_RPC_ADAPTIVE_LIMIT", "false", 1);
    if (cell->tls) {
        setenv("HERALD_TLS_CERT_FILE", cell->cert_file, 1);
        setenv("HERALD_TLS_KEY_FILE", cell->key_file, 1);
    }
    exit(echo_server_run(url));
}

/* ---- the clients' slots: a call in flight, and the next after it ---- */

struct slot {
    const struct cell *cell;
    struct herald_channel *channel;
    uint64_t number, started_ns;
    uint8_t *payload;
};

static struct slot *new_slots(const struct cell *cell, const struct herald_engine *engine) {
    const struct herald_tls_options tls = {.ca_file = cell->ca_file, .server_name = CELL_NAME};
    const struct herald_channel_options options = {.tls = cell->tls ? &tls : NULL};
    unsigned count = cell->connections * cell->in_flight;
    struct slot *slots = calloc(count, sizeof(*slots));
    struct herald_channel *channel = NULL;
    struct herald_error error;
    char url[64];
    for (unsigned i = 0; slots && i < count; i++) {
        if (i % cell->in_flight == 0) {
            print_url(cell, cell->ports[i / cell->in_flight % cell->servers], url);
            check(herald_channel_open_on(engine, url, &options, &channel, &error), &error);
        }
        slots[i] = (struct slot){.cell = cell, .channel = channel, .number = i, .payload = malloc(cell->bytes)};
        if (!slots[i].payload) {
            break;
        }
    }
    if (!slots || !slots[count - 1].payload) {
        cell_fail("no memory");
    }
    return slots;
}

static Herald__Bench__V1__EchoRequest request_of(struct slot *slot) {
    Herald__Bench__V1__EchoRequest request = HERALD__BENCH__V1__ECHO_REQUEST__INIT;
    cell_fill(slot->payload, slot->cell->bytes, slot->number);
    request.payload = (ProtobufCBinaryData){.len = slot->cell->bytes, .data = slot->payload};
    slot->started_ns = cell_now_ns();
    return request;
}

static void note(const struct slot *slot, const Herald__Bench__V1__EchoResponse *response) {
    cell_note(slot->cell, slot->number, slot->started_ns, response->payload.data, response->payload.len);
}

/* ---- a client of the client library ---- */

static void ask(struct slot *slot);

static void on_end(void *user, struct herald_reply *reply) {
    struct slot *slot = user;
    check(reply->error.code, &reply->error);
    note(slot, (const Herald__Bench__V1__EchoResponse *)reply->message);
    herald_reply_clear(reply);
    ask(slot);
}

static void ask(struct slot *slot) {
    struct herald_error error;
    Herald__Bench__V1__EchoRequest request = request_of(slot);
    check(herald_bench_v1_echo_service_echo_start(slot->channel, &request, NULL, on_end, slot, NULL, &error), &error);
}

static void call_by_library(const struct cell *cell) {
    struct slot *slots = new_slots(cell, &herald_engine_nng);
    for (unsigned i = 0; i < cell->connections * cell->in_flight; i++) {
        ask(&slots[i]);
    }
    for (;;) {
        (void)pause();
    }
}

/* ---- a client of tasks: a server that serves nothing ---- */

/* A context for each call, as the call has that a server's task works for. */
TASK_FN static void call_again_and_again(void *arg) {
    struct slot *slot = arg;
    struct arena_block *kept = NULL;
    for (;;) {
        Herald__Bench__V1__EchoRequest request = request_of(slot);
        const Herald__Bench__V1__EchoResponse *response = NULL;
        struct herald_error error;
        check(herald_bench_v1_echo_service_echo_task(slot->channel, &request, NULL, NULL, &response, &error), &error);
        note(slot, response);
        kept = arena_fini_keep(call_arena());
        arena_init(call_arena(), 0);
        arena_give(call_arena(), kept);
    }
}

static const struct cell *client_cell;

/* Nothing is freed: the process ends in the midst of calls. */
static enum herald_code start_client(const struct server_app *app, const struct settings *settings,
                                     struct loop *const *loops, unsigned loop_count, struct rpc_server *server,
                                     void **ret_app, struct herald_error *reterr) {
    struct native_calls *calls = NULL;
    (void)app;
    (void)server;
    enum herald_code code = settings_open_calls(settings, loops, loop_count, &calls, reterr);
    if (code == HERALD_OK) {
        *ret_app = new_slots(client_cell, native_calls_engine(calls));
    }
    return code;
}

static enum herald_code start_tasks(void *app, struct loop *loop, struct herald_error *reterr) {
    unsigned count = client_cell->connections * client_cell->in_flight;
    struct slot *slots = app;
    struct call *calls = calloc(count, sizeof(*calls));
    enum herald_code code = calls ? HERALD_OK : herald_error_no_memory(reterr, "the calls");
    for (unsigned i = 0; i < count && code == HERALD_OK; i++) {
        call_init(&calls[i], "herald.bench.v1.Client", NULL, 0, 0);
        code = task_spawn(loop, &calls[i], "client", call_again_and_again, &slots[i], reterr);
    }
    return code;
}

static void call_from_tasks(const struct cell *cell) {
    static const struct server_app app = {.name = "echo-client",
                                          .summary = "the client of the comparison of RPC",
                                          .settings = &all_settings,
                                          .start = start_client,
                                          .start_loop = start_tasks};
    char *argv[] = {(char *)"echo-client", NULL};
    client_cell = cell;
    setenv("HERALD_RPC_ENGINE", "native", 1);
    setenv("HERALD_LOG_LEVEL", "error", 0);
    (void)server_main(&app, 1, argv);
    cell_fail("the client has ended");
}

/* ---- which system ---- */

int main(int argc, char **argv) {
    static const struct {
        struct cell_system cell;
        const char *server_engine;
    } SYSTEMS[] = {
        {{"herald_native", true, serve, call_from_tasks, true}, "native"},
        {{"herald_nng", true, serve, call_by_library, true}, "nng"},
        {{"herald_nng_to_native", true, serve, call_by_library, false}, "native"},
    };
    for (size_t i = 0; argc > 1 && i < sizeof(SYSTEMS) / sizeof(SYSTEMS[0]); i++) {
        if (strcmp(argv[1], SYSTEMS[i].cell.name) == 0) {
            server_engine = SYSTEMS[i].server_engine;
            return cell_main(&SYSTEMS[i].cell, argc - 1, argv + 1);
        }
    }
    fputs("Usage: bench_rpc herald_native|herald_nng|herald_nng_to_native --list | --row ROW [--seconds S]\n", stderr);
    return 2;
}
