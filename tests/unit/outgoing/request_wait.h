#ifndef HERALD_TESTS_OUTGOING_REQUEST_WAIT_H
#define HERALD_TESTS_OUTGOING_REQUEST_WAIT_H

/* What HTTP peers of tests need to read a request. */
#include <stdbool.h>
#include <stddef.h>

/** Waits until @fd can be read. Returns: false: @stop_fd can be read first; the peer is to end. */
bool request_wait(int stop_fd, int fd);
/** @request  NUL-terminated, of @bytes. Returns: whether its head and its body have come. */
bool request_is_whole(const char *request, size_t bytes);

#endif
