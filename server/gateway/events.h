#ifndef HERALD_GATEWAY_EVENTS_H
#define HERALD_GATEWAY_EVENTS_H

/*
 * Long polls as a stream of server-sent events: the gateway polls, the peer listens. Each event's id is the version that it
 * shows, so a peer that comes back with Last-Event-ID misses nothing, whichever gateway it finds.
 */
#include "client/base/task_fn.h"
#include "server/gateway/backend_call.h"
#include "server/gateway/gateway.h"
#include "server/gateway/response.h"

/** A long poll to repeat. */
struct event_stream {
    const struct gateway *gateway;
    struct request *request;
    struct response *response;
    struct herald_channel *channel;
    const struct herald_route *route;
    ProtobufCMessage *message;
    struct herald_credential *credential; /* NULL: none */
};

/** Whether a request asks for events, of a method that can be followed. */
bool events_wanted(const struct request_head *head, const struct herald_route *route);
/**
 * Answers with events until what is followed is settled, the peer goes away or the gateway drains. A call that fails before
 * the first event is answered as a problem.
 *
 * Context: suspends the task
 */
TASK_FN void events_serve(const struct event_stream *stream);

#endif
