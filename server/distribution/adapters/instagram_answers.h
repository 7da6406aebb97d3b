#ifndef HERALD_DISTRIBUTION_ADAPTERS_INSTAGRAM_ANSWERS_H
#define HERALD_DISTRIBUTION_ADAPTERS_INSTAGRAM_ANSWERS_H

/*
 * What the answers of Instagram's Graph API say. Pure: any thread. A body that is cut, too deep, not JSON or of other
 * types than documented reads as one that says nothing.
 */
#include "server/distribution/adapter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Code of a body that names none, in the tables. */
#define GRAPH_NO_CODE (-999998)

/** The "error" of a body. */
struct graph_error {
    int code;          /* GRAPH_NO_CODE: not said */
    int subcode;       /* ANY_CODE: not said, or 0 */
    bool is_transient; /* the channel says so */
    char trace[48];    /* fbtrace_id, with which Meta's support finds the request; "": not said */
    char message[128]; /* UTF-8 without control characters, cut at a character; "": not said */
};
void graph_error_read(const char *body, size_t bytes, struct graph_error *ret_error);

/** What a request is for: what a refusal means depends on it. */
enum graph_step {
    GRAPH_ASK,     /* reads, or makes a container: nothing that the public sees */
    GRAPH_LOOK,    /* reads a container's status */
    GRAPH_PUBLISH, /* publishes: what may have been accepted is MEANS_UNKNOWN */
};
/**
 * The rule for an answer of a step. A refusal that the channel calls transient is none for good.
 *
 * Returns: static; of GRAPH_PUBLISH a 2xx means ACCEPTED, of the others it is not to be asked for
 */
const struct answer_rule *graph_classify(enum graph_step step, int status, const struct graph_error *error);

/** status_code of a container. */
enum graph_status {
    GRAPH_STATUS_UNREADABLE, /* or a word that is not documented */
    GRAPH_STATUS_IN_PROGRESS,
    GRAPH_STATUS_FINISHED,  /* may be published */
    GRAPH_STATUS_PUBLISHED, /* is published */
    GRAPH_STATUS_ERROR,     /* failed; never published */
    GRAPH_STATUS_EXPIRED,   /* was not published within 24 hours */
};
/**
 * Reads a container.
 *
 * @ret_subcode  the error's subcode, which the member "status" of a failed container ends in; ANY_CODE: not said
 */
enum graph_status graph_status_read(const char *body, size_t bytes, int *ret_subcode);
/** What a failed container means: REJECT where another one would fail too, else RENEW. Static. */
const struct answer_rule *graph_failed_container(int subcode);

/** content_publishing_limit. */
struct graph_quota {
    uint32_t used, total;
    uint32_t duration_s; /* within which the posts count */
};
/** Returns: false: the body has no usage or no total; @ret_quota is unchanged */
bool graph_quota_read(const char *body, size_t bytes, struct graph_quota *ret_quota);
/**
 * How long to wait when the quota is full: the mean distance of posts that use it up, 1 minute to 1 hour, and up to half
 * of it more.
 *
 * @duration_s  0: a day
 * @random      uniform
 */
uint64_t graph_quota_wait_ms(uint32_t total, uint32_t duration_s, uint64_t random);

/**
 * Reads how long calls are refused, from the header x-business-use-case-usage.
 *
 * @usage   NULL: the header is not there
 * Returns: the longest estimated_time_to_regain_access, in seconds, at most a day; 0: not said
 */
uint32_t graph_regain_s(const char *usage);

/** Reads a body that has renewed a token. @ret_token  of @room bytes. Returns: seconds that it lasts; 0: there is none */
uint64_t graph_token_read(const char *body, size_t bytes, char *ret_token, size_t room);
/** Whether a token can stand in a header: visible ASCII, 1 to CHANNEL_TOKEN_BYTES - 1 bytes. */
bool graph_token_valid(const char *token);
/** When a token is to be renewed: once it is a day old and at most 20 days are left. Wall clocks. */
int64_t graph_token_renew_at_us(int64_t obtained_at_us, int64_t expires_at_us);
/** Whether an id can stand in a path: digits, 1 to 64. */
bool graph_id_valid(const char *id);

#endif
