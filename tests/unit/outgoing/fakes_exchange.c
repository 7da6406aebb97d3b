#include "tests/unit/outgoing/fakes_exchange.h"

#include "server/runtime/call.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fakes *exchange_fakes;
struct webhook_secret exchange_secret;

void exchange_start(struct fakes_options options) {
    struct fakes_secret all = {.channel = FAKE_CHANNEL_COUNT};
    struct herald_error error;
    assert_int_equal(webhook_secret_parse(EXCHANGE_SECRET, &exchange_secret, NULL), HERALD_OK);
    all.secret = exchange_secret;
    options.host = "127.0.0.1";
    if (options.secret_count == 0) {
        options.secrets = &all;
        options.secret_count = 1;
    }
    if (fakes_start(&options, &exchange_fakes, &error) != HERALD_OK) {
        fail_msg("%s", error.message);
    }
    for (int i = 0; i < FAKE_CHANNEL_COUNT; i++) {
        struct fake_behaviour at_once = {.step = FAKE_ANY_STEP, .latency = {.kind = FAKE_LATENCY_FIXED}};
        fake_channels_set(fakes_channels(exchange_fakes), (enum fake_channel)i, at_once);
    }
}

void exchange_stop(void) {
    fakes_stop(exchange_fakes);
    exchange_fakes = NULL;
}

static size_t on_answer(char *data, size_t size, size_t count, void *user) {
    struct exchange *exchange = user;
    size_t bytes = size * count, room = sizeof(exchange->answer) - 1;
    size_t at = exchange->answer_bytes < room ? exchange->answer_bytes : room;
    size_t kept = bytes < room - at ? bytes : room - at;
    memcpy(exchange->answer + at, data, kept);
    exchange->answer[at + kept] = '\0';
    exchange->answer_bytes += bytes;
    return bytes;
}

static size_t on_header(char *data, size_t size, size_t count, void *user) {
    static const char NAME[] = "retry-after: ";
    struct exchange *exchange = user;
    size_t bytes = size * count, name_bytes = sizeof(NAME) - 1;
    if (bytes > name_bytes + 2 && strncasecmp(data, NAME, name_bytes) == 0) {
        snprintf(exchange->retry_after, sizeof(exchange->retry_after), "%.*s", (int)(bytes - name_bytes - 2),
                 data + name_bytes);
    }
    return bytes;
}

static struct curl_slist *sign(const struct exchange *exchange, struct curl_slist *headers) {
    char header[192], signature[64];
    int64_t now_s = clock_wall_us() / 1000000 + exchange->clock_skew_s;
    if (exchange->key == NULL) {
        return headers;
    }
    snprintf(header, sizeof(header), "webhook-id: %s", exchange->key);
    headers = curl_slist_append(headers, header);
    if (exchange->unsigned_post) {
        return headers;
    }
    webhook_sign(&exchange_secret, exchange->key, now_s, exchange->body, strlen(exchange->body), signature,
                 sizeof(signature));
    snprintf(header, sizeof(header), "webhook-timestamp: %" PRId64, now_s);
    headers = curl_slist_append(headers, header);
    snprintf(header, sizeof(header), "webhook-signature: v1,AAAA %s", signature);
    return curl_slist_append(headers, header);
}

static struct curl_slist *headers_of(const struct exchange *exchange) {
    struct curl_slist *headers = NULL;
    for (int i = 0; i < EXCHANGE_HEADERS && exchange->headers[i] != NULL; i++) {
        headers = curl_slist_append(headers, exchange->headers[i]);
    }
    return sign(exchange, headers);
}

void exchange_perform(struct exchange *exchange) {
    char url[2048];
    CURL *easy = curl_easy_init();
    struct curl_slist *headers = headers_of(exchange);
    snprintf(url, sizeof(url), "%s%s", fakes_url(exchange_fakes), exchange->path);
    exchange->answer_bytes = 0;
    exchange->answer[0] = '\0';
    exchange->retry_after[0] = '\0';
    exchange->status = 0;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, exchange->timeout_ms > 0 ? exchange->timeout_ms : 10000L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
    if (exchange->body != NULL) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, exchange->body);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, exchange->method);
    uint64_t begun_us = clock_now_us();
    exchange->result = curl_easy_perform(easy);
    exchange->took_us = clock_now_us() - begun_us;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &exchange->status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
}

long exchange_send(struct exchange *exchange, const char *method, const char *path, const char *body) {
    *exchange = (struct exchange){.method = method, .path = path, .body = body};
    exchange_perform(exchange);
    return exchange->status;
}

long exchange_get(struct exchange *exchange, const char *path) {
    return exchange_send(exchange, "GET", path, NULL);
}

void exchange_post(struct exchange *exchange, const char *key) {
    exchange->method = "POST";
    if (exchange->path == NULL) {
        exchange->path = "/channels/INSTAGRAM/posts";
    }
    if (exchange->body == NULL) {
        exchange->body = POST_OF("INSTAGRAM");
    }
    exchange->key = key;
    exchange_perform(exchange);
}

void exchange_behave(const char *channel, const char *body) {
    char path[64];
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    snprintf(path, sizeof(path), "/behaviour/%s", channel);
    if (exchange_send(exchange, "PUT", path, body) != 200) {
        fail_msg("%s: %s", body, exchange->answer);
    }
    free(exchange);
}

int exchange_count_lines(const char *path, const char *what) {
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    int lines = 0;
    assert_int_equal(exchange_get(exchange, path), 200);
    for (char *line = strtok(exchange->answer, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        lines += strstr(line, what) != NULL;
    }
    free(exchange);
    return lines;
}

void exchange_wait_for_lines(const char *path, const char *what, int count) {
    uint64_t patience_us = clock_now_us() + 10000000;
    while (exchange_count_lines(path, what) != count) {
        assert_true(clock_now_us() < patience_us);
    }
}

json_t *exchange_json(const struct exchange *exchange) {
    json_t *json = json_loads(exchange->answer, 0, NULL);
    if (json == NULL) {
        fail_msg("no JSON: %ld %s", exchange->status, exchange->answer);
    }
    return json;
}
