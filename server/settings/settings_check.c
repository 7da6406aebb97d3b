#include "server/settings/settings_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Checks of values that have the right type: what one is for, and what they mean together. Run only when each value by
 * itself is good. */

static const struct setting_row *row_of(const void *member, const struct settings *settings) {
    size_t offset = (size_t)((const char *)member - (const char *)settings);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (SETTING_ROWS[i].offset == offset) {
            return &SETTING_ROWS[i];
        }
    }
    abort(); /* each member has its row */
}

/* @member  the setting, as &settings->event_url */
static void bad(struct settings_reading *reading, const void *member, enum herald_reason reason, const char *what) {
    const struct setting_row *row = row_of(member, reading->settings);
    char origin[112];
    settings_origin(reading, row, origin, sizeof(origin));
    settings_problem(reading, row, reason, "%s: %s", origin, what);
}

/* Whether one of the schemes, "tcp:// ipc://", begins the URL, with something behind it. */
static bool has_scheme(const char *url, size_t url_bytes, const char *schemes) {
    for (const char *scheme = schemes; *scheme != '\0';) {
        size_t length = strcspn(scheme, " ");
        if (url_bytes > length && strncmp(url, scheme, length) == 0) {
            return true;
        }
        scheme += length;
        scheme += strspn(scheme, " ");
    }
    return false;
}

static void check_url(struct settings_reading *reading, char *const *member, const char *schemes) {
    char what[112];
    if (has_scheme(*member, strlen(*member), schemes)) {
        return;
    }
    (void)snprintf(what, sizeof(what), "must be a URL that begins with one of %s", schemes);
    bad(reading, member, HERALD_REASON_BAD_URL, what);
}

static const char rpc_schemes[] = "tcp:// tls+tcp:// ipc:// inproc://";

/* Several URLs with commas between them, or none. */
static void check_call_url(struct settings_reading *reading, char *const *member) {
    char what[128];
    for (const char *url = *member; *url != '\0';) {
        size_t length = strcspn(url, ",");
        if (!has_scheme(url, length, rpc_schemes)) {
            (void)snprintf(what, sizeof(what), "must be URLs with commas between them, each begins with one of %s",
                           rpc_schemes);
            bad(reading, member, HERALD_REASON_BAD_URL, what);
            return;
        }
        url += length + (url[length] == ',');
    }
}

static void check_not_empty(struct settings_reading *reading, char *const *member) {
    if (**member == '\0') {
        bad(reading, member, HERALD_REASON_BAD_VALUE, "must not be empty");
    }
}

static void check_topic(struct settings_reading *reading, char *const *member) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = strlen(*member);
    if (length == 0 || length > 249 || strspn(*member, allowed) != length || strcmp(*member, ".") == 0 ||
        strcmp(*member, "..") == 0) {
        bad(reading, member, HERALD_REASON_BAD_TOPIC, "a Kafka topic is 1 to 249 of the characters a-z A-Z 0-9 . _ -");
    }
}

/* "host:port" or "[address]:port" */
static bool is_endpoint(const char *text, size_t length) {
    const char *colon = memrchr(text, ':', length);
    if (colon == NULL || colon == text) {
        return false;
    }
    size_t digits = length - (size_t)(colon + 1 - text);
    unsigned port = 0;
    if (digits == 0 || digits > 5) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        if (!isdigit((unsigned char)colon[1 + i])) {
            return false;
        }
        port = port * 10 + (unsigned)(colon[1 + i] - '0');
    }
    return port >= 1 && port <= 65535;
}

static void check_endpoints(struct settings_reading *reading, char *const *member) {
    const char *at = *member;
    for (;;) {
        at += strspn(at, " ");
        size_t length = strcspn(at, ",");
        if (!is_endpoint(at, length)) {
            bad(reading, member, HERALD_REASON_BAD_ENDPOINT, "must be host:port, or several with commas between them");
            return;
        }
        if (at[length] == '\0') {
            return;
        }
        at += length + 1;
    }
}

static void check_webhook_secret(struct settings_reading *reading, char *const *member) {
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    enum { PREFIX = sizeof("whsec_") - 1, BASE64_OF_24_BYTES = 32 };
    const char *secret = *member;
    if (*secret == '\0') {
        return;
    }
    if (strncmp(secret, "whsec_", PREFIX) == 0) {
        size_t digits = strspn(secret + PREFIX, base64);
        size_t padding = strspn(secret + PREFIX + digits, "=");
        if (digits + padding >= BASE64_OF_24_BYTES && padding <= 2 && secret[PREFIX + digits + padding] == '\0') {
            return;
        }
    }
    bad(reading, member, HERALD_REASON_BAD_SECRET, "must be whsec_ and the base64 of at least 24 bytes");
}

static void check_breaker(struct settings_reading *reading) {
    const struct settings *settings = reading->settings;
    if (settings->breaker_minimum_calls <= settings->breaker_window_calls) {
        return;
    }
    char what[112];
    (void)snprintf(what, sizeof(what), "%u is more than [breaker] window_calls = %u: no rate would ever count",
                   settings->breaker_minimum_calls, settings->breaker_window_calls);
    bad(reading, &settings->breaker_minimum_calls, HERALD_REASON_CONFLICT, what);
}

static void check_dead_letters(struct settings_reading *reading) {
    const struct settings *settings = reading->settings;
    if (strcmp(settings->kafka_image_job_topic, settings->kafka_dead_letter_topic) == 0) {
        bad(reading, &settings->kafka_dead_letter_topic, HERALD_REASON_CONFLICT,
            "must differ from [kafka] image_job_topic, or each bad record would come back");
    }
}

void settings_check(struct settings_reading *reading) {
    struct settings *settings = reading->settings;
    check_url(reading, &settings->event_url, rpc_schemes);
    check_call_url(reading, &settings->event_call_url);
    check_url(reading, &settings->job_url, rpc_schemes);
    check_call_url(reading, &settings->job_call_url);
    check_url(reading, &settings->distribution_url, rpc_schemes);
    check_call_url(reading, &settings->distribution_call_url);
    check_url(reading, &settings->redis_url, "redis://");
    check_url(reading, &settings->channels_url, "http:// https://");
    check_url(reading, &settings->content_url, "http:// https://");
    check_not_empty(reading, &settings->pg_dsn);
    check_not_empty(reading, &settings->kafka_group);
    check_not_empty(reading, &settings->content_dir);
    check_endpoints(reading, &settings->kafka_bootstrap);
    check_topic(reading, &settings->kafka_event_topic);
    check_topic(reading, &settings->kafka_distribution_topic);
    check_topic(reading, &settings->kafka_image_job_topic);
    check_topic(reading, &settings->kafka_dead_letter_topic);
    check_webhook_secret(reading, &settings->channels_secret);
    check_breaker(reading);
    check_dead_letters(reading);
}
