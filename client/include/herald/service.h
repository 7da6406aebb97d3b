#ifndef HERALD_SERVICE_H
#define HERALD_SERVICE_H

/* The generated code of the serving side of a service: for each method a thunk that calls the typed handler. */
#include "herald/decls.h"
#include "herald/error.h"
#include "herald/schema.h"

HERALD_BEGIN_DECLS

/**
 * Calls one handler.
 *
 * @handlers  the service's generated struct of handlers
 * @self      the handlers' own state
 * @request   of the method's request type, validated
 * @response  of the method's response type, initialised; all that the handler puts into it lives in the call's arena
 * Returns:  the handler's code | HERALD_UNIMPLEMENTED: the table has no handler
 */
typedef enum herald_code (*herald_invoke_fn)(const void *handlers, void *self, const ProtobufCMessage *request,
                                             ProtobufCMessage *response, struct herald_error *reterr);

struct herald_service_binding {
    const struct herald_service_schema *schema;
    const herald_invoke_fn *invoke; /* parallel to schema->methods */
};

HERALD_END_DECLS

#endif
