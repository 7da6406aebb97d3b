#ifndef HERALD_CTL_CONVERT_H
#define HERALD_CTL_CONVERT_H

#include "herald/error.h"
#include "herald/schema.h"

#include <stdbool.h>
#include <stdio.h>

/* Messages from JSON to bytes and back. */

/** Most bytes of a message, in either form. */
#define CONVERT_MAX_BYTES ((size_t)64 * 1024 * 1024)

struct conversion {
    const struct herald_message_schema *schema;
    bool to_json;        /* else to bytes */
    bool ignore_unknown; /* names in the JSON that the message does not have */
    bool indent;         /* the JSON */
    bool validate;       /* check the rules of the schema too */
};

/**
 * Converts the one message that @in holds.
 *
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT, HERALD_RESOURCE_EXHAUSTED (the input is no such message; nothing is
 *           written)
 */
enum herald_code convert_one(const struct conversion *conversion, FILE *in, FILE *out, struct herald_error *reterr);

/**
 * Converts any number of messages: those in JSON are a line each, those in bytes follow their length, a varint.
 *
 * @ret_record  number of the message that could not be converted, from 1; those before it are written
 * Returns:  as convert_one()
 */
enum herald_code convert_stream(const struct conversion *conversion, FILE *in, FILE *out, size_t *ret_record,
                                struct herald_error *reterr);

#endif
