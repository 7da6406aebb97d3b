#ifndef HERALD_TESTS_RANDOM_MESSAGE_H
#define HERALD_TESTS_RANDOM_MESSAGE_H

#include "herald/schema.h"

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

/** A message of any type with random fields, from a seed that is carried on. Free with free_unpacked(message, NULL). */
ProtobufCMessage *random_message(const struct herald_message_schema *schema, uint64_t *seed);
/** Next random number. */
uint64_t random_next(uint64_t *seed);

#endif
