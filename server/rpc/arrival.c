#include "server/rpc/arrival.h"

#include "server/rpc/auth.h"
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

/* Whose waiting calls this one counts with. */
static enum adaptive_group group_of(const struct arrival *arrival) {
    bool is_signed = !arrival->probe && arrival->view.auth.data && arrival->parts->limits.knows_callers;
    return is_signed ? ADAPTIVE_SIGNED : ADAPTIVE_ANONYMOUS;
}

/* A flood of signed calls is no reason to refuse a server or operator: their credential is looked at before it is checked. */
static bool may_have_kept_place(const struct arrival *arrival) {
    const struct places *places = &arrival->places;
    return places->method && !places->waits_in && group_of(arrival) == ADAPTIVE_SIGNED && arrival->parts->auth &&
           auth_names_kept_caller(arrival->parts->auth, arrival->view.auth.data, arrival->view.auth.bytes);
}

enum herald_code arrival_enter_method(struct arrival *arrival, struct rpc_method *method, uint64_t received_us,
                                      struct herald_error *reterr) {
    const struct rpc_limits *limits = &arrival->parts->limits;
    enum herald_code code = gate_method(limits, &arrival->places, method, group_of(arrival), received_us, reterr);
    return code != HERALD_OK && may_have_kept_place(arrival) ? gate_kept(limits, &arrival->places, received_us, reterr)
                                                             : code;
}

typedef enum herald_code gate_of_part_fn(const struct rpc_limits *limits, struct in_flight *in_flight,
                                         struct herald_error *reterr);

/* Takes a place of a part, unless the call has it already. @holds  whether it has */
static enum herald_code enter_part(const struct arrival *arrival, gate_of_part_fn *gate, bool *holds,
                                   struct herald_error *reterr) {
    struct server_parts *parts = arrival->parts;
    enum herald_code code = *holds ? HERALD_OK : gate(&parts->limits, &parts->in_flight, reterr);
    *holds = code == HERALD_OK;
    return code;
}

static void leave_part(atomic_uint *part, bool *holds) {
    if (*holds) {
        *holds = false;
        in_flight_leave_part(part);
    }
}

/* Who is refused keeps none of these places: others would lack them until the refusal has left. */
static void leave_parts(struct arrival *arrival) {
    struct in_flight *in_flight = &arrival->parts->in_flight;
    leave_part(&in_flight->anonymous, &arrival->anonymous);
    leave_part(&in_flight->anonymous_waiting, &arrival->anonymous_waiting);
    leave_part(&in_flight->strangers, &arrival->stranger);
    leave_part(&in_flight->waiting, &arrival->waiting);
}

enum herald_code arrival_enter_as_stranger(struct arrival *arrival, const struct rpc_method *method, bool anonymous,
                                           struct herald_error *reterr) {
    if (method && method->own) {
        return HERALD_OK;
    }
    bool waits = method && method->schema->waits;
    enum herald_code code = HERALD_OK;
    const struct rpc_limits *limits = &arrival->parts->limits;
    anonymous = anonymous && limits->max_anonymous < limits->max_strangers;
    if (anonymous) { /* first: who is refused here takes no place from others, not for a moment */
        code = enter_part(arrival, gate_anonymous, &arrival->anonymous, reterr);
    }
    if (code == HERALD_OK && anonymous && waits) {
        code = enter_part(arrival, gate_anonymous_waiting, &arrival->anonymous_waiting, reterr);
    }
    if (code == HERALD_OK) {
        code = enter_part(arrival, gate_stranger, &arrival->stranger, reterr);
    }
    if (code == HERALD_OK && waits) {
        code = enter_part(arrival, gate_waiting, &arrival->waiting, reterr);
    }
    if (code != HERALD_OK) {
        leave_parts(arrival);
    }
    return code;
}

void arrival_leave(struct arrival *arrival) {
    struct in_flight *in_flight = &arrival->parts->in_flight;
    leave_part(&in_flight->anonymous, &arrival->anonymous);
    leave_part(&in_flight->strangers, &arrival->stranger);
    if (arrival->entered) {
        arrival->entered = false;
        in_flight_leave(in_flight);
    }
}

void arrival_reply(struct arrival *arrival) {
    struct in_flight *in_flight = &arrival->parts->in_flight;
    leave_part(&in_flight->anonymous_waiting, &arrival->anonymous_waiting);
    leave_part(&in_flight->waiting, &arrival->waiting);
    places_give_back(&arrival->places, &arrival->parts->callers);
    exchange_reply(arrival->exchange);
}
