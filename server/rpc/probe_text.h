#ifndef HERALD_RPC_PROBE_TEXT_H
#define HERALD_RPC_PROBE_TEXT_H

/* Tells probes and other text from envelopes. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The forms of a probe, for error messages. */
#define PROBE_USAGE                                                                                                    \
    "write METHOD [JSON], {\"method\": …, \"request\": {…}}, help, or describe NAME, the words after \"bearer "        \
    "TOKEN\" where "                                                                                                   \
    "a credential is needed"

/** True when a message is a probe: its first byte is a lower-case letter or '{'. No envelope starts like that. */
bool probe_is(const uint8_t *data, size_t bytes);
/** True when the message is not empty and all of it is printable UTF-8: no control characters but white space, and DEL
 *  and U+0080 to U+009F in strings of JSON. */
bool probe_is_text(const uint8_t *data, size_t bytes);

#endif
