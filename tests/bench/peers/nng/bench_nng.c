/* Bare nng: contexts of REQ sockets, one a call in flight, at contexts of a REP socket. A connection is a socket. */
#include "tests/bench/peers/cell.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* More contexts than requests at once make the server no faster. */
#define SPARE_CONTEXTS 64u

static void check(int failure, const char *what) {
    if (failure != 0) {
        cell_fail("%s: %s", what, nng_strerror(failure));
    }
}

struct slot {
    const struct cell *cell;
    nng_ctx ctx;
    nng_aio *aio;
    bool receiving;
    uint64_t number, started_ns; /* of the client */
};

static struct slot *new_slots(const struct cell *cell, unsigned count) {
    struct slot *slots = calloc(count, sizeof(*slots));
    if (!slots) {
        cell_fail("no memory");
    }
    for (unsigned i = 0; i < count; i++) {
        slots[i].cell = cell;
        slots[i].number = i;
    }
    return slots;
}

static void print_url(const struct cell *cell, char ret_url[64]) {
    snprintf(ret_url, 64, "tcp://" CELL_HOST ":%u", cell->port);
}

/* ---- the server ---- */

static void on_server(void *user) {
    struct slot *slot = user;
    int result = nng_aio_result(slot->aio);
    if (result != 0 && result != NNG_ECLOSED && result != NNG_ECONNRESET) {
        check(result, slot->receiving ? "receive" : "reply");
    }
    slot->receiving = !slot->receiving || result != 0;
    if (slot->receiving) {
        nng_ctx_recv(slot->ctx, slot->aio);
    } else {
        nng_ctx_send(slot->ctx, slot->aio); /* the message is in the aio still */
    }
}

static void serve(const struct cell *cell) {
    unsigned count = cell->connections * cell->in_flight + SPARE_CONTEXTS;
    struct slot *slots = new_slots(cell, count);
    nng_socket socket;
    char url[64];
    check(nng_rep0_open(&socket), "nng_rep0_open");
    for (unsigned i = 0; i < count; i++) {
        check(nng_ctx_open(&slots[i].ctx, socket), "nng_ctx_open");
        check(nng_aio_alloc(&slots[i].aio, on_server, &slots[i]), "nng_aio_alloc");
        slots[i].receiving = true;
        nng_ctx_recv(slots[i].ctx, slots[i].aio);
    }
    print_url(cell, url);
    check(nng_listen(socket, url, NULL, 0), url);
    for (;;) {
        (void)pause();
    }
}

/* ---- the client ---- */

static void ask(struct slot *slot) {
    nng_msg *message;
    check(nng_msg_alloc(&message, slot->cell->bytes), "nng_msg_alloc");
    cell_fill(nng_msg_body(message), slot->cell->bytes, slot->number);
    slot->receiving = false;
    slot->started_ns = cell_now_ns();
    nng_aio_set_msg(slot->aio, message);
    nng_ctx_send(slot->ctx, slot->aio);
}

static void on_client(void *user) {
    struct slot *slot = user;
    check(nng_aio_result(slot->aio), slot->receiving ? "receive" : "send");
    if (!slot->receiving) {
        slot->receiving = true;
        nng_ctx_recv(slot->ctx, slot->aio);
        return;
    }
    nng_msg *message = nng_aio_get_msg(slot->aio);
    nng_aio_set_msg(slot->aio, NULL);
    cell_note(slot->cell, slot->number, slot->started_ns, nng_msg_body(message), nng_msg_len(message));
    nng_msg_free(message);
    ask(slot);
}

static void call(const struct cell *cell) {
    struct slot *slots = new_slots(cell, cell->connections * cell->in_flight);
    char url[64];
    print_url(cell, url);
    for (unsigned i = 0; i < cell->connections; i++) {
        nng_socket socket;
        check(nng_req0_open(&socket), "nng_req0_open");
        check(nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE), "resend time");
        check(nng_dial(socket, url, NULL, 0), url);
        for (unsigned j = 0; j < cell->in_flight; j++) {
            struct slot *slot = &slots[i * cell->in_flight + j];
            check(nng_ctx_open(&slot->ctx, socket), "nng_ctx_open");
            check(nng_aio_alloc(&slot->aio, on_client, slot), "nng_aio_alloc");
        }
    }
    for (unsigned i = 0; i < cell->connections * cell->in_flight; i++) {
        ask(&slots[i]);
    }
    for (;;) {
        (void)pause();
    }
}

int main(int argc, char **argv) {
    static const struct cell_system system = {.name = "nng", .serve = serve, .call = call};
    return cell_main(&system, argc, argv);
}
