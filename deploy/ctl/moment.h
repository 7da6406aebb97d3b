#ifndef HERALD_CTL_MOMENT_H
#define HERALD_CTL_MOMENT_H

#include "google/protobuf/timestamp.pb-c.h"

#include <stddef.h>
#include <stdint.h>

#define MOMENT_BYTES 64

/** A moment in microseconds since 1970; 0 for NULL. */
int64_t moment_us(const Google__Protobuf__Timestamp *moment);
/** The local time: "14:03:02", with the date unless it is that of @now_us. NULL: "". */
void moment_clock(const Google__Protobuf__Timestamp *moment, int64_t now_us, char ret_text[MOMENT_BYTES]);
/** The same and how far away it is: "14:03:02 (in 4 s)", "14:03:02 (now)". NULL: "". */
void moment_text(const Google__Protobuf__Timestamp *moment, int64_t now_us, char ret_text[MOMENT_BYTES]);

#endif
