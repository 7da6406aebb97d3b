#ifndef HERALD_TESTS_UNIT_TRANSPORT_STRANGER_H
#define HERALD_TESTS_UNIT_TRANSPORT_STRANGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A peer that speaks SP by hand, as far as it likes, over plain sockets: it may stop, lie or leave at any byte.
 * Source: the SP protocol's TCP and IPC mappings, as nng speaks them.
 */

#define STRANGER_GREETING_BYTES 8
#define STRANGER_HEAD_MAX       9

/** What a REQ peer says first. */
extern const uint8_t STRANGER_GREETING[STRANGER_GREETING_BYTES];

/** Connects to a tcp:// (a number as host) or ipc:// URL. -1: refused, as by a full backlog. */
int stranger_connect(const char *url);
/** Sends what the peer takes; it may be gone. */
void stranger_send(int fd, const void *data, size_t bytes);
/** Greets and reads the other's greeting; false when the other is gone or silent for 20 s. */
bool stranger_greet(int fd);
/** Makes a frame's head that announces @bytes; returns the head's size. */
size_t stranger_frame_head(const char *url, uint64_t bytes, uint8_t ret_head[STRANGER_HEAD_MAX]);
/** Sends the head of a frame of @claimed bytes, and the first @sent bytes of a request (its id, then zeros). */
void stranger_send_frame(int fd, const char *url, uint64_t claimed, size_t sent);
/** Waits up to @timeout_ms until the other has closed the connection; false when it has not. */
bool stranger_was_left(int fd, int timeout_ms);

enum stranger_leaving {
    STRANGER_CLOSES,           /* in order */
    STRANGER_RESETS,           /* by a reset, where there is such a thing */
    STRANGER_SHUTS_AND_RESETS, /* sends nothing more, then a reset: this is what kills a listener of nng 1.5 */
    STRANGER_LEAVINGS
};
void stranger_leave(int fd, enum stranger_leaving how);

#endif
