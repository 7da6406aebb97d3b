#ifndef HERALD_CONTENT_CONTENT_WATCH_H
#define HERALD_CONTENT_CONTENT_WATCH_H

/*
 * Looks every few seconds at what a content worker needs, so that an idle worker notices too: the job server and its
 * database, the picture store and the fonts, and the server of pictures, as anybody would find it. While jobs are in work,
 * what they meet is not outvoted: the watch then tells only what has changed since its last look.
 */

#include "herald/client.h"
#include "server/content/content_health.h"
#include "server/content/picture_server.h"
#include "server/runtime/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct content_watch;

struct content_watch_options {
    struct loop *loop;
    const struct content_health *health; /* this and the next three outlive the watch */
    struct herald_channel *jobs;
    const char *dir;                       /* of the picture store */
    const struct picture_server *pictures; /* NULL: not watched */
    uint32_t interval_ms;                  /* from the end of a look to the next; the first one begins at once */
    bool (*is_idle)(void *user);           /* whether no job is in work. On the loop's thread. NULL: always */
    void *user;
};

/**
 * Starts the background task. Loop's thread. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, NO_STACK)
 */
enum herald_code content_watch_start(const struct content_watch_options *options, struct content_watch **ret_watch,
                                     struct herald_error *reterr);
/** Cancels the task, which frees the watch when it ends, after 3 s at most. NULL is allowed. Loop's thread. */
void content_watch_stop(struct content_watch *watch);

#endif
