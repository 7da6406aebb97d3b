#ifndef HERALD_CONTENT_PICTURE_SERVER_H
#define HERALD_CONTENT_PICTURE_SERVER_H

#include "herald/error.h"

#include <stdbool.h>

/*
 * Serves finished pictures: GET and HEAD of /content/<job id>/<style>.png and .jpg, and nothing else, on threads of
 * its own.
 */
struct picture_server;

/**
 * @url       "http://host:port", where the pictures are found; it listens there. Port 0: any
 * @insecure  whether it may listen beyond loopback
 * Returns:   HERALD_OK | HERALD_INVALID_ARGUMENT (bad URL) | HERALD_PERMISSION_DENIED (beyond loopback)
 *            | HERALD_UNAVAILABLE (cannot listen; says why)
 */
enum herald_code picture_server_start(const char *url, const char *dir, bool insecure,
                                      struct picture_server **ret_server, struct herald_error *reterr);
/** Ends all answers under way. NULL is allowed. */
void picture_server_stop(struct picture_server *server);
/** "http://host:port" with the real port. */
const char *picture_server_url(const struct picture_server *server);

#endif
