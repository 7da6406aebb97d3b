#include "server/rpc/arrival.h"

#include "server/rpc/internal.h"
#include "server/rpc/limits.h"
#include "server/rpc/probe_text.h"

static void look_at_envelope(struct arrival *arrival) {
    const struct bytes_view *method = &arrival->view.method;
    envelope_look(arrival->exchange->data, arrival->exchange->bytes, &arrival->view);
    if (method->data) {
        arrival->method = rpc_server_find(arrival->server, (const char *)method->data, method->bytes);
    }
}

struct arrival *arrival_look(struct rpc_server *server, struct exchange *exchange) {
    struct arrival *arrival = exchange_user(exchange);
    arrival->exchange = exchange;
    arrival->server = server;
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

void arrival_reply(struct arrival *arrival, struct nng_msg *reply) {
    limits_leave(arrival);
    exchange_reply(arrival->exchange, reply);
}
