#ifndef HERALD_CTL_ASK_H
#define HERALD_CTL_ASK_H

#include "deploy/ctl/ctl.h"
#include "herald/schema.h"

#include <protobuf-c/protobuf-c.h>

/**
 * Makes one call, at the server that --url, --server or the method's package name, and prints its response.
 *
 * @show  prints it as a table; with -o json it is a line of JSON instead
 * Returns: the exit status
 */
int ask(struct ctl *ctl, const struct herald_method_schema *method, const ProtobufCMessage *request,
        void (*show)(const struct ctl *ctl, const ProtobufCMessage *response));
/** Prints a message as a line of JSON, defaults included. Returns: CTL_OK | CTL_UNWRITTEN, after a complaint */
int ask_print_json(const struct ctl *ctl, const struct herald_message_schema *schema, const ProtobufCMessage *message);

#endif
