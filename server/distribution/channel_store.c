#include "server/distribution/channel_store.h"

#include "server/store/postgres/batch.h"
#include "server/store/postgres/row.h"

#include <openssl/sha.h>
#include <string.h>

#define CHANNELS (&herald__distribution__v1__channel__descriptor)
#define PAUSES   (&herald__distribution__v1__channel_pause__descriptor)
#define ACTIONS  (&herald__distribution__v1__channel_action__descriptor)

#define NOT_PAUSED_NAME   "NOT_PAUSED" /* number 0 has no name in db_name_of() */
#define FIRST_PROBE_MS    5000
#define LAST_PROBE_MS     600000
#define FIRST_DISABLED_MS 600000
#define LAST_DISABLED_MS  3600000
#define PROBE_TURN_MS     30000 /* until another may try, if the one that has the turn dies */

/* Adds a statement whose first parameter is the channel. */
static void add_for_channel(struct db_batch *batch, enum db_query query, const struct channel_row *row) {
    db_add(batch, query);
    db_put_text(batch, row->name);
}

static const char *pause_name(int pause) {
    return pause == 0 ? NOT_PAUSED_NAME : db_name_of(PAUSES, pause);
}

TASK_FN enum herald_code channel_store_load(struct db *db, struct channel_control *ret_controls,
                                            struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_CHANNEL_CONTROL_LIST);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    for (size_t i = 0; code == HERALD_OK && i < CHANNEL_COUNT; i++) {
        ret_controls[i] = (struct channel_control){
            .breaker = HERALD__DISTRIBUTION__V1__CHANNEL_ACTION__BREAKER_AUTOMATIC, .note = ""};
    }
    for (int i = 0; code == HERALD_OK && i < db_row_count(&reply, 0); i++) {
        struct db_row row = db_row_of(&reply, 0, i, call_arena());
        const struct channel_row *channel = channel_find(db_get_name(&row, DB_CHANNEL_CONTROL_LIST__CHANNEL, CHANNELS));
        struct channel_control control = {
            .pause = db_get_name(&row, DB_CHANNEL_CONTROL_LIST__PAUSE, PAUSES),
            .breaker = db_get_name(&row, DB_CHANNEL_CONTROL_LIST__BREAKER, ACTIONS),
            .note = db_get_text(&row, DB_CHANNEL_CONTROL_LIST__NOTE),
            .probe_at_us = db_get_time(&row, DB_CHANNEL_CONTROL_LIST__PROBE_AT),
            .probe_due = db_get_int(&row, DB_CHANNEL_CONTROL_LIST__PROBE_DUE) != 0,
            .resets = db_get_int(&row, DB_CHANNEL_CONTROL_LIST__RESETS),
        };
        code = db_row_end(&row, reterr);
        if (code == HERALD_OK && channel != NULL) {
            ret_controls[channel_index(channel)] = control;
        }
    }
    return code;
}

TASK_FN static enum herald_code run_one(struct db *db, const struct db_batch *batch, struct herald_error *reterr) {
    DB_REPLY struct db_reply reply = {0};
    return db_run(db, batch, &reply, reterr);
}

TASK_FN enum herald_code channel_store_control(struct db *db, const struct channel_row *row, int pause, int breaker,
                                               const char *note, bool resets, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_channel(&batch, DB_QUERY_CHANNEL_CONTROL_SET, row);
    db_put_text(&batch, pause < 0 ? NULL : pause_name(pause));
    db_put_text(&batch, breaker < 0 ? NULL : db_name_of(ACTIONS, breaker));
    db_put_text(&batch, note);
    db_put_bigint(&batch, resets ? 1 : 0);
    return run_one(db, &batch, reterr);
}

TASK_FN enum herald_code channel_store_pause(struct db *db, const struct channel_row *row, int pause, const char *note,
                                             bool is_probe, struct herald_error *reterr) {
    bool disabled = pause == HERALD__DISTRIBUTION__V1__CHANNEL_PAUSE__PAUSED_FOR_DISABLED;
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_channel(&batch, DB_QUERY_CHANNEL_PAUSE, row);
    db_put_text(&batch, pause_name(pause));
    db_put_text(&batch, note);
    db_put_bigint(&batch, disabled ? FIRST_DISABLED_MS : FIRST_PROBE_MS);
    db_put_bigint(&batch, disabled ? LAST_DISABLED_MS : LAST_PROBE_MS);
    db_put_text(&batch, is_probe ? "t" : "f");
    return run_one(db, &batch, reterr);
}

TASK_FN enum herald_code channel_store_probe(struct db *db, const struct channel_row *row, bool *ret_taken,
                                             struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_channel(&batch, DB_QUERY_CHANNEL_PROBE, row);
    db_put_bigint(&batch, PROBE_TURN_MS);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code == HERALD_OK) {
        *ret_taken = db_changed_count(&reply, 0) > 0;
    }
    return code;
}

TASK_FN enum herald_code channel_store_heal(struct db *db, const struct channel_row *row, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_channel(&batch, DB_QUERY_CHANNEL_HEAL, row);
    return run_one(db, &batch, reterr);
}

TASK_FN enum herald_code channel_store_wake(struct db *db, const struct channel_row *row, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_channel(&batch, DB_QUERY_CHANNEL_WAKE, row);
    return run_one(db, &batch, reterr);
}

TASK_FN enum herald_code channel_store_backlog(struct db *db, struct channel_backlog *ret_backlogs,
                                               struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_CHANNEL_BACKLOG);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code == HERALD_OK) {
        memset(ret_backlogs, 0, CHANNEL_COUNT * sizeof(*ret_backlogs));
    }
    for (int i = 0; code == HERALD_OK && i < db_row_count(&reply, 0); i++) {
        struct db_row row = db_row_of(&reply, 0, i, call_arena());
        const struct channel_row *channel = channel_find(db_get_name(&row, DB_CHANNEL_BACKLOG__CHANNEL, CHANNELS));
        struct channel_backlog backlog = {
            .waiting = (uint64_t)db_get_int(&row, DB_CHANNEL_BACKLOG__WAITING),
            .unknown = (uint64_t)db_get_int(&row, DB_CHANNEL_BACKLOG__UNKNOWN),
        };
        code = db_row_end(&row, reterr);
        if (code == HERALD_OK && channel != NULL) {
            ret_backlogs[channel_index(channel)] = backlog;
        }
    }
    return code;
}

/* ---- tokens ---- */

static void put_source(struct db_batch *batch, const char *configured, unsigned char digest[SHA256_DIGEST_LENGTH]) {
    SHA256((const unsigned char *)configured, strlen(configured), digest);
    db_put_bytes(batch, digest, SHA256_DIGEST_LENGTH);
}

TASK_FN enum herald_code channel_store_token_load(struct db *db, const struct channel_row *row, const char *configured,
                                                  struct stored_token *ret_token, struct herald_error *reterr) {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_channel(&batch, DB_QUERY_CHANNEL_TOKEN_LOAD, row);
    put_source(&batch, configured, digest);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK || db_row_count(&reply, 0) == 0) {
        *ret_token = (struct stored_token){.token = ""};
        return code;
    }
    struct db_row found = db_row_of(&reply, 0, 0, call_arena());
    struct stored_token token = {
        .token = db_get_text(&found, DB_CHANNEL_TOKEN_LOAD__TOKEN),
        .obtained_at_us = db_get_time(&found, DB_CHANNEL_TOKEN_LOAD__OBTAINED_AT),
        .expires_at_us = db_get_time(&found, DB_CHANNEL_TOKEN_LOAD__EXPIRES_AT),
    };
    code = db_row_end(&found, reterr);
    if (code == HERALD_OK) {
        *ret_token = token;
    }
    return code;
}

TASK_FN enum herald_code channel_store_token_save(struct db *db, const struct channel_row *row, const char *configured,
                                                  const char *token, uint64_t lasts_s, struct herald_error *reterr) {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_channel(&batch, DB_QUERY_CHANNEL_TOKEN_SAVE, row);
    db_put_text(&batch, token);
    put_source(&batch, configured, digest);
    db_put_bigint(&batch, (int64_t)lasts_s);
    return run_one(db, &batch, reterr);
}
