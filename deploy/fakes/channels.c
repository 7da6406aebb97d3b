/*
 * The state of the fake channels: channels.h. Posts are JSON objects in two arrays, as GET /log and GET /rejected show
 * them. "accepted" maps "CHANNEL/key" to the remote id: a post whose key is there is a duplicate. "undecided" counts,
 * by the same names, posts that have arrived and may still be accepted. While there is one, a look-up does not say
 * that the post was never accepted.
 */
#include "deploy/fakes/channels.h"

#include "client/base/ascii.h"

#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOW_MS 5000

#define USUAL_MS_ROW(name, usual_ms) [FAKE_##name] = (usual_ms),
static const uint32_t USUAL_MS[FAKE_CHANNEL_COUNT] = {FAKE_CHANNELS(USUAL_MS_ROW)};

struct fake_channels {
    pthread_mutex_t lock;
    struct fake_behaviour behaviours[FAKE_CHANNEL_COUNT];
    json_t *log, *refused; /* arrays */
    json_t *accepted;      /* object */
    json_t *undecided;     /* object */
    uint64_t first_line;   /* number of the first line in the log: numbers go on after the log is cleared */
};

struct fake_channels *fake_channels_new(void) {
    struct fake_channels *channels = calloc(1, sizeof(*channels));
    if (channels == NULL) {
        return NULL;
    }
    pthread_mutex_init(&channels->lock, NULL);
    channels->log = json_array();
    channels->refused = json_array();
    channels->accepted = json_object();
    channels->undecided = json_object();
    return channels;
}

void fake_channels_free(struct fake_channels *channels) {
    if (channels == NULL) {
        return;
    }
    json_decref(channels->log);
    json_decref(channels->refused);
    json_decref(channels->accepted);
    json_decref(channels->undecided);
    pthread_mutex_destroy(&channels->lock);
    free(channels);
}

void fake_channels_set(struct fake_channels *channels, enum fake_channel channel, struct fake_behaviour behaviour) {
    pthread_mutex_lock(&channels->lock);
    channels->behaviours[channel] = behaviour;
    pthread_mutex_unlock(&channels->lock);
}

struct fake_behaviour fake_channels_take(struct fake_channels *channels, enum fake_channel channel) {
    pthread_mutex_lock(&channels->lock);
    struct fake_behaviour *now = &channels->behaviours[channel], taken = *now;
    if (now->count > 0 && --now->count == 0) {
        *now = (struct fake_behaviour){.mode = FAKE_OK};
    }
    pthread_mutex_unlock(&channels->lock);
    if (taken.delay_ms == 0) {
        taken.delay_ms = taken.mode == FAKE_SLOW ? SLOW_MS : USUAL_MS[channel];
    }
    return taken;
}

json_t *fake_channels_show(struct fake_channels *channels) {
    json_t *all = json_object();
    pthread_mutex_lock(&channels->lock);
    for (int i = 0; i < FAKE_CHANNEL_COUNT; i++) {
        json_object_set_new(all, fake_channel_name((enum fake_channel)i),
                            fake_behaviour_write(&channels->behaviours[i]));
    }
    pthread_mutex_unlock(&channels->lock);
    return all;
}

/* --- posts ------------------------------------------------------------------------------------------------------- */

static void accepted_name(enum fake_channel channel, const char *key, char *name, size_t bytes) {
    snprintf(name, bytes, "%s/%s", fake_channel_name(channel), key);
}

/* Writes "instagram-3f9a…", derived from the key, so that it is the same after a restart. */
static void remote_id_of_post(enum fake_channel channel, const char *name, char *remote_id) {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)name, strlen(name), digest);
    char prefix[24];
    size_t length = 0;
    for (const char *at = fake_channel_name(channel); *at != '\0' && length < sizeof(prefix) - 1; at++) {
        prefix[length++] = *at == '_' ? '-' : (char)(*at - 'A' + 'a');
    }
    prefix[length] = '\0';
    char hex[13];
    herald_write_hex(digest, 6, hex);
    snprintf(remote_id, 64, "%s-%s", prefix, hex);
}

bool fake_channels_accept(struct fake_channels *channels, const struct fake_post *post, char *ret_remote_id,
                          uint64_t *ret_line) {
    char name[256];
    accepted_name(post->channel, post->idempotency_key, name, sizeof(name));
    remote_id_of_post(post->channel, name, ret_remote_id);
    pthread_mutex_lock(&channels->lock);
    bool duplicate = json_object_get(channels->accepted, name) != NULL;
    json_object_set_new(channels->accepted, name, json_string(ret_remote_id));
    *ret_line = channels->first_line + json_array_size(channels->log);
    json_array_append_new(channels->log,
                          json_pack("{s:s, s:s, s:s, s:s, s:I, s:n, s:b}", "channel", fake_channel_name(post->channel),
                                    "event_id", post->event_id, "idempotency_key", post->idempotency_key, "remote_id",
                                    ret_remote_id, "received_ms", (json_int_t)post->received_ms, "answered_ms",
                                    "duplicate", (int)duplicate));
    pthread_mutex_unlock(&channels->lock);
    return duplicate;
}

void fake_channels_answered(struct fake_channels *channels, uint64_t line, int64_t answered_ms) {
    pthread_mutex_lock(&channels->lock);
    json_t *entry = line >= channels->first_line ? json_array_get(channels->log, line - channels->first_line) : NULL;
    if (entry != NULL) {
        json_object_set_new(entry, "answered_ms", json_integer(answered_ms));
    }
    pthread_mutex_unlock(&channels->lock);
}

void fake_channels_refuse(struct fake_channels *channels, const struct fake_post *post, unsigned status,
                          const char *why) {
    pthread_mutex_lock(&channels->lock);
    json_array_append_new(channels->refused,
                          json_pack("{s:s, s:s, s:s, s:I, s:i, s:s}", "channel", fake_channel_name(post->channel),
                                    "event_id", post->event_id, "idempotency_key", post->idempotency_key, "received_ms",
                                    (json_int_t)post->received_ms, "status", (int)status, "why", why));
    pthread_mutex_unlock(&channels->lock);
}

static void count_undecided(struct fake_channels *channels, const struct fake_post *post, int by) {
    char name[256];
    accepted_name(post->channel, post->idempotency_key, name, sizeof(name));
    pthread_mutex_lock(&channels->lock);
    json_int_t count = json_integer_value(json_object_get(channels->undecided, name)) + by;
    if (count > 0) {
        json_object_set_new(channels->undecided, name, json_integer(count));
    } else {
        json_object_del(channels->undecided, name);
    }
    pthread_mutex_unlock(&channels->lock);
}

void fake_channels_begin(struct fake_channels *channels, const struct fake_post *post) {
    count_undecided(channels, post, 1);
}

void fake_channels_end(struct fake_channels *channels, const struct fake_post *post) {
    count_undecided(channels, post, -1);
}

enum fake_look_up fake_channels_look_up(struct fake_channels *channels, enum fake_channel channel, const char *key,
                                        char *ret_remote_id) {
    char name[256];
    accepted_name(channel, key, name, sizeof(name));
    pthread_mutex_lock(&channels->lock);
    const char *remote_id = json_string_value(json_object_get(channels->accepted, name));
    if (remote_id != NULL) {
        snprintf(ret_remote_id, 64, "%s", remote_id);
    }
    enum fake_look_up found = remote_id != NULL                                    ? FAKE_ACCEPTED
                              : json_object_get(channels->undecided, name) != NULL ? FAKE_UNDECIDED
                                                                                   : FAKE_NEVER;
    pthread_mutex_unlock(&channels->lock);
    return found;
}

/* --- logs -------------------------------------------------------------------------------------------------------- */

static int append_text(const char *text, size_t bytes, void *user) {
    return fwrite(text, 1, bytes, user) == bytes ? 0 : -1;
}

static char *lines_of(struct fake_channels *channels, json_t *const *entries) {
    char *text = NULL;
    size_t bytes = 0, i;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL) {
        return NULL;
    }
    pthread_mutex_lock(&channels->lock);
    json_t *entry;
    json_array_foreach(*entries, i, entry) {
        json_dump_callback(entry, append_text, out, JSON_COMPACT);
        fputc('\n', out);
    }
    pthread_mutex_unlock(&channels->lock);
    fclose(out);
    return text;
}

char *fake_channels_log(struct fake_channels *channels) {
    return lines_of(channels, &channels->log);
}

char *fake_channels_refused(struct fake_channels *channels) {
    return lines_of(channels, &channels->refused);
}

void fake_channels_clear(struct fake_channels *channels) {
    pthread_mutex_lock(&channels->lock);
    channels->first_line += json_array_size(channels->log);
    json_array_clear(channels->log);
    json_array_clear(channels->refused);
    pthread_mutex_unlock(&channels->lock);
}
