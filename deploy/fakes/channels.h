#ifndef HERALD_FAKES_CHANNELS_H
#define HERALD_FAKES_CHANNELS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The state of the fake channels: how each behaves now, what it has accepted and what it has refused. Any thread; every
 * function takes the one lock for moments only and never waits.
 */
enum fake_channel {
    FAKE_WOORIDONGNE_TV,
    FAKE_RINGO_BIZ,
    FAKE_GENIE_TV,
    FAKE_INSTAGRAM,
    FAKE_NAVER_BLOG,
    FAKE_KAKAO_CHANNEL,
    FAKE_CHANNEL_COUNT
};

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
    uint32_t count;         /* posts that it is for, then FAKE_OK again; 0: all */
};

struct fake_channels;

/** Returns NULL only without memory. */
struct fake_channels *fake_channels_new(void);
void fake_channels_free(struct fake_channels *channels);

/** "INSTAGRAM" … Static. */
const char *fake_channel_name(enum fake_channel channel);
/** Returns: false for a name that is none. */
bool fake_channel_find(const char *name, enum fake_channel *ret_channel);
/** "ok" … Static. */
const char *fake_mode_name(enum fake_mode mode);
bool fake_mode_find(const char *name, enum fake_mode *ret_mode);

/** Reads a behaviour from JSON; what is not said keeps its default. Returns: NULL, or what is wrong (static). */
const char *fake_behaviour_read(const json_t *json, struct fake_behaviour *ret_behaviour);
/** The behaviour as JSON, as it is read. */
json_t *fake_behaviour_write(const struct fake_behaviour *behaviour);

void fake_channels_set(struct fake_channels *channels, enum fake_channel channel, struct fake_behaviour behaviour);
/** The behaviour for one post; uses up one of its count. delay_ms is the time to take, never 0. */
struct fake_behaviour fake_channels_take(struct fake_channels *channels, enum fake_channel channel);
/** All behaviours: {"INSTAGRAM": {"mode": …}, …}. */
json_t *fake_channels_show(struct fake_channels *channels);

/** What came in; copied. */
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
/** The answer to an accepted post begins to go out. */
void fake_channels_answered(struct fake_channels *channels, uint64_t line, int64_t answered_ms);
/** Notes a post that was not accepted. */
void fake_channels_refuse(struct fake_channels *channels, const struct fake_post *post, unsigned status,
                          const char *why);
/** A post has arrived that may yet be accepted; ends with fake_channels_end(), whatever became of it. */
void fake_channels_begin(struct fake_channels *channels, const struct fake_post *post);
void fake_channels_end(struct fake_channels *channels, const struct fake_post *post);

enum fake_look_up { FAKE_ACCEPTED, FAKE_UNDECIDED, FAKE_NEVER };
/** What became of the post with a key. @ret_remote_id  64 bytes, set when it was accepted. */
enum fake_look_up fake_channels_look_up(struct fake_channels *channels, enum fake_channel channel, const char *key,
                                        char *ret_remote_id);

/** One JSON line for each accepted post, duplicates included, in order; free(). NULL without memory. */
char *fake_channels_log(struct fake_channels *channels);
/** One JSON line for each post that was not accepted; free(). NULL without memory. */
char *fake_channels_refused(struct fake_channels *channels);
/** Empties both lists. The keys of accepted posts are not forgotten, nor would a channel; the behaviours stay. */
void fake_channels_clear(struct fake_channels *channels);

#endif
