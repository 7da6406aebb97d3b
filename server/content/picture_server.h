#ifndef HERALD_CONTENT_PICTURE_SERVER_H
#define HERALD_CONTENT_PICTURE_SERVER_H

/*
 * Serves finished pictures on threads of its own: GET and HEAD of /content/<key>/<style>.png and .jpg, of
 * <style>.<shape>.jpg (server/outgoing/picture_url.h), and nothing else. A shape is made when it is asked for first; 503
 * says that it cannot be made just now. Slow connections make way for others (visitors.h). In place of the key stands the id of the job for pictures made before keys.
 */

#include "herald/error.h"

#include <stdbool.h>

#define PICTURE_CONNECTIONS 1024u /* at once; then the longest silent makes way */

struct picture_server;

/**
 * Starts the server; it listens when this returns.
 *
 * @url       "http://host:port": the address to listen on, and the base URL of the pictures. Port 0: any
 * @insecure  whether it may listen beyond loopback
 * Returns:   HERALD_OK | HERALD_INVALID_ARGUMENT (BAD_URL) | HERALD_PERMISSION_DENIED (INSECURE_LISTENER)
 *            | HERALD_UNAVAILABLE (CANNOT_LISTEN: says why) | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code picture_server_start(const char *url, const char *dir, bool insecure,
                                      struct picture_server **ret_server, struct herald_error *reterr);
/** Checks what picture_server_start() would refuse of its address; listens on nothing. Returns: as it.
 *  Context: blocks while the host's name is looked up */
enum herald_code picture_server_check_url(const char *url, bool insecure, struct herald_error *reterr);
/** Stops the server and ends all answers in progress. NULL is allowed. */
void picture_server_stop(struct picture_server *server);
/**
 * Asks the server for a page, over its own listener, as anybody would: for health.
 *
 * Returns: 0: it answers | an errno, ETIMEDOUT after 3 s: as http_knock()
 * Context: blocks; any thread but those of the server
 */
int picture_server_check(const struct picture_server *server);
/** "http://host:port" with the real port. */
const char *picture_server_url(const struct picture_server *server);

#endif
