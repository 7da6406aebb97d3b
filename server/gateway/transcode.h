#ifndef HERALD_GATEWAY_TRANSCODE_H
#define HERALD_GATEWAY_TRANSCODE_H

#include "herald/error.h"
#include "server/gateway/connection.h"
#include "server/gateway/routes.h"

#include <protobuf-c/protobuf-c.h>

/**
 * Makes the message of a route from the request's body, path and query.
 *
 * @ret_message  in the request's arena
 * Returns:  HERALD_OK | as herald_json_read(), herald_json_set_parameter(); what is wrong has the field's path
 * Context:  pure, but for the request's arena
 */
enum herald_code transcode_request(const struct route_match *match, struct request *request,
                                   ProtobufCMessage **ret_message, struct herald_error *reterr);

#endif
