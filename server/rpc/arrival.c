#include "server/rpc/arrival.h"

#include "server/rpc/gates.h"
#include "server/rpc/probe_text.h"
#include "server/rpc/server_parts.h"

static void look_at_envelope(struct arrival *arrival) {
    const struct bytes_view *method = &arrival->view.method;
    envelope_look(arrival->exchange->data, arrival->exchange->bytes, &arrival->view);
    if (method->data) {
        arrival->method = registry_find(&arrival->parts->registry, (const char *)method->data, method->bytes);
    }
}

struct arrival *arrival_look(struct server_parts *parts, struct exchange *exchange) {
    struct arrival *arrival = exchange_user(exchange);
    arrival->exchange = exchange;
    arrival->parts = parts;
    arrival->loop = NULL;
    arrival->method = NULL;
    arrival->probe = probe_is(exchange->data, exchange->bytes);
    if (arrival->probe) {
        arrival->view = (struct envelope_view){.plain = false};
    } else {
        look_at_envelope(arrival);
    }
    return arrival;
}

bool arrival_counts_as_connection(const struct arrival *arrival) {
    return !arrival->probe && !arrival->view.auth.data;
}

enum herald_code arrival_enter_as_stranger(struct arrival *arrival, const struct rpc_method *method,
                                           struct herald_error *reterr) {
    struct server_parts *parts = arrival->parts;
    enum herald_code code = HERALD_OK;
    if (method && method->own) {
        return HERALD_OK;
    }
    if (!arrival->stranger) {
        code = gate_stranger(&parts->limits, &parts->in_flight, reterr);
        arrival->stranger = code == HERALD_OK;
    }
    if (code == HERALD_OK && method && method->schema->waits && !arrival->waiting) {
        code = gate_waiting(&parts->limits, &parts->in_flight, reterr);
        arrival->waiting = code == HERALD_OK;
    }
    return code;
}

void arrival_leave(struct arrival *arrival) {
    struct in_flight *in_flight = &arrival->parts->in_flight;
    if (arrival->stranger) {
        arrival->stranger = false;
        in_flight_leave_part(&in_flight->strangers);
    }
    if (arrival->entered) {
        arrival->entered = false;
        in_flight_leave(in_flight);
    }
}

void arrival_reply(struct arrival *arrival, struct nng_msg *reply) {
    if (arrival->waiting) {
        arrival->waiting = false;
        in_flight_leave_part(&arrival->parts->in_flight.waiting);
    }
    places_give_back(&arrival->places, &arrival->parts->callers);
    exchange_reply(arrival->exchange, reply);
}
