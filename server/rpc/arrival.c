#include "server/rpc/arrival.h"

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

void arrival_reply(struct arrival *arrival, struct nng_msg *reply) {
    places_give_back(&arrival->places, &arrival->parts->callers);
    exchange_reply(arrival->exchange, reply);
}
