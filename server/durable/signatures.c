#include "server/durable/signatures.h"

#include "server/rpc/auth.h"
#include "server/runtime/call.h"
#include "server/store/postgres/batch.h"
#include "server/store/postgres/row.h"

_Static_assert(SIGNATURES_KEEP_S * 1000 >= 4 * AUTH_SKEW_MS, "two servers' windows, and as much for their clocks");

/* How far the database's clock may be from what this process takes for it. */
#define CLOCK_MARGIN_MS 2000

/* What the table says of a signature. */
struct taken {
    bool is_new;
    int64_t memory_ms; /* since the memory began; 0: it begins now */
};

static enum herald_code read_taken_signature(const struct db_reply *reply, struct taken *ret_taken,
                                             struct herald_error *reterr) {
    struct db_row columns = db_row_of(reply, 0, 0, call_arena());
    *ret_taken = (struct taken){
        .is_new = db_get_int(&columns, DB_SIGNATURE_TAKE__TAKEN) != 0,
        .memory_ms = db_get_int(&columns, DB_SIGNATURE_TAKE__MEMORY_MS),
    };
    return db_row_end(&columns, reterr);
}

TASK_FN static enum herald_code take(struct db *db, const struct rpc_signature *signature, struct taken *ret_taken,
                                     struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_SIGNATURE_TAKE);
    db_put_bytes(&batch, signature->id, sizeof(signature->id));
    DB_REPLY struct db_reply reply = {0};
    struct call *call = call_current();
    bool had_effect = call->has_effect;
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    call->has_effect = had_effect; /* a signature alone is no effect: the caller signs each attempt anew */
    return code == HERALD_OK ? read_taken_signature(&reply, ret_taken, reterr) : code;
}

/* The age is taken after the answer, so it is never less than it was when the database looked. */
static enum herald_code check_memory(const struct rpc_signature *signature, int64_t memory_ms,
                                     struct herald_error *reterr) {
    int64_t missing_ms = clock_wall_us() / 1000 - signature->time_ms + AUTH_LEAD_MS + 1 - memory_ms;
    if (missing_ms <= 0) {
        return HERALD_OK;
    }
    herald_error_set(reterr, HERALD_REASON_SIGNED_BEFORE_START,
                     "the call was signed before the database began to remember signatures, which it does anew after a "
                     "crash or a fail-over: it was not carried out; sign it anew");
    if (reterr) {
        reterr->retry_after_ms = missing_ms < AUTH_AGAIN_MOST_MS ? (uint32_t)missing_ms : AUTH_AGAIN_MOST_MS;
    }
    return HERALD_UNAVAILABLE;
}

struct riding_signature signatures_ride(const struct rpc_signature *signature, int64_t now_us) {
    int64_t age_ms = clock_wall_us() / 1000 - signature->time_ms;
    return (struct riding_signature){
        .id = signature->id,
        .id_bytes = sizeof(signature->id),
        .memory_before_us = now_us - (age_ms + AUTH_LEAD_MS + CLOCK_MARGIN_MS) * 1000,
    };
}

TASK_FN enum herald_code signatures_take(struct db *db, const struct rpc_signature *signature,
                                         struct herald_error *reterr) {
    struct taken taken;
    enum herald_code code = take(db, signature, &taken, reterr);
    if (code == HERALD_OUTCOME_UNKNOWN) {
        return herald_error_set(
            reterr, HERALD_REASON_DATABASE_UNAVAILABLE,
            "the database did not say whether it has stored the call's signature: nothing was done; "
            "sign it anew");
    }
    if (code != HERALD_OK) {
        return code;
    }
    if (!taken.is_new) {
        return auth_replayed(reterr);
    }
    return check_memory(signature, taken.memory_ms, reterr);
}
