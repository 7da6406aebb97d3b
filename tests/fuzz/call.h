#ifndef HERALD_TESTS_FUZZ_CALL_H
#define HERALD_TESTS_FUZZ_CALL_H

#include "tests/fuzz/fuzz.h"

/*
 * What a server reads: an envelope or a probe in plain text, with all services served, up to the point where the
 * handler would run. What is refused gets its reply made, which a client must be able to read.
 */

/** Makes the server. */
void fuzz_call_init(void);
/** Reads a message as the server does, and checks what comes of it. */
void fuzz_call(const uint8_t *data, size_t bytes);

#endif
