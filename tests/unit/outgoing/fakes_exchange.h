#ifndef HERALD_TESTS_FAKES_EXCHANGE_H
#define HERALD_TESTS_FAKES_EXCHANGE_H

/* Requests to fake channels that run inside a test, and what came back. */
#include "deploy/fakes/fakes.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define EXCHANGE_SECRET  "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define EXCHANGE_HEADERS 8
#define POST_OF(channel) "{\"eventId\":\"e-1\",\"channel\":\"" channel "\",\"title\":\"반값 행사\"}"

/** The fake channels of the test that runs. */
extern struct fakes *exchange_fakes;
/** The secret of EXCHANGE_SECRET, which posts are signed with. */
extern struct webhook_secret exchange_secret;

struct exchange {
    const char *method, *path, *body;
    const char *key; /* NULL: no header of webhooks */
    const char *headers[EXCHANGE_HEADERS];
    int64_t clock_skew_s;
    bool unsigned_post;
    long timeout_ms; /* 0: 10 s */
    CURLcode result;
    long status;
    char answer[65536];
    size_t answer_bytes; /* of a longer answer: all that came */
    char retry_after[64];
    uint64_t took_us;
};

/** Starts channels that answer at once. @options  host and secrets are filled in when they are missing */
void exchange_start(struct fakes_options options);
void exchange_stop(void);

/** Sends the request; fills result to took_us. */
void exchange_perform(struct exchange *exchange);
long exchange_get(struct exchange *exchange, const char *path);
/** Sends @body with a method to a path; the other members are cleared. */
long exchange_send(struct exchange *exchange, const char *method, const char *path, const char *body);
/** Posts to the webhook of the path, of INSTAGRAM when there is none. */
void exchange_post(struct exchange *exchange, const char *key);
/** Sets a behaviour, which must be taken. */
void exchange_behave(const char *channel, const char *body);
/** How many lines of a list hold @what. */
int exchange_count_lines(const char *path, const char *what);
/** Waits until that many lines of a list hold @what; fails after 10 s. */
void exchange_wait_for_lines(const char *path, const char *what, int count);
/** The answer as JSON; json_decref() it. It must be some. */
json_t *exchange_json(const struct exchange *exchange);

#endif
