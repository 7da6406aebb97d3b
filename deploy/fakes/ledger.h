#ifndef HERALD_FAKES_LEDGER_H
#define HERALD_FAKES_LEDGER_H

/*
 * What the fake channels have accepted and refused, and by which keys: what a test counts. A post is kept as the text
 * of its line, so that 100,000 posts cost about 25 MB and a line costs nothing to show. One thread uses a ledger.
 */
#include "deploy/fakes/behaviour.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_REMOTE_ID_BYTES 64

struct fake_ledger;

/** A post that has arrived. The functions copy it. */
struct fake_post {
    enum fake_channel channel;
    const char *event_id;        /* "" when the request names none */
    const char *idempotency_key; /* "" when the request has none */
    int64_t received_ms;
};

/** Returns: NULL: no memory */
struct fake_ledger *fake_ledger_new(void);
void fake_ledger_free(struct fake_ledger *ledger);

/** Writes the id of a post on a webhook's channel: "instagram-3f9a…", the same for the same key, after a restart too. */
void fake_ledger_remote_id(enum fake_channel channel, const char *key, char ret_remote_id[FAKE_REMOTE_ID_BYTES]);
/**
 * Notes an accepted post, and whether its key was accepted before.
 *
 * @remote_id  kept with the key
 * @more       NULL: none; members that the line has besides; the reference is not taken
 * @ret_line   number of the log line, for fake_ledger_answered()
 * Returns: whether it is a duplicate
 */
bool fake_ledger_accept(struct fake_ledger *ledger, const struct fake_post *post, const char *remote_id, json_t *more,
                        uint64_t *ret_line);
/** Notes when the answer to an accepted post begins to be sent. */
void fake_ledger_answered(struct fake_ledger *ledger, uint64_t line, int64_t answered_ms);
/** Notes a post that was not accepted. @status  0: there was no answer */
void fake_ledger_refuse(struct fake_ledger *ledger, const struct fake_post *post, unsigned status, const char *why);
/** Notes a post that has arrived and may still be accepted. fake_ledger_end() follows in every case. */
void fake_ledger_begin(struct fake_ledger *ledger, enum fake_channel channel, const char *key);
void fake_ledger_end(struct fake_ledger *ledger, enum fake_channel channel, const char *key);

enum fake_look_up { FAKE_ACCEPTED, FAKE_UNDECIDED, FAKE_NEVER };
/** Looks up the post with a key. @ret_remote_id  set if the post was accepted; the ledger's, until it is freed */
enum fake_look_up fake_ledger_look_up(struct fake_ledger *ledger, enum fake_channel channel, const char *key,
                                      const char **ret_remote_id);

/** Posts of a channel that were accepted since the start, duplicates included. */
uint64_t fake_ledger_accepted(const struct fake_ledger *ledger, enum fake_channel channel);
/** One JSON line for each accepted post, duplicates included, in order; free(). NULL without memory. */
char *fake_ledger_log(const struct fake_ledger *ledger);
/** One JSON line for each post that was not accepted; free(). NULL without memory. */
char *fake_ledger_refused(const struct fake_ledger *ledger);
/** Empties both lists. The keys of accepted posts stay, as on a real channel. */
void fake_ledger_clear(struct fake_ledger *ledger);

#endif
