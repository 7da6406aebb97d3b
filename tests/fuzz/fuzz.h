#ifndef HERALD_TESTS_FUZZ_H
#define HERALD_TESTS_FUZZ_H

#include "herald/error.h"
#include "herald/schema.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the fuzz targets share. A target is one file fuzz_NAME.c with LLVMFuzzerTestOneInput(). Built with HERALD_FUZZ
 * it is a libFuzzer program; else a program that runs each file given to it once, so that every build replays the
 * seeds and the findings of the past.
 *
 * Claims about what was accepted are checked by fuzz_require(): a broken one is a finding like a crash.
 */

/** The target. Returns 0; -1: this input is not worth keeping. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/** Ends the program with @claim unless it holds. */
void fuzz_require(bool holds, const char *claim);

/** Writes a file, always the same one, which only its owner may read, and returns its path. */
const char *fuzz_file(const uint8_t *data, size_t bytes);

/** Takes the first byte of the input to choose a type: the requests and responses of all methods, and the envelopes.
 *  NULL when there is no byte. */
const struct herald_message_schema *fuzz_take_type(const uint8_t **data, size_t *bytes);
/** As above, one of all methods. */
const struct herald_method_schema *fuzz_take_method(const uint8_t **data, size_t *bytes);
/** How many types there are; each by its number, which is the byte that chooses it. */
size_t fuzz_type_count(void);
const struct herald_message_schema *fuzz_type(size_t index);
/** How many methods there are; each by its number. */
size_t fuzz_method_count(void);
const struct herald_method_schema *fuzz_method(size_t index);

/** Checks what must hold for each message that was accepted: it can be packed, read again, and converted to JSON and
 *  back without change. */
void fuzz_check_message(const struct herald_message_schema *schema, const ProtobufCMessage *message);
/** Reads a message from bytes: as herald_unpack() and herald_json_read(). */
typedef enum herald_code fuzz_read_fn(const struct herald_message_schema *schema, const uint8_t *data, size_t bytes,
                                      ProtobufCMessage **ret_message, struct herald_error *reterr);
/** Takes a type, reads the rest by @read, and checks the message or the refusal. Returns as a target. */
int fuzz_check_reading(fuzz_read_fn *read, const uint8_t *data, size_t bytes);

#endif
