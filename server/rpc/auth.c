#include "server/rpc/auth.h"

#include "client/message/envelope_fields.h"
#include "client/message/signature.h"
#include "client/message/wire.h"
#include "server/auth/callers.h"
#include "server/auth/replay.h"
#include "server/auth/token.h"
#include "server/rpc/registry.h"
#include "server/rpc/rpc_call.h"
#include "server/rpc/rpc_log.h"
#include "server/transport/file_state.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* 17,000 signed calls a second; 32 MB at most. */
#define NONCES_MAX          (1024u * 1024u)
#define FULL_RETRY_AFTER_MS 1000u
#define NONCE_KEPT_MS       (2u * AUTH_SKEW_MS)
#define NOT_BEGUN           UINT64_MAX

struct auth {
    bool required;
    char *audience;
    char *callers_path;  /* NULL: none */
    atomic_bool refused; /* the callers file is not good now; those of before hold */
    struct file_state callers_state;
    pthread_mutex_t lock;    /* of callers */
    struct callers *callers; /* NULL without callers_path */
    struct replay *replay;
    _Atomic uint64_t began_ms; /* of auth_begin(), on the monotonic clock */
};

/* Reads the callers file. A list without callers is a mistake when somebody must be on it: a writer has emptied the file and
 * not filled it again. */
static enum herald_code load_callers(const char *path, bool some_needed, struct callers **ret_callers,
                                     struct herald_error *reterr) {
    struct callers *callers = NULL;
    enum herald_code code = callers_load(path, &callers, reterr);
    if (code == HERALD_OK && some_needed && callers_count(callers) == 0) {
        callers_unref(callers);
        return herald_error_set(reterr, HERALD_REASON_BAD_CALLERS,
                                "%s names no caller: write it anew; deploy/callers.ini.example shows one", path);
    }
    if (code == HERALD_OK) {
        *ret_callers = callers;
    }
    return code;
}

enum herald_code auth_new(const struct auth_settings *settings, struct auth **ret_auth, struct herald_error *reterr) {
    const char *path = settings->auth_callers_file;
    if (settings->auth_required && !*path) {
        return herald_error_set(
            reterr, HERALD_REASON_CALLERS_FILE_MISSING,
            "auth.required is set, and nobody could call: name the callers in a file and set "
            "callers_file under [auth] (HERALD_AUTH_CALLERS_FILE); deploy/callers.ini.example shows "
            "one");
    }
    struct auth *auth = calloc(1, sizeof(*auth));
    if (!auth) {
        return herald_error_no_memory(reterr, "the callers");
    }
    pthread_mutex_init(&auth->lock, NULL);
    auth->required = settings->auth_required;
    auth->replay = replay_new(NONCES_MAX, NONCE_KEPT_MS);
    atomic_init(&auth->began_ms, NOT_BEGUN);
    auth->callers_path = *path ? strdup(path) : NULL;
    auth->audience = strdup(settings->auth_audience);
    enum herald_code code = auth->replay && auth->audience && (auth->callers_path || !*path)
                                ? HERALD_OK
                                : herald_error_no_memory(reterr, "the callers");
    if (code == HERALD_OK && auth->callers_path) {
        auth->callers_state = file_state_read(path); /* before the file, so that auth_reload() sees a later change */
        code = load_callers(path, auth->required, &auth->callers, reterr);
    }
    if (code != HERALD_OK) {
        auth_free(auth);
        return code;
    }
    *ret_auth = auth;
    return HERALD_OK;
}

void auth_free(struct auth *auth) {
    if (!auth) {
        return;
    }
    callers_unref(auth->callers);
    replay_free(auth->replay);
    free(auth->callers_path);
    free(auth->audience);
    pthread_mutex_destroy(&auth->lock);
    free(auth);
}

void auth_begin(struct auth *auth, uint64_t monotonic_ms) {
    atomic_store(&auth->began_ms, monotonic_ms);
}

bool auth_is_required(const struct auth *auth) {
    return auth->required;
}

bool auth_knows_callers(const struct auth *auth) {
    return auth->callers_path != NULL;
}

bool auth_is_outdated(const struct auth *auth) {
    return atomic_load(&auth->refused);
}

void auth_reload(struct auth *auth, bool again) {
    struct callers *fresh = NULL;
    struct herald_error error;
    if (!auth->callers_path || !(file_state_changed(&auth->callers_state, auth->callers_path) || again)) {
        return;
    }
    bool some_needed = auth->required || callers_count(auth->callers) > 0;
    if (load_callers(auth->callers_path, some_needed, &fresh, &error) != HERALD_OK) {
        atomic_store(&auth->refused, true);
        log_emit(&LOG_CALLERS_REFUSED, log_str("file", auth->callers_path), log_error(&error), LOG_END);
        return;
    }
    pthread_mutex_lock(&auth->lock);
    struct callers *old = auth->callers;
    auth->callers = fresh;
    pthread_mutex_unlock(&auth->lock);
    callers_unref(old);
    atomic_store(&auth->refused, false);
    log_emit(&LOG_CALLERS_RELOADED, log_str("file", auth->callers_path), LOG_END);
}

/* ---- signatures ---- */

/* Stands in for an unknown key, so that the check takes as long as with a known one. It never succeeds. */
static const struct auth_key NO_KEY = {.bytes = {1}, .count = AUTH_KEY_MIN_BYTES};

/* The signed text consists of lines, so no part may hold a line feed. The envelope's rules forbid it; this enforces
 * it. */
static bool is_one_line(const char *text) {
    return !text || !strchr(text, '\n');
}

static bool signature_mac_fits(const struct auth_key *key, const Herald__Rpc__V1__Signature *signature,
                               const struct rpc_call_head *head) {
    const struct herald_signed_parts parts = {
        .key_id = signature->key_id,
        .time_ms = signature->time_ms,
        .nonce = signature->nonce.data,
        .nonce_bytes = signature->nonce.len,
        .method = head->method,
        .method_bytes = strlen(head->method),
        .user = signature->user,
        .idempotency_key = head->idempotency_key,
        .payload = head->payload,
        .payload_bytes = head->payload_bytes,
    };
    uint8_t mac[HERALD_SIGNATURE_BYTES];
    return signature->mac.len == sizeof(mac) && is_one_line(signature->key_id) && is_one_line(signature->user) &&
           is_one_line(head->idempotency_key) && herald_signature_compute(&parts, key->bytes, key->count, mac) &&
           CRYPTO_memcmp(mac, signature->mac.data, sizeof(mac)) == 0;
}

static enum herald_code check_clock(int64_t time_ms, int64_t now_ms, struct herald_error *reterr) {
    int64_t behind_ms = now_ms - time_ms;
    if (behind_ms >= -AUTH_SKEW_MS && behind_ms <= AUTH_SKEW_MS) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_CLOCK_SKEW,
                            "the call was signed at a time that is %lld ms %s this server's clock; at most %d ms are "
                            "allowed: set the clocks right, and sign each call when it is sent",
                            (long long)(behind_ms < 0 ? -behind_ms : behind_ms), behind_ms < 0 ? "ahead of" : "behind",
                            AUTH_SKEW_MS);
}

/*
 * A restarted server has lost its nonces, so it rejects signatures made before it began to listen. Its own age is
 * measured with the monotonic clock, so setting the wall clock back locks nobody out. There is no allowance for a
 * signer whose clock is behind: it would open a time in which replays are accepted. Such a signer waits and signs
 * again.
 */
static enum herald_code check_signed_here(const struct auth *auth, int64_t behind_ms, uint64_t monotonic_ms,
                                          struct herald_error *reterr) {
    uint64_t began_ms = atomic_load(&auth->began_ms);
    int64_t age_ms = monotonic_ms > began_ms ? (int64_t)(monotonic_ms - began_ms) : 0;
    int64_t missing_ms = behind_ms + AUTH_LEAD_MS + 1 - age_ms;
    if (began_ms != NOT_BEGUN && missing_ms <= 0) {
        return HERALD_OK;
    }
    herald_error_set(
        reterr, HERALD_REASON_SIGNED_BEFORE_START,
        "the call was signed before this server began to take calls, or too soon after: it was not carried "
        "out; sign it anew");
    if (reterr) {
        reterr->retry_after_ms = missing_ms < 1                    ? 1
                                 : missing_ms > AUTH_AGAIN_MOST_MS ? AUTH_AGAIN_MOST_MS
                                                                   : (uint32_t)missing_ms;
    }
    return HERALD_UNAVAILABLE;
}

enum herald_code auth_replayed(struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_REPLAYED,
                            "a call with this nonce was taken before: sign each attempt anew, with a random nonce");
}

/* Runs only after the signature was found good, so only a holder of a key can fill the memory of nonces. */
static enum herald_code check_replay(struct auth *auth, const Herald__Rpc__V1__Signature *signature,
                                     uint64_t monotonic_ms, struct herald_error *reterr) {
    enum replay_verdict verdict =
        replay_take(auth->replay, signature->key_id, signature->nonce.data, signature->nonce.len, monotonic_ms);
    if (verdict == REPLAY_NEW) {
        return HERALD_OK;
    }
    if (verdict == REPLAY_SEEN) {
        return auth_replayed(reterr);
    }
    herald_error_set(reterr, HERALD_REASON_NONCES_FULL,
                     "more signed calls came within a minute than the server can remember (%u); send fewer",
                     NONCES_MAX);
    if (reterr) {
        reterr->retry_after_ms = FULL_RETRY_AFTER_MS;
    }
    return HERALD_RESOURCE_EXHAUSTED;
}

static enum herald_code check_signature(struct auth *auth, const struct callers *callers,
                                        const struct rpc_call_head *head, int64_t now_ms, uint64_t monotonic_ms,
                                        const struct caller **ret_caller, struct herald_error *reterr) {
    const Herald__Rpc__V1__Signature *signature = head->auth->signature;
    enum herald_code code = check_clock(signature->time_ms, now_ms, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    const struct caller_key *known = callers_find_key(callers, signature->key_id);
    bool fits = signature_mac_fits(known ? &known->key : &NO_KEY, signature, head);
    if (!known || !fits) {
        return herald_error_set(reterr, HERALD_REASON_BAD_CREDENTIAL,
                                "the signature is not one by a key that is known here over this call: check key id and "
                                "key, and that method, user, idempotency key, time, nonce and payload are sent as they "
                                "were signed");
    }
    code = check_signed_here(auth, now_ms - signature->time_ms, monotonic_ms, reterr);
    if (code == HERALD_OK) {
        code = check_replay(auth, signature, monotonic_ms, reterr);
    }
    if (code == HERALD_OK) {
        *ret_caller = known->caller;
    }
    return code;
}

/* ---- whom a credential names, unchecked ---- */

/* The last field of that number with bytes. False: there is none, or the bytes are no message. */
static bool find_bytes_field(const uint8_t *data, size_t bytes, uint32_t number, struct wire_field *ret_field) {
    struct wire_cursor cursor = {data, data + bytes};
    bool found = false;
    while (cursor.at < cursor.end) {
        struct wire_field field;
        if (!wire_read_field(&cursor, &field)) {
            return false;
        }
        if (field.number == number && field.type == WIRE_BYTES) {
            *ret_field = field;
            found = true;
        }
    }
    return found;
}

static bool read_named_key(const uint8_t *auth_field, size_t bytes, char ret_key_id[CALLER_TEXT_BYTES]) {
    struct wire_field proof, key_id;
    if (find_bytes_field(auth_field, bytes, AUTH_BEARER, &proof)) {
        return token_read_key_id((const char *)proof.data, proof.bytes, ret_key_id);
    }
    if (!find_bytes_field(auth_field, bytes, AUTH_SIGNATURE, &proof) ||
        !find_bytes_field(proof.data, proof.bytes, SIGNATURE_KEY_ID, &key_id) || key_id.bytes >= CALLER_TEXT_BYTES) {
        return false;
    }
    memcpy(ret_key_id, key_id.data, key_id.bytes);
    ret_key_id[key_id.bytes] = '\0';
    return true;
}

bool auth_names_kept_caller(struct auth *auth, const uint8_t *auth_field, size_t bytes) {
    char key_id[CALLER_TEXT_BYTES];
    if (!auth->callers_path || !read_named_key(auth_field, bytes, key_id)) {
        return false;
    }
    pthread_mutex_lock(&auth->lock);
    const struct caller_key *key = callers_find_key(auth->callers, key_id);
    bool kept = key && caller_class_of(key->caller) != CALLER_CLASS_CLIENT;
    pthread_mutex_unlock(&auth->lock);
    return kept;
}

/* ---- access ---- */

static const struct herald_field_rules *acting_user_rules(const struct herald_message_schema *message) {
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        if (message->fields[i].rules.acting_user) {
            return &message->fields[i].rules;
        }
    }
    return NULL;
}

/* A read whose user may be left out shows what is everybody's, to those on duty who may act for anybody. */
static bool may_read_of_all(const struct caller *caller, const struct herald_method_schema *method) {
    return caller_class_of(caller) != CALLER_CLASS_CLIENT && method->effect == HERALD_EFFECT_READ &&
           !acting_user_rules(method->request)->required && caller_may_act_for(caller, "");
}

static bool needs_user(const struct auth *auth, const struct caller *caller,
                       const struct herald_method_schema *method) {
    return method->caller != HERALD_CALLER_ANYONE && acting_user_rules(method->request) != NULL &&
           (auth->required || caller_class_of(caller) == CALLER_CLASS_CLIENT) && !may_read_of_all(caller, method);
}

static enum herald_code method_denied(const struct caller *caller, const char *method, const char *by,
                                      struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_METHOD_NOT_ALLOWED, "%s may not call %s: %s does not list it",
                            caller_name(caller), method, by);
}

/* What the class of a caller does not allow, whatever methods the callers file lists. */
static enum herald_code check_class(const struct caller *caller, const struct herald_method_schema *method,
                                    struct herald_error *reterr) {
    enum caller_class class = caller_class_of(caller);
    if (method->caller == HERALD_CALLER_SERVER && class != CALLER_CLASS_SERVER) {
        return herald_error_set(
            reterr, HERALD_REASON_CALLER_NOT_A_SERVER,
            "%s is for Herald's own servers, and %s is none: if it is one, set class = server under "
            "[caller %s] in the callers file",
            method->full_name, caller_name(caller), caller_name(caller));
    }
    if (method->caller == HERALD_CALLER_OPERATOR && class != CALLER_CLASS_SERVER && class != CALLER_CLASS_OPERATOR) {
        return herald_error_set(reterr, HERALD_REASON_CALLER_NOT_AN_OPERATOR,
                                "%s is for operators and Herald's own servers, and %s is neither: if it is one, set "
                                "class = operator under [caller %s] in the callers file",
                                method->full_name, caller_name(caller), caller_name(caller));
    }
    return HERALD_OK;
}

/* Known callers may call methods with caller ANYONE too, whatever the callers file lists. */
static enum herald_code check_access(const struct auth *auth, const struct caller *caller, const char *user,
                                     bool token_allows, const struct herald_method_schema *method,
                                     struct herald_error *reterr) {
    bool anyone = method->caller == HERALD_CALLER_ANYONE;
    if (!anyone && !caller_may_call(caller, method->full_name)) {
        return method_denied(caller, method->full_name, "the callers file", reterr);
    }
    if (!anyone && !token_allows) {
        return method_denied(caller, method->full_name, "the bearer token", reterr);
    }
    enum herald_code code = check_class(caller, method, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    if (*user && !caller_may_act_for(caller, user)) {
        return herald_error_set(reterr, HERALD_REASON_USER_NOT_ALLOWED,
                                "%s may not act for user %s: act_for in the callers file says for whom it may",
                                caller_name(caller), user);
    }
    if (!*user && needs_user(auth, caller, method)) {
        return herald_error_set(
            reterr, HERALD_REASON_USER_MISSING,
            "%s acts for a user, and the credential names none: sign for a user, or use a token for "
            "one",
            method->full_name);
    }
    return HERALD_OK;
}

static struct rpc_signature signature_of(const Herald__Rpc__V1__Signature *proven) {
    struct rpc_signature signature = {.time_ms = proven->time_ms};
    memcpy(signature.id, proven->mac.data, sizeof(signature.id)); /* it has HERALD_SIGNATURE_BYTES, as it fits */
    return signature;
}

static enum herald_code check_credential(struct auth *auth, const struct callers *callers,
                                         const struct herald_method_schema *method, const struct rpc_call_head *head,
                                         int64_t now_ms, uint64_t monotonic_ms, struct auth_identity *ret_identity,
                                         struct herald_error *reterr) {
    struct token_grant grant = {.method_allowed = true};
    enum herald_code code;
    if (head->auth->proof_case == HERALD__RPC__V1__AUTH__PROOF_SIGNATURE) {
        code = check_signature(auth, callers, head, now_ms, monotonic_ms, &grant.caller, reterr);
        snprintf(grant.user, sizeof(grant.user), "%s", head->auth->signature->user);
    } else {
        const char *token = head->auth->bearer ? head->auth->bearer : ""; /* token_check() refuses an empty one */
        code = token_check(callers, token, method->full_name, auth->audience, now_ms / 1000, &grant, reterr);
    }
    if (code == HERALD_OK) {
        code = check_access(auth, grant.caller, grant.user, grant.method_allowed, method, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    snprintf(ret_identity->caller, sizeof(ret_identity->caller), "%s", caller_name(grant.caller));
    snprintf(ret_identity->user, sizeof(ret_identity->user), "%s", grant.user);
    ret_identity->class = caller_class_of(grant.caller);
    if (head->auth->proof_case == HERALD__RPC__V1__AUTH__PROOF_SIGNATURE) {
        ret_identity->signature = signature_of(head->auth->signature);
    }
    return HERALD_OK;
}

static bool has_credential(const Herald__Rpc__V1__Auth *auth) {
    return auth && ((auth->proof_case == HERALD__RPC__V1__AUTH__PROOF_SIGNATURE && auth->signature) ||
                    auth->proof_case == HERALD__RPC__V1__AUTH__PROOF_BEARER);
}

/* Without auth.required a credential is needed for a method that a class of callers may call, once a callers file says
 * who is of that class. Without a callers file nobody could have one. */
static bool needs_credential(const struct auth *auth, const struct herald_method_schema *method) {
    bool of_class = method->caller == HERALD_CALLER_SERVER || method->caller == HERALD_CALLER_OPERATOR;
    return method->caller != HERALD_CALLER_ANYONE && (auth->required || (of_class && auth_knows_callers(auth)));
}

static enum herald_code check_anonymous(const struct auth *auth, const struct herald_method_schema *method,
                                        struct herald_error *reterr) {
    if (!needs_credential(auth, method)) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_CREDENTIAL_MISSING,
                            "%s needs a credential: sign the call (heraldctl: [auth] key_id and key_file), or send a "
                            "bearer token (heraldctl token makes one; a probe begins with \"bearer TOKEN\")",
                            method->full_name);
}

enum herald_code auth_check(struct auth *auth, const struct herald_method_schema *method,
                            const struct rpc_call_head *head, int64_t now_ms, uint64_t monotonic_ms,
                            struct auth_identity *ret_identity, struct herald_error *reterr) {
    struct auth_identity identity = {0};
    enum herald_code code;
    if (!has_credential(head->auth)) {
        code = check_anonymous(auth, method, reterr);
    } else if (!auth->callers_path) {
        code = herald_error_set(reterr, HERALD_REASON_NO_CALLERS,
                                "the call has a credential, and this server knows no callers: set callers_file under "
                                "[auth] (HERALD_AUTH_CALLERS_FILE), or send no credential");
    } else {
        pthread_mutex_lock(&auth->lock);
        struct callers *callers = callers_ref(auth->callers);
        pthread_mutex_unlock(&auth->lock);
        code = check_credential(auth, callers, method, head, now_ms, monotonic_ms, &identity, reterr);
        callers_unref(callers);
    }
    if (code == HERALD_OK) {
        *ret_identity = identity;
    }
    return code;
}

/* ---- the interceptor ---- */

static enum herald_code on_head(void *self, struct rpc_call *call, const struct rpc_call_head *head,
                                struct herald_error *reterr) {
    struct auth_identity identity;
    enum herald_code code =
        auth_check(self, call->method->schema, head, clock_wall_us() / 1000, clock_now_us() / 1000, &identity, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    memcpy(call->context.caller, identity.caller, sizeof(call->context.caller));
    memcpy(call->context.user, identity.user, sizeof(call->context.user));
    call->caller_class = identity.class;
    call->signature = identity.signature;
    return HERALD_OK;
}

struct rpc_interceptor auth_interceptor(struct auth *auth) {
    return (struct rpc_interceptor){.name = "auth", .on_head = on_head, .self = auth};
}
