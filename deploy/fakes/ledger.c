/*
 * The ledger: ledger.h. "keys" maps "CHANNEL/key" to the remote id, and counts posts with that key that have arrived
 * and may still be accepted. While there is one, a look-up does not say that the post was never accepted.
 */
#include "deploy/fakes/ledger.h"

#include "client/base/ascii.h"

#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define KEY_NAME_BYTES 256

/* A line: @members is the JSON of the members that do not change, without the brackets. */
struct ledger_line {
    char *members;
    int64_t received_ms;
    int64_t answered_ms; /* 0: not answered */
    bool duplicate;
};

struct ledger_lines {
    struct ledger_line *at;
    size_t count, room;
};

struct ledger_key {
    UT_hash_handle hh;
    uint32_t undecided;
    char remote_id[FAKE_REMOTE_ID_BYTES]; /* "": not accepted */
    char name[];
};

struct fake_ledger {
    struct ledger_lines log, refused;
    struct ledger_key *keys;
    uint64_t first_line; /* number of the first line in the log: numbers go on after the log is cleared */
    uint64_t accepted[FAKE_CHANNEL_COUNT];
};

struct fake_ledger *fake_ledger_new(void) {
    return calloc(1, sizeof(struct fake_ledger));
}

static void clear_lines(struct ledger_lines *lines) {
    for (size_t i = 0; i < lines->count; i++) {
        free(lines->at[i].members);
    }
    free(lines->at);
    *lines = (struct ledger_lines){0};
}

void fake_ledger_free(struct fake_ledger *ledger) {
    if (ledger == NULL) {
        return;
    }
    clear_lines(&ledger->log);
    clear_lines(&ledger->refused);
    struct ledger_key *key = ledger->keys;
    HASH_CLEAR(hh, ledger->keys); /* leaves the items linked by hh.next */
    while (key != NULL) {
        struct ledger_key *next = key->hh.next;
        free(key);
        key = next;
    }
    free(ledger);
}

/* --- keys -------------------------------------------------------------------------------------------------------- */

static void name_key(enum fake_channel channel, const char *key, char name[KEY_NAME_BYTES]) {
    snprintf(name, KEY_NAME_BYTES, "%s/%s", fake_channel_name(channel), key);
}

static struct ledger_key *find_ledger_key(struct fake_ledger *ledger, const char *name) {
    struct ledger_key *key;
    HASH_FIND_STR(ledger->keys, name, key);
    return key;
}

/* Returns: NULL: no memory */
static struct ledger_key *have_ledger_key(struct fake_ledger *ledger, const char *name) {
    struct ledger_key *key = find_ledger_key(ledger, name);
    if (key == NULL && (key = calloc(1, sizeof(*key) + strlen(name) + 1)) != NULL) {
        strcpy(key->name, name);
        HASH_ADD_STR(ledger->keys, name, key);
    }
    return key;
}

void fake_ledger_begin(struct fake_ledger *ledger, enum fake_channel channel, const char *key) {
    char name[KEY_NAME_BYTES];
    name_key(channel, key, name);
    struct ledger_key *entry = have_ledger_key(ledger, name);
    if (entry != NULL) {
        entry->undecided++;
    }
}

void fake_ledger_end(struct fake_ledger *ledger, enum fake_channel channel, const char *key) {
    char name[KEY_NAME_BYTES];
    name_key(channel, key, name);
    struct ledger_key *entry = find_ledger_key(ledger, name);
    if (entry != NULL && --entry->undecided == 0 && entry->remote_id[0] == '\0') {
        HASH_DEL(ledger->keys, entry);
        free(entry);
    }
}

enum fake_look_up fake_ledger_look_up(struct fake_ledger *ledger, enum fake_channel channel, const char *key,
                                      const char **ret_remote_id) {
    char name[KEY_NAME_BYTES];
    name_key(channel, key, name);
    const struct ledger_key *entry = find_ledger_key(ledger, name);
    if (entry == NULL) {
        return FAKE_NEVER;
    }
    if (entry->remote_id[0] == '\0') {
        return FAKE_UNDECIDED;
    }
    *ret_remote_id = entry->remote_id;
    return FAKE_ACCEPTED;
}

void fake_ledger_remote_id(enum fake_channel channel, const char *key, char ret_remote_id[FAKE_REMOTE_ID_BYTES]) {
    char name[KEY_NAME_BYTES], prefix[24], hex[13];
    unsigned char digest[SHA256_DIGEST_LENGTH];
    size_t length = 0;
    name_key(channel, key, name);
    SHA256((const unsigned char *)name, strlen(name), digest);
    for (const char *at = fake_channel_name(channel); *at != '\0' && length < sizeof(prefix) - 1; at++) {
        prefix[length++] = *at == '_' ? '-' : (char)(*at - 'A' + 'a');
    }
    prefix[length] = '\0';
    herald_write_hex(digest, 6, hex);
    snprintf(ret_remote_id, FAKE_REMOTE_ID_BYTES, "%s-%s", prefix, hex);
}

/* --- posts ------------------------------------------------------------------------------------------------------- */

/* The members of an object as text, without the brackets; the reference is taken. NULL without memory. */
static char *members_of(json_t *object) {
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (text != NULL) {
        size_t bytes = strlen(text);
        memmove(text, text + 1, bytes - 2);
        text[bytes - 2] = '\0';
    }
    return text;
}

/* Without memory, the line is missing. */
static void append_line(struct ledger_lines *lines, struct ledger_line line) {
    if (lines->count == lines->room) {
        size_t room = lines->room > 0 ? lines->room * 2 : 64;
        struct ledger_line *grown = realloc(lines->at, room * sizeof(*grown));
        if (grown == NULL) {
            free(line.members);
            return;
        }
        lines->at = grown;
        lines->room = room;
    }
    lines->at[lines->count++] = line;
}

bool fake_ledger_accept(struct fake_ledger *ledger, const struct fake_post *post, const char *remote_id, json_t *more,
                        uint64_t *ret_line) {
    char name[KEY_NAME_BYTES];
    name_key(post->channel, post->idempotency_key, name);
    struct ledger_key *key = have_ledger_key(ledger, name);
    bool duplicate = key != NULL && key->remote_id[0] != '\0';
    if (key != NULL && !duplicate) {
        snprintf(key->remote_id, sizeof(key->remote_id), "%s", remote_id);
    }
    json_t *members = json_pack("{s:s, s:s, s:s, s:s}", "channel", fake_channel_name(post->channel), "event_id",
                                post->event_id, "idempotency_key", post->idempotency_key, "remote_id", remote_id);
    if (more != NULL) {
        json_object_update(members, more);
    }
    *ret_line = ledger->first_line + ledger->log.count;
    append_line(
        &ledger->log,
        (struct ledger_line){.members = members_of(members), .received_ms = post->received_ms, .duplicate = duplicate});
    ledger->accepted[post->channel]++;
    return duplicate;
}

void fake_ledger_answered(struct fake_ledger *ledger, uint64_t line, int64_t answered_ms) {
    if (line >= ledger->first_line && line - ledger->first_line < ledger->log.count) {
        ledger->log.at[line - ledger->first_line].answered_ms = answered_ms;
    }
}

void fake_ledger_refuse(struct fake_ledger *ledger, const struct fake_post *post, unsigned status, const char *why) {
    json_t *members = json_pack("{s:s, s:s, s:s, s:I, s:i, s:s}", "channel", fake_channel_name(post->channel),
                                "event_id", post->event_id, "idempotency_key", post->idempotency_key, "received_ms",
                                (json_int_t)post->received_ms, "status", (int)status, "why", why);
    append_line(&ledger->refused, (struct ledger_line){.members = members_of(members)});
}

uint64_t fake_ledger_accepted(const struct fake_ledger *ledger, enum fake_channel channel) {
    return ledger->accepted[channel];
}

/* --- lists ------------------------------------------------------------------------------------------------------- */

char *fake_ledger_log(const struct fake_ledger *ledger) {
    char *text = NULL, answered[24];
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < ledger->log.count; i++) {
        const struct ledger_line *line = &ledger->log.at[i];
        snprintf(answered, sizeof(answered), "%" PRId64, line->answered_ms);
        fprintf(out, "{%s,\"received_ms\":%" PRId64 ",\"answered_ms\":%s,\"duplicate\":%s}\n",
                line->members != NULL ? line->members : "", line->received_ms,
                line->answered_ms > 0 ? answered : "null", line->duplicate ? "true" : "false");
    }
    fclose(out);
    return text;
}

char *fake_ledger_refused(const struct fake_ledger *ledger) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < ledger->refused.count; i++) {
        fprintf(out, "{%s}\n", ledger->refused.at[i].members != NULL ? ledger->refused.at[i].members : "");
    }
    fclose(out);
    return text;
}

void fake_ledger_clear(struct fake_ledger *ledger) {
    ledger->first_line += ledger->log.count;
    clear_lines(&ledger->log);
    clear_lines(&ledger->refused);
}
