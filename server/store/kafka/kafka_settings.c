/* Checks of the [kafka] settings: topic names and the list of brokers. */
#include "server/store/kafka/kafka_settings.h"

#include "server/settings/settings_check.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static void check_topic(struct settings_reading *reading, char *const *member) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = strlen(*member);
    if (length == 0 || length > 249 || strspn(*member, allowed) != length || strcmp(*member, ".") == 0 ||
        strcmp(*member, "..") == 0) {
        settings_bad(reading, member, HERALD_REASON_BAD_TOPIC,
                     "a Kafka topic is 1 to 249 of the characters a-z A-Z 0-9 . _ -");
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
            settings_bad(reading, member, HERALD_REASON_BAD_ENDPOINT,
                         "must be host:port, or several with commas between them");
            return;
        }
        if (at[length] == '\0') {
            return;
        }
        at += length + 1;
    }
}

static void check_dead_letters(struct settings_reading *reading, const struct kafka_settings *settings) {
    if (strcmp(settings->kafka_image_job_topic, settings->kafka_dead_letter_topic) == 0) {
        settings_bad(reading, &settings->kafka_dead_letter_topic, HERALD_REASON_CONFLICT,
                     "must differ from [kafka] image_job_topic, or each bad record would come back");
    }
}

void kafka_settings_check(struct settings_reading *reading, const void *part) {
    const struct kafka_settings *settings = part;
    settings_check_not_empty(reading, &settings->kafka_group);
    check_endpoints(reading, &settings->kafka_bootstrap);
    check_topic(reading, &settings->kafka_event_topic);
    check_topic(reading, &settings->kafka_distribution_topic);
    check_topic(reading, &settings->kafka_image_job_topic);
    check_topic(reading, &settings->kafka_dead_letter_topic);
    check_dead_letters(reading, settings);
}
