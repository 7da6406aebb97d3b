#ifndef HERALD_FAKES_CHANNELS_H
#define HERALD_FAKES_CHANNELS_H

/*
 * The state of the fake channels: the behaviour of each, the posts that it has accepted, and those that it has refused.
 * Any thread may call all functions. Each holds the one lock briefly and never waits for anything else.
 */
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

enum fake_mode {
    FAKE_OK,     /* accepts after the channel's usual time */
    FAKE_SLOW,   /* accepts after delay_ms */
    FAKE_FAIL,   /* answers with status, has not accepted */
    FAKE_HANG,   /* accepts and never answers */
    FAKE_REJECT, /* answers 422, has not accepted */
    FAKE_DROP,   /* closes the connection, has not accepted */
    FAKE_MODE_COUNT
};

struct fake_behaviour {
    enum fake_mode mode;
    uint32_t delay_ms;      /* 0: the channel's usual time; FAKE_SLOW: 5 s */
    unsigned status;        /* of FAKE_FAIL */
    uint32_t retry_after_s; /* 0: the header is not sent */
    uint32_t count;         /* number of posts it applies to, then FAKE_OK again; 0: all */
};

struct fake_channels;

/** Makes channels that all behave FAKE_OK. Returns: NULL: no memory */
struct fake_channels *fake_channels_new(void);
void fake_channels_free(struct fake_channels *channels);

/** Name of a channel, "INSTAGRAM". Static. */
const char *fake_channel_name(enum fake_channel channel);
/** Finds a channel by name. Returns: false: there is none */
bool fake_channel_find(const char *name, enum fake_channel *ret_channel);
/** Name of a mode, "ok". Static. */
const char *fake_mode_name(enum fake_mode mode);
bool fake_mode_find(const char *name, enum fake_mode *ret_mode);

/** Reads a behaviour from JSON; missing members get their defaults. Returns: NULL, or what is wrong (static) */
const char *fake_behaviour_read(const json_t *json, struct fake_behaviour *ret_behaviour);
/** The behaviour as JSON, in the form that fake_behaviour_read() reads. */
json_t *fake_behaviour_write(const struct fake_behaviour *behaviour);

void fake_channels_set(struct fake_channels *channels, enum fake_channel channel, struct fake_behaviour behaviour);
/** The behaviour for one post, counted down by one. delay_ms is the time that the post takes, never 0. */
struct fake_behaviour fake_channels_take(struct fake_channels *channels, enum fake_channel channel);
/** All behaviours: {"INSTAGRAM": {"mode": …}, …}. */
json_t *fake_channels_show(struct fake_channels *channels);

/** A post that has arrived. The functions copy it. */
struct fake_post {
    enum fake_channel channel;
    const char *event_id;        /* "" when the body has none */
    const char *idempotency_key; /* "" when the header is missing */
    int64_t received_ms;
};
/**
 * Accepts a post, or finds that its key was accepted before.
 *
 * @ret_remote_id  at least 64 bytes: id of the post on the channel; the same for the same key
 * @ret_line       number of the log line, for fake_channels_answered()
 * Returns: whether it is a duplicate
 */
bool fake_channels_accept(struct fake_channels *channels, const struct fake_post *post, char *ret_remote_id,
                          uint64_t *ret_line);
/** Records when the answer to an accepted post begins to be sent. */
void fake_channels_answered(struct fake_channels *channels, uint64_t line, int64_t answered_ms);
/** Records a post that was not accepted. */
void fake_channels_refuse(struct fake_channels *channels, const struct fake_post *post, unsigned status,
                          const char *why);
/** Records a post that has arrived and may still be accepted. fake_channels_end() follows in every case. */
void fake_channels_begin(struct fake_channels *channels, const struct fake_post *post);
void fake_channels_end(struct fake_channels *channels, const struct fake_post *post);

enum fake_look_up { FAKE_ACCEPTED, FAKE_UNDECIDED, FAKE_NEVER };
/** Looks up the post with a key. @ret_remote_id  64 bytes; set if the post was accepted */
enum fake_look_up fake_channels_look_up(struct fake_channels *channels, enum fake_channel channel, const char *key,
                                        char *ret_remote_id);

/** One JSON line for each accepted post, duplicates included, in order; free(). NULL without memory. */
char *fake_channels_log(struct fake_channels *channels);
/** One JSON line for each post that was not accepted; free(). NULL without memory. */
char *fake_channels_refused(struct fake_channels *channels);
/** Empties both lists. The keys of accepted posts stay, as on a real channel, and so do the behaviours. */
void fake_channels_clear(struct fake_channels *channels);

#endif
