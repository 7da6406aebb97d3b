#ifndef HERALD_CTL_CONVERT_H
#define HERALD_CTL_CONVERT_H

/* Messages from JSON to bytes and back. */
#include "herald/error.h"
#include "herald/schema.h"

#include <stdbool.h>
#include <stdio.h>

/** Largest message, in either form. */
#define CONVERT_MAX_BYTES ((size_t)64 * 1024 * 1024)

struct conversion {
    const struct herald_message_schema *schema;
    bool to_json;        /* else to bytes */
    bool ignore_unknown; /* skip names in the JSON that the message does not have */
    bool indent;         /* indent the JSON */
    bool validate;       /* check the rules of the schema too */
};

/**
 * Converts the one message that @in holds.
 *
 * Returns:  HERALD_OK | as input_read_stream(), herald_json_read(), herald_unpack(), herald_json_write(), and with
 *           conversion->validate herald_validate()
 * On error: nothing is written
 */
enum herald_code convert_one(const struct conversion *conversion, FILE *in, FILE *out, struct herald_error *reterr);

/**
 * Converts any number of messages. In JSON each is a line; in bytes each follows its length, a varint.
 *
 * @ret_record  set only on failure: number of the message that could not be converted, from 1
 * Returns:  as convert_one() | HERALD_INVALID_ARGUMENT (CUT_OFF: the input ends in a message; TOO_LONG)
 * On error: the messages before it are written
 */
enum herald_code convert_stream(const struct conversion *conversion, FILE *in, FILE *out, size_t *ret_record,
                                struct herald_error *reterr);

#endif
