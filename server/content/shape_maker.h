#ifndef HERALD_CONTENT_SHAPE_MAKER_H
#define HERALD_CONTENT_SHAPE_MAKER_H

/*
 * Makes pictures in the shapes of channels when somebody asks for them first, on one thread of its own: the work on them
 * takes one processor at most, and two requests for a file never make it at the same time.
 */

#include "server/content/picture_store.h"
#include "server/outgoing/picture_url.h"

#include <stdbool.h>

/** Requests that wait at most; further ones are refused. */
#define SHAPE_MAKER_WAITING_MAX 64

/** A request, owned by the caller; it must live until on_shape was called. */
struct shape_request {
    char key[64];      /* folder of the picture (picture_store.h) */
    const char *style; /* "simple"; static */
    enum picture_shape shape;
    bool made; /* set before on_shape is called: the file is there */
    /* Called once, on the maker's thread, when the request is done, failed, or the maker stops. */
    void (*on_shape)(struct shape_request *request);
    struct shape_request *next; /* the maker's */
};

struct shape_maker;

/** Starts the thread. @dir  of picture_store.h; copied. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY) */
enum herald_code shape_maker_start(const char *dir, struct shape_maker **ret_maker, struct herald_error *reterr);
/** Takes a request. Returns: false, and on_shape is not called: too many wait, or the maker stops. Any thread. */
bool shape_maker_ask(struct shape_maker *maker, struct shape_request *request);
/** Ends the request at work, fails those that wait, and refuses new ones. Not on the maker's thread. */
void shape_maker_stop(struct shape_maker *maker);
/** Frees a stopped maker; nobody may ask any more. NULL is allowed. */
void shape_maker_free(struct shape_maker *maker);
/** Writes the file's name, "simple.wide.jpg". @ret_file  at least 32 bytes */
void shape_file_name(const char *style, enum picture_shape shape, char *ret_file);

#endif
