#ifndef HERALD_GATEWAY_TRANSCODE_H
#define HERALD_GATEWAY_TRANSCODE_H

#include "herald/error.h"
#include "server/gateway/connection.h"
#include "server/gateway/routes.h"

#include <protobuf-c/protobuf-c.h>

/**
 * Makes the message of a route from the request's body, path and query.
 *
 * @ret_message   in the request's arena
 * @ret_in_query  whether a parameter of the query is what is wrong; the error's only detail has its name, empty when that
 *                cannot be read
 * Returns:  HERALD_OK | as herald_json_read(), herald_json_set_parameter(); what is wrong has the field's path
 * Context:  pure, but for the request's arena
 */
enum herald_code transcode_request(const struct route_match *match, struct request *request,
                                   ProtobufCMessage **ret_message, bool *ret_in_query, struct herald_error *reterr);

#endif
