/* ONCE methods: answers a repeated call by its stored reply, and stores the reply of the first one. */
#include "server/durable/once.h"

#include "client/base/ascii.h"
#include "server/runtime/arena.h"
#include "server/runtime/call.h"
#include "server/store/postgres/batch.h"
#include "server/store/postgres/row.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

/* Packs into the arena. An empty message gives a valid pointer. Returns: NULL: no memory. */
static uint8_t *pack_in_arena(const ProtobufCMessage *message, size_t *ret_bytes) {
    uint8_t *packed = arena_alloc(call_arena(), protobuf_c_message_get_packed_size(message));
    if (packed) {
        *ret_bytes = protobuf_c_message_pack(message, packed);
    }
    return packed;
}

static uint8_t *hash_request(const ProtobufCMessage *request) {
    size_t bytes = 0;
    uint8_t *packed = pack_in_arena(request, &bytes);
    uint8_t *hash = arena_alloc(call_arena(), SHA256_DIGEST_LENGTH);
    return packed && hash ? SHA256(packed, bytes, hash) : NULL;
}

/* ---- owner of the key ---- */

/* The value of the field with the rule acting_user; "" when there is none. */
static const char *user_of_request(const struct herald_message_schema *schema, const ProtobufCMessage *request) {
    const ProtobufCMessageDescriptor *descriptor = schema->descriptor;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        if (schema->fields[i].rules.acting_user) {
            const char *user = *(char *const *)((const char *)request + descriptor->fields[i].offset);
            return user ? user : "";
        }
    }
    return "";
}

/* "user", or "caller user" where a credential proves the caller; neither has spaces. NULL: no memory. */
static const char *owner_of_key(const struct herald_method_schema *method, const ProtobufCMessage *request) {
    const struct call *call = call_current();
    const char *user = call->user[0] ? call->user : user_of_request(method->request, request);
    return call->caller[0] ? arena_printf(call_arena(), "%s %s", call->caller, user) : user;
}

/* ---- stored replies ---- */

/* Fills @response with the stored reply; its parts live in the arena. */
static enum herald_code unpack_stored_reply(const struct idempotency_row *stored,
                                            const struct herald_method_schema *method, ProtobufCMessage *response,
                                            struct herald_error *reterr) {
    const ProtobufCMessageDescriptor *descriptor = method->response->descriptor;
    ProtobufCMessage *reply =
        protobuf_c_message_unpack(descriptor, &call_arena()->protobuf, stored->reply_bytes, stored->reply);
    if (!reply) {
        return herald_error_set(reterr, HERALD_REASON_STORED_REPLY_UNREADABLE,
                                "the stored reply of %s for this idempotency key cannot be read; the call was carried "
                                "out once",
                                method->full_name);
    }
    memcpy(response, reply, descriptor->sizeof_message);
    return HERALD_OK;
}

static bool is_same_request(const struct idempotency_row *stored, const struct idempotency_row *row) {
    return memcmp(stored->request_hash, row->request_hash, SHA256_DIGEST_LENGTH) == 0;
}

enum herald_code once_refuse_reuse(const struct once *once, struct herald_error *reterr) {
    return herald_error_set(
        reterr, HERALD_REASON_IDEMPOTENCY_KEY_REUSED,
        "the idempotency key '%s' was used for another request of %s: use a new key for a new request", once->row.key,
        once->row.method);
}

/* Answers with the stored reply, if @stored is the row of this request and has one. */
static enum herald_code answer_by_row(const struct idempotency_row *stored, const struct once *once,
                                      const struct herald_method_schema *method, ProtobufCMessage *response,
                                      struct herald_error *reterr) {
    if (!is_same_request(stored, &once->row)) {
        return once_refuse_reuse(once, reterr);
    }
    return stored->answered ? unpack_stored_reply(stored, method, response, reterr)
                            : herald_error_set(reterr, HERALD_REASON_NO_STORED_REPLY,
                                               "the call under this key has not been answered yet");
}

/* Answers with the stored reply. HERALD_NOT_FOUND: none is stored; the key may be claimed for this request. */
TASK_FN static enum herald_code answer_by_stored_reply(struct db *db, const struct once *once,
                                                       const struct herald_method_schema *method,
                                                       ProtobufCMessage *response, struct herald_error *reterr) {
    const struct idempotency_row *row = &once->row;
    struct idempotency_row stored;
    enum herald_code code = idempotency_store_find(db, row->method, row->caller, row->key, &stored, reterr);
    return code == HERALD_OK ? answer_by_row(&stored, once, method, response, reterr) : code;
}

/* ---- running ---- */

static enum herald_code prepare(const struct herald_method_schema *method, const ProtobufCMessage *request,
                                struct once *ret_once, struct herald_error *reterr) {
    struct idempotency_row row = {.method = method->full_name, .key = call_current()->idempotency_key};
    if (row.key[0]) {
        row.caller = owner_of_key(method, request);
        row.request_hash = hash_request(request);
        if (!row.caller || !row.request_hash) {
            return arena_full(reterr, "the idempotency record");
        }
    }
    *ret_once = (struct once){.keyed = row.key[0] != '\0', .row = row};
    return HERALD_OK;
}

static bool is_overtaken(enum herald_code code, const struct herald_error *error) {
    return code == HERALD_ALREADY_EXISTS && herald_error_is(error, HERALD_REASON_IDEMPOTENCY_KEY_EXISTS);
}

/* Whether another attempt may have caused the refusal, by a change that it made. */
static bool may_be_overtaken(enum herald_code code) {
    return code == HERALD_FAILED_PRECONDITION || code == HERALD_NOT_FOUND;
}

/*
 * Looks for the key once more. If it is answered, or belongs to another request, that result replaces the refusal of
 * the body.
 */
TASK_FN static enum herald_code look_again(struct db *db, const struct herald_method_schema *method,
                                           const struct once *once, ProtobufCMessage *response,
                                           enum herald_code refused, struct herald_error *error) {
    struct herald_error found = {0};
    protobuf_c_message_init(method->response->descriptor, response);
    enum herald_code code = answer_by_stored_reply(db, once, method, response, &found);
    if (code == HERALD_NOT_FOUND) {
        return refused;
    }
    *error = found;
    return code;
}

/* Leaves the details alone: they are 6 KiB of the stack of a call that may wait for long. */
static void clear_error(struct herald_error *error) {
    error->code = HERALD_OK;
    error->retry_after_ms = 0;
    error->reason[0] = error->message[0] = error->origin[0] = '\0';
    error->detail_count = 0;
}

/* One ONCE call, as its functions hand it on. */
struct once_call {
    struct db *db;
    const struct herald_method_schema *method;
    const struct once_read *read; /* NULL: none */
    bool at_once;                 /* the body's transaction finds the key */
    once_body_fn *body;
    void *self;
    const ProtobufCMessage *request;
    ProtobufCMessage *response;
    struct once once;
};

/*
 * Looks for the key and makes the body's own read, in one transaction.
 *
 * @ret_go  the body is to run; otherwise the call is answered or refused
 */
TASK_FN static enum herald_code look_first(struct once_call *call, bool *ret_go, struct herald_error *error) {
    struct once *once = &call->once;
    struct db_batch batch;
    db_batch_init(&batch);
    if (once->keyed) {
        idempotency_store_add_find(&batch, &once->row);
    }
    if (call->read) {
        call->read->add(&batch, call->request);
    }
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(call->db, &batch, &reply, error);
    if (code == HERALD_OK && once->keyed) {
        struct idempotency_row stored;
        code = idempotency_store_read_find(&reply, 0, &once->row, &stored, error);
        if (code == HERALD_OK) {
            code = answer_by_row(&stored, once, call->method, call->response, error);
        }
        if (code != HERALD_NOT_FOUND) {
            return code;
        }
        clear_error(error);
    } else if (code != HERALD_OK) {
        return code;
    }
    *ret_go = true;
    return call->read ? call->read->take(&reply, once->keyed ? 1 : 0, &once->read, error) : HERALD_OK;
}

TASK_FN static enum herald_code run_once_call(struct once_call *call, struct herald_error *error) {
    struct once *once = &call->once;
    bool go = call->at_once || (!once->keyed && !call->read);
    enum herald_code code = go ? HERALD_OK : look_first(call, &go, error);
    if (go && code == HERALD_OK) {
        code = call->body(call->self, call->request, call->response, once, error);
    }
    if (!go || !once->keyed) {
        return code;
    }
    if (code == HERALD_OK && !once->stored && !once->open) {
        code = once_store(call->db, once, call->response, error);
    }
    if (is_overtaken(code, error)) {
        protobuf_c_message_init(call->method->response->descriptor, call->response);
        code = answer_by_stored_reply(call->db, once, call->method, call->response, error);
    } else if (may_be_overtaken(code)) {
        code = look_again(call->db, call->method, once, call->response, code, error);
    }
    return code;
}

/* @call  all but its once is filled */
TASK_FN static enum herald_code begin_once_call(struct once_call *call, struct herald_error *reterr) {
    enum herald_code code = prepare(call->method, call->request, &call->once, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct herald_error error;
    clear_error(&error);
    code = run_once_call(call, &error);
    if (code != HERALD_OK) {
        herald_error_copy(reterr, &error);
    }
    return code;
}

TASK_FN enum herald_code once_run_reading(struct db *db, const struct herald_method_schema *method,
                                          const struct once_read *read, once_body_fn *body, void *self,
                                          const ProtobufCMessage *request, ProtobufCMessage *response,
                                          struct herald_error *reterr) {
    struct once_call call = {
        .db = db,
        .method = method,
        .read = read,
        .body = body,
        .self = self,
        .request = request,
        .response = response,
    };
    return begin_once_call(&call, reterr);
}

TASK_FN enum herald_code once_run_at_once(struct db *db, const struct herald_method_schema *method, once_body_fn *body,
                                          void *self, const ProtobufCMessage *request, ProtobufCMessage *response,
                                          struct herald_error *reterr) {
    struct once_call call = {
        .db = db,
        .method = method,
        .at_once = true,
        .body = body,
        .self = self,
        .request = request,
        .response = response,
    };
    return begin_once_call(&call, reterr);
}

TASK_FN enum herald_code once_run(struct db *db, const struct herald_method_schema *method, once_body_fn *body,
                                  void *self, const ProtobufCMessage *request, ProtobufCMessage *response,
                                  struct herald_error *reterr) {
    return once_run_reading(db, method, NULL, body, self, request, response, reterr);
}

/* ---- the database's clock ---- */

void once_add_clock(struct db_batch *batch) {
    db_add(batch, DB_QUERY_CLOCK);
}

enum herald_code once_take_clock(const struct db_reply *reply, unsigned index, int64_t *ret_now_us,
                                 struct herald_error *reterr) {
    struct db_row row = db_row_of(reply, index, 0, call_arena());
    int64_t now_us = db_get_time(&row, DB_CLOCK__NOW);
    enum herald_code code = db_row_end(&row, reterr);
    if (code == HERALD_OK) {
        *ret_now_us = now_us;
    }
    return code;
}

static void add_clock(struct db_batch *batch, const ProtobufCMessage *request) {
    (void)request;
    once_add_clock(batch);
}

static enum herald_code take_clock(const struct db_reply *reply, unsigned index, void **ret_read,
                                   struct herald_error *reterr) {
    int64_t *now_us = arena_alloc(call_arena(), sizeof(*now_us));
    *ret_read = now_us;
    return now_us ? once_take_clock(reply, index, now_us, reterr) : arena_full(reterr, "the time");
}

const struct once_read once_clock = {.add = add_clock, .take = take_clock};

int64_t once_now_us(const struct once *once) {
    return *(const int64_t *)once->read;
}

/* ---- for bodies ---- */

const struct idempotency_row *once_claim_row(const struct once *once) {
    return once->keyed ? &once->row : NULL;
}

TASK_FN enum herald_code once_claim(struct db *db, struct once *once, struct herald_error *reterr) {
    if (!once->keyed || once->claimed) {
        return HERALD_OK;
    }
    bool had_effect = call_current()->has_effect;
    enum herald_code code = idempotency_store_claim(db, &once->row, reterr);
    call_current()->has_effect = had_effect; /* a claim alone is no effect: only this request may go on with it */
    once->claimed = code == HERALD_OK;
    return code;
}

enum herald_code once_reply(struct once *once, const ProtobufCMessage *response, const struct idempotency_row **ret_row,
                            struct herald_error *reterr) {
    if (!once || !once->keyed) {
        *ret_row = NULL;
        return HERALD_OK;
    }
    once->row.reply = pack_in_arena(response, &once->row.reply_bytes);
    if (!once->row.reply) {
        return arena_full(reterr, "the idempotency record");
    }
    once->stored = true;
    *ret_row = &once->row;
    return HERALD_OK;
}

void once_leave_open(struct once *once) {
    once->open = true;
}

void once_reply_unstored(struct once *once) {
    if (once) {
        once->stored = false;
    }
}

TASK_FN enum herald_code once_store(struct db *db, struct once *once, const ProtobufCMessage *response,
                                    struct herald_error *reterr) {
    const struct idempotency_row *row = NULL;
    enum herald_code code = once_reply(once, response, &row, reterr);
    return code == HERALD_OK && row ? idempotency_store_answer(db, row, reterr) : code;
}

TASK_FN enum herald_code once_check(struct db *db, const struct once *once, struct herald_error *reterr) {
    if (!once->keyed) {
        return HERALD_OK;
    }
    struct idempotency_row stored;
    struct herald_error error = {0};
    enum herald_code code =
        idempotency_store_find(db, once->row.method, once->row.caller, once->row.key, &stored, &error);
    if (code == HERALD_NOT_FOUND || (code == HERALD_OK && !stored.answered && is_same_request(&stored, &once->row))) {
        return HERALD_OK;
    }
    if (code == HERALD_OK) {
        return herald_error_set(reterr, HERALD_REASON_IDEMPOTENCY_KEY_EXISTS,
                                "another attempt of this call has been answered, or its key belongs to another call");
    }
    herald_error_copy(reterr, &error);
    return code;
}

enum herald_code once_downstream_key(const struct once *once, const char **ret_key, struct herald_error *reterr) {
    if (!once->keyed) {
        *ret_key = NULL;
        return HERALD_OK;
    }
    const struct idempotency_row *row = &once->row;
    const char *whole = arena_printf(call_arena(), "%s %s %s", row->method, row->caller, row->key);
    char *key = arena_alloc(call_arena(), 2 * SHA256_DIGEST_LENGTH + 1);
    if (!whole || !key) {
        return arena_full(reterr, "the idempotency record");
    }
    uint8_t hash[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)whole, strlen(whole), hash);
    herald_write_hex(hash, sizeof(hash), key);
    *ret_key = key;
    return HERALD_OK;
}
