#ifndef HERALD_FAKES_INSTAGRAM_H
#define HERALD_FAKES_INSTAGRAM_H

/* Instagram's Graph API, the part that publishes one picture: routes in instagram.c, what it remembers in
 * instagram_state.c, its errors in instagram_errors.c. */
#include "deploy/fakes/fakes_private.h"

#include <uthash.h>

/* Containers expire after it. The quota counts posts within it. */
#define INSTAGRAM_DAY_MS 86400000

enum container_status {
    CONTAINER_IN_PROGRESS,
    CONTAINER_FINISHED,
    CONTAINER_ERROR,
    CONTAINER_EXPIRED,
    CONTAINER_PUBLISHED
};

/** A container, and once published the media. */
struct container {
    UT_hash_handle hh;
    UT_hash_handle hh_media;
    char id[24], media_id[24]; /* media_id "": not published */
    char account[FAKES_KEY_BYTES];
    char *image_url, *caption, *alt_text; /* alt_text, caption NULL: none */
    int64_t made_ms, ready_ms;
    enum container_status ends; /* FINISHED, ERROR or EXPIRED, once it is ready */
};

/** A picture that is to become a container. */
struct picture {
    char *image_url, *caption, *alt_text; /* image_url NULL: missing; the others too */
};
void picture_fini(struct picture *picture);

/** Makes the state. Returns: NULL: no memory */
struct instagram *instagram_new(const struct fakes_options *options);
void instagram_free(struct instagram *instagram);

/** Makes a container. @picture  its texts are taken. Returns: NULL: no memory */
struct container *instagram_make(struct instagram *instagram, const char *account, struct picture *picture,
                                 const struct fake_behaviour *behaviour);
struct container *instagram_find(struct instagram *instagram, const char *id);
struct container *instagram_find_media(struct instagram *instagram, const char *media_id);
enum container_status container_status(const struct container *container);
/** Name of a status, "IN_PROGRESS". Static. */
const char *container_status_name(enum container_status status);
/** Publishes a container, which counts in the quota of its account. */
void instagram_publish(struct instagram *instagram, struct container *container);
/** Posts of an account within a day, and how many may be. */
uint32_t instagram_usage(struct instagram *instagram, const char *account_id);
uint32_t instagram_quota(const struct instagram *instagram);
/** Whether a token is the configured one, or was made from it by this process or another. NULL is none. */
bool instagram_knows(const struct instagram *instagram, const char *token);
/** Makes a token, valid besides the old ones. Static text of the state, until the next call; NULL: libcrypto failed. */
const char *instagram_new_token(struct instagram *instagram);

/** All containers, one JSON line each; free(). NULL without memory. */
char *instagram_list(struct instagram *instagram);
/** Reads {"quotaTotal": …, "quotaUsage": …, "containerMs": …}, each optional. Returns: NULL, or what is wrong (static) */
const char *instagram_set(struct instagram *instagram, const json_t *json);
/** Reads {"status": "FINISHED" | "ERROR" | "EXPIRED"}: the container is that from now on. */
const char *instagram_set_container(struct instagram *instagram, const char *id, const json_t *json);

/** The error of a code and subcode as Meta documents it; unknown ones get a general text. */
struct fake_error instagram_error(int code, int64_t subcode);
/** The body of an error. */
json_t *instagram_error_body(const struct fake_error *error);

/** Answers /graph/…. @path  after "/graph/" */
enum MHD_Result instagram_route(struct fakes_request *request, const char *method, const char *path);

#endif
