#ifndef HERALD_RPC_REQUEST_TEXT_H
#define HERALD_RPC_REQUEST_TEXT_H

#include "herald/schema.h"
#include "server/runtime/arena.h"

/**
 * Brings the free texts of a request into their one form, in place, so that the rules count what people see: all
 * strings without a format and a pattern, at every depth (post_text_clean(), TEXT_PARAGRAPHS).
 *
 * A text that is no UTF-8, or far longer than its rule, is left for herald_validate() to refuse.
 *
 * @arena    for the texts that change; lives as long as @request
 * Returns:  HERALD_OK | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL, OUT_OF_MEMORY)
 * Context:  any thread
 * Source:   proto/herald/rpc/v1/options.proto FORMAT_UNSPECIFIED
 */
enum herald_code request_text_clean(const struct herald_message_schema *schema, ProtobufCMessage *request,
                                    struct arena *arena, struct herald_error *reterr);

#endif
