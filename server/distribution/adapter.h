#ifndef HERALD_DISTRIBUTION_ADAPTER_H
#define HERALD_DISTRIBUTION_ADAPTER_H

/*
 * What the engine asks of a channel's protocol. An adapter is one file under adapters/.
 *
 * A delivery goes through at most three steps, each of which the engine repeats or not by what the step's answer means:
 *
 *   prepare   all that the public does not see: containers, uploads. May be repeated.
 *   commit    the one call that publishes. Made once for each claim; a lost answer is UNKNOWN, never made again blindly.
 *   look_up   asks what became of a commit whose answer was lost. Only of a channel whose row says that it has one.
 *
 * An adapter keeps no state of a delivery. What the next step needs stands in the delivery's row, stored before that
 * step: step_id. It never waits for longer than the channel's time-out.
 */
#include "client/base/task_fn.h"
#include "herald/distribution/v1/distribution.pb-c.h"
#include "herald/error.h"
#include "server/distribution/channels.h"
#include "server/outgoing/http.h"

#include <stddef.h>
#include <stdint.h>

struct channel_state;
struct db;

/** What an answer of a channel means for the delivery. */
enum meaning {
    MEANS_UNSET = 0,
    MEANS_ACCEPTED,  /* the channel has the post */
    MEANS_HANDED,    /* commit: a person posts it now */
    MEANS_PREPARED,  /* prepare: go on to commit; step_id may have changed */
    MEANS_NOT_YET,   /* prepare: look again later; look_up: the channel has not decided */
    MEANS_NOT_THERE, /* look_up: the channel did not accept the post; it may be sent again */
    MEANS_RETRY,     /* not accepted, for the moment: sent again after a backoff */
    MEANS_THROTTLE,  /* not accepted: too many; the channel says when, or a backoff */
    MEANS_QUOTA,     /* not accepted: the quota of the period is used up */
    MEANS_QUIET,     /* not accepted: quiet hours */
    MEANS_RENEW,     /* not accepted, and what was prepared cannot be used: prepare anew, without step_id */
    MEANS_REAUTH,    /* the credential is refused: pauses the channel, heals when it is mended */
    MEANS_CLOCK,     /* this machine's clock is wrong: likewise */
    MEANS_DISABLED,  /* the channel has switched this sender off: pauses it */
    MEANS_REJECT,    /* refused for good */
    MEANS_UNKNOWN,   /* it may have been accepted */
    MEANS_OWN_WANT,  /* Herald's own want of memory or descriptors: nothing was sent, the channel is not to blame */
    MEANING_COUNT
};

/** One delivery, as an adapter sees it. */
struct adapter_delivery {
    const struct channel_row *row;
    const struct channel_setup *setup;
    struct channel_state *state; /* for what an adapter remembers of the channel itself: channel_state.h */
    struct http *http;           /* NULL in a preview */
    struct db *db;               /* likewise */
    const char *event_id;
    const char *owner;
    const Herald__Distribution__V1__Content *content;
    const char *key;     /* the post's key at the channel: the same for each attempt */
    const char *step_id; /* what was prepared; "" for nothing */
};

/** The result of one step. Strings live in the running call's arena or are static; never NULL after a step. */
struct channel_answer {
    enum meaning meaning;
    enum herald_reason reason; /* NONE for none */
    const char *message;       /* for operators: with status and codes of the channel */
    const char *remote_id, *step_id, *post_url;
    int64_t retry_at_us; /* when the channel wants to be asked again, wall clock; 0: not said */
};

/** A request that would be sent, without secrets. */
struct preview {
    Herald__Distribution__V1__GetDeliveryPreviewResponse *response; /* to fill; its parts in the call's arena */
};

/** A row of an adapter's table: the first that fits counts. */
struct answer_rule {
    int status_from, status_to; /* of HTTP; 0, 0: any */
    int code, subcode;          /* of the channel's own body; ANY_CODE: any */
    enum meaning meaning;
    enum herald_reason reason;
    const char *message;
};
#define ANY_CODE (-999999)

struct adapter {
    const char *name; /* "webhook" */
    /** Whether the settings suffice to reach the channel. */
    bool (*is_configured)(const struct channel_setup *setup);
    /**
     * Checks the content against the channel's limits and says what would be sent, without sending.
     *
     * Returns: HERALD_OK, @preview->response->problems lists what the channel would refuse
     *          | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL)
     */
    enum herald_code (*preview)(const struct adapter_delivery *delivery, struct preview *preview,
                                struct herald_error *reterr);
    /** Prepares; NULL: the channel needs no steps before the post. Context: suspends the task. */
    TASK_FN struct channel_answer (*prepare)(const struct adapter_delivery *delivery);
    /** Publishes. Context: suspends the task. */
    TASK_FN struct channel_answer (*commit)(const struct adapter_delivery *delivery);
    /** Asks what became of a commit; NULL: there is no way. Context: suspends the task. */
    TASK_FN struct channel_answer (*look_up)(const struct adapter_delivery *delivery);
    /** Whether an address that a person reports can be that of a post at the channel; NULL: each can. Any thread. */
    bool (*accepts_url)(const struct channel_setup *setup, const char *url);
    bool renews_token; /* the configured token ends; a renewed one is stored: channel_store_token_load() */
};

/** The meaning of a status, code and subcode by a table, whose last row fits everything. */
const struct answer_rule *answer_classify(const struct answer_rule *rules, int status, int code, int subcode);
/**
 * Makes an answer of a rule: its message with the status and codes, and when the channel wants to be asked again.
 *
 * @detail  the channel's own words, which answer_words() cleans and cuts; "" for none
 */
struct channel_answer answer_of_rule(const struct answer_rule *rule, const struct http_response *response, int code,
                                     int subcode, const char *detail);
/**
 * Makes an answer of a request that got none.
 *
 * @may_be_accepted  the request publishes: where it was sent, its outcome is UNKNOWN; else RETRY
 */
struct channel_answer answer_of_failure(enum herald_code code, const struct herald_error *error, bool may_be_accepted);
/** An answer with a reason and a message; the other strings empty. */
struct channel_answer answer_plain(enum meaning meaning, enum herald_reason reason, const char *message);
/**
 * Blames the clocks for a refused signature: an answer that MEANS_REAUTH becomes MEANS_CLOCK where the channel's Date is
 * more than a minute away from this machine's clock. Other answers stay.
 */
struct channel_answer answer_blame_clock(struct channel_answer answer, const struct http_response *response);
/**
 * The channel's own words, as messages have them: without what is not UTF-8, cleaned as one line of text, cut between two
 * characters at 200 bytes, in the running call's arena.
 *
 * @text     of the channel's body, of any bytes; NULL: it has none
 * Returns:  "" for none, and without memory
 */
const char *answer_words(const char *text);
/** Copies an id of the channel's body: a string, or an integer of any length with all its digits; cut at 256 bytes, control
 *  characters removed. "" where there is none. In the running call's arena. */
const char *answer_id(const char *body, size_t body_bytes, const char *member);

#endif
