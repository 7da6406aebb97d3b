#ifndef HERALD_FAKES_BEHAVIOUR_H
#define HERALD_FAKES_BEHAVIOUR_H

/* What a fake channel is told to do with the requests that come, and its form in JSON. Plain values; no state. */
#include "deploy/fakes/latency.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The channels, by their names in the schema: X(name, usual time in milliseconds). The times differ, so that the log
 * shows that posts overlap. */
#define FAKE_CHANNELS(X)                                                                                               \
    X(WOORIDONGNE_TV, 180)                                                                                             \
    X(RINGO_BIZ, 150)                                                                                                  \
    X(GENIE_TV, 240)                                                                                                   \
    X(INSTAGRAM, 400)                                                                                                  \
    X(NAVER_BLOG, 330)                                                                                                 \
    X(KAKAO_CHANNEL, 210)

#define FAKE_CHANNEL_VALUE(name, usual_ms) FAKE_##name,
enum fake_channel { FAKE_CHANNELS(FAKE_CHANNEL_VALUE) FAKE_CHANNEL_COUNT };

/* The kinds of request to a channel: X(name, name in JSON). */
#define FAKE_STEPS(X)                                                                                                  \
    X(POST, "post")                   /* a webhook */                                                                  \
    X(MEDIA, "media")                 /* Instagram: makes a container */                                               \
    X(STATUS, "status")               /* Instagram: looks at a container */                                            \
    X(MEDIA_PUBLISH, "media_publish") /* Instagram */                                                                  \
    X(LIMIT, "limit")                 /* Instagram: content_publishing_limit */                                        \
    X(PERMALINK, "permalink")         /* Instagram: looks at what is published */                                      \
    X(REFRESH, "refresh")             /* Instagram: refresh_access_token */                                            \
    X(SEND, "send")                   /* Kakao */                                                                      \
    X(LOOK_UP, "look_up")             /* Kakao */                                                                      \
    X(PAGE, "page")                   /* Naver: the page that the operator made */

#define FAKE_STEP_VALUE(name, text) FAKE_STEP_##name,
enum fake_step { FAKE_STEPS(FAKE_STEP_VALUE) FAKE_STEP_COUNT };
#define FAKE_ANY_STEP FAKE_STEP_COUNT

enum fake_mode {
    /* accepted and answered */
    FAKE_OK,         /* after the usual time, or the one that is set */
    FAKE_SLOW,       /* after 5 s, or the time that is set */
    FAKE_LATE,       /* accepted at once, answered after the time */
    FAKE_DRIP,       /* the body comes byte by byte */
    FAKE_HUGE,       /* the body is very long */
    FAKE_NOT_JSON,   /* the body is a page */
    FAKE_NUMERIC_ID, /* the id is a number */
    FAKE_NO_ID,      /* the id is missing */
    /* accepted, and no whole answer */
    FAKE_HANG,        /* never answered */
    FAKE_RESET_AFTER, /* the connection is reset */
    FAKE_CUT,         /* the body is shorter than its content-length */
    FAKE_BAD_CHUNK,   /* a chunk has no size */
    /* not accepted */
    FAKE_FAIL,   /* answers with status and error */
    FAKE_REJECT, /* refuses the content for good */
    FAKE_DROP,   /* closes the connection */
    FAKE_RESET,  /* resets the connection */
    FAKE_STALL,  /* never answered */
    /* of some channels only */
    FAKE_WRONG_CLOCK,       /* not accepted: the timestamp is said to be too far away */
    FAKE_TOKEN_EXPIRED,     /* not accepted */
    FAKE_QUOTA_FULL,        /* not accepted; the limit shows no room */
    FAKE_QUIET_HOURS,       /* not accepted */
    FAKE_CONTAINER_SLOW,    /* the container takes a minute, or containerMs */
    FAKE_CONTAINER_ERROR,   /* the container ends as ERROR */
    FAKE_CONTAINER_EXPIRED, /* the container ends as EXPIRED */
    FAKE_MODE_COUNT
};

/** An error that a channel is told to answer with. */
struct fake_error {
    unsigned status; /* 0: the one that goes with the code, else 503 */
    char code[24];   /* "": the usual one; a number is kept as its text */
    int64_t subcode; /* 0: none */
    char message[128];
};

struct fake_behaviour {
    enum fake_mode mode;
    enum fake_step step; /* FAKE_ANY_STEP: all of them */
    struct fake_latency latency;
    struct fake_error error; /* of FAKE_FAIL */
    uint32_t retry_after_s;  /* 0: the header is not sent */
    bool retry_after_date;   /* the header is a date, not seconds */
    uint32_t count;          /* number of requests it applies to, then FAKE_OK again; 0: all */
    double share;            /* part of the requests it applies to, 0..1; 0: all. The others are accepted */
    uint32_t container_ms;   /* how long a container takes; 0: the usual time */
    uint32_t drip_ms;        /* time from byte to byte; 0: 200 */
    uint32_t huge_bytes;     /* length of a huge body; 0: 64 MiB */
};

/** Name of a channel, "INSTAGRAM". Static. */
const char *fake_channel_name(enum fake_channel channel);
/** Finds a channel by name. Returns: false: there is none */
bool fake_channel_find(const char *name, enum fake_channel *ret_channel);
/** Name of a step, "media_publish". Static. */
const char *fake_step_name(enum fake_step step);
/** Name of a mode, "ok". Static. */
const char *fake_mode_name(enum fake_mode mode);
bool fake_mode_find(const char *name, enum fake_mode *ret_mode);
/** Whether requests of a step can come to a channel. All channels can have FAKE_STEP_POST. */
bool fake_channel_has_step(enum fake_channel channel, enum fake_step step);
/** Whether a mode means anything for a step: FAKE_QUOTA_FULL does not for FAKE_STEP_SEND. */
bool fake_mode_fits(enum fake_mode mode, enum fake_step step);

/**
 * Reads the behaviour of a channel from JSON; missing members get their defaults.
 *
 * Returns: NULL, or what is wrong (static), with the member's name
 */
const char *fake_behaviour_read(const json_t *json, enum fake_channel channel, struct fake_behaviour *ret_behaviour);
/** The behaviour as JSON, in the form that fake_behaviour_read() reads. @usual_ms  shown for FAKE_LATENCY_USUAL */
json_t *fake_behaviour_write(const struct fake_behaviour *behaviour, uint32_t usual_ms);

#endif
