#ifndef HERALD_DISTRIBUTION_CONTENT_CHECK_H
#define HERALD_DISTRIBUTION_CONTENT_CHECK_H

/* Whether a channel takes a content, before anything is sent. Pure; any thread. */

#include "herald/reason.h"
#include "server/distribution/text/content_limits.h"

#define CONTENT_PROBLEMS_MAX 16

/** One thing that keeps a content from its channel. */
struct content_problem {
    char field[64];            /* path in the request's JSON names: "content.text", "content.buttons[1].name" */
    enum herald_reason reason; /* TOO_LONG, TOO_MANY or REQUIRED */
    char korean[256];          /* sentences for the owner: the channel, what is wrong by how much, what to do */
    char english[256];
};

/** All of them; those beyond the limit are left out. */
struct content_problems {
    struct content_problem list[CONTENT_PROBLEMS_MAX];
    size_t count;
};

/** What is to be sent; texts in their one form (server/text/post_text.h). */
struct content {
    const char *title;          /* NULL: the channel has no title of its own */
    const char *text;           /* as it is sent, composed */
    const char *const *buttons; /* names */
    size_t button_count;
    bool has_picture;
    size_t payload_bytes; /* of the whole message; 0: not made yet */
};

/**
 * Adds all problems of @content to @problems.
 *
 * @problems  of earlier checks, or zeroed
 * Returns:   whether there are none
 */
bool content_check(const struct content_limits *limits, const struct content *content,
                   struct content_problems *problems);
/** "2,431" for 2431. @ret_text  at least 28 bytes. Returns: @ret_text */
const char *content_number(size_t number, char *ret_text);

#endif
