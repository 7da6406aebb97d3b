#ifndef HERALD_DISTRIBUTION_CHANNEL_STORE_H
#define HERALD_DISTRIBUTION_CHANNEL_STORE_H

/* What is stored about channels, for all processes: pauses, forced breakers, renewed tokens. */
#include "server/distribution/channel_state.h"
#include "server/store/postgres/db.h"

/**
 * Reads what is stored about all channels.
 *
 * @ret_controls  CHANNEL_COUNT of them, in the order of channel_rows; notes live in the running call's arena
 * Returns:       HERALD_OK | as db_run()
 */
TASK_FN enum herald_code channel_store_load(struct db *db, struct channel_control *ret_controls,
                                            struct herald_error *reterr);
/**
 * Stores what an operator does.
 *
 * @pause, @breaker  numbers of ChannelPause and ChannelAction; -1: as it is
 * @resets           whether each process empties its breaker
 * Returns:          HERALD_OK | as db_run()
 */
TASK_FN enum herald_code channel_store_control(struct db *db, const struct channel_row *row, int pause, int breaker,
                                               const char *note, bool resets, struct herald_error *reterr);
/**
 * Pauses a channel for a cause.
 *
 * @is_probe  a probe met the cause: of a channel that is paused it puts off the next probe
 * Returns:   HERALD_OK | as db_run()
 */
TASK_FN enum herald_code channel_store_pause(struct db *db, const struct channel_row *row, int pause, const char *note,
                                             bool is_probe, struct herald_error *reterr);
/**
 * Takes the turn to try whether a pause's cause is gone.
 *
 * @ret_taken  false: another process has it, it is too early, or no delivery waits for the channel
 * Returns:    HERALD_OK | as db_run()
 */
TASK_FN enum herald_code channel_store_probe(struct db *db, const struct channel_row *row, bool *ret_taken,
                                             struct herald_error *reterr);
/** Ends a pause for a cause; what waits for it is due. Returns: HERALD_OK | as db_run() */
TASK_FN enum herald_code channel_store_heal(struct db *db, const struct channel_row *row, struct herald_error *reterr);
/** Makes due what waits for a channel that was paused or whose breaker was open. Returns: HERALD_OK | as db_run() */
TASK_FN enum herald_code channel_store_wake(struct db *db, const struct channel_row *row, struct herald_error *reterr);

struct channel_backlog {
    uint64_t waiting, unknown;
};
/** Counts deliveries. @ret_backlogs  CHANNEL_COUNT of them. Returns: HERALD_OK | as db_run() */
TASK_FN enum herald_code channel_store_backlog(struct db *db, struct channel_backlog *ret_backlogs,
                                               struct herald_error *reterr);

/** A renewed token. */
struct stored_token {
    const char *token; /* empty: none */
    int64_t obtained_at_us, expires_at_us;
};
/** Reads the token that descends from the configured one. Returns: HERALD_OK | as db_run() */
TASK_FN enum herald_code channel_store_token_load(struct db *db, const struct channel_row *row, const char *configured,
                                                  struct stored_token *ret_token, struct herald_error *reterr);
/** Stores a renewed token. Returns: HERALD_OK | as db_run() */
TASK_FN enum herald_code channel_store_token_save(struct db *db, const struct channel_row *row, const char *configured,
                                                  const char *token, uint64_t lasts_s, struct herald_error *reterr);

#endif
