/* Checks of the [kafka] settings: topic names and the list of brokers. */
#include "server/store/kafka/kafka_settings.h"

#include "server/settings/settings_check.h"
#include "server/settings/settings_map.h"
#include "server/store/kafka/kafka_client.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void check_topic(struct settings_reading *reading, char *const *member) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = strlen(*member);
    if (length == 0 || length > 249 || strspn(*member, allowed) != length || strcmp(*member, ".") == 0 ||
        strcmp(*member, "..") == 0) {
        settings_bad(reading, member, HERALD_REASON_BAD_TOPIC,
                     "a Kafka topic is 1 to 249 of the characters a-z A-Z 0-9 . _ -");
    }
}

static void check_dead_letters(struct settings_reading *reading, const struct kafka_settings *settings) {
    if (strcmp(settings->kafka_image_job_topic, settings->kafka_dead_letter_topic) == 0) {
        settings_bad(reading, &settings->kafka_dead_letter_topic, HERALD_REASON_CONFLICT,
                     "must differ from [kafka] image_job_topic, or each bad record would come back");
    }
}

/* The entry that a text of librdkafka names; else the first one. */
static void find_culprit(const char *properties, const char *text, char ret_name[SETTINGS_MAP_NAME_BYTES]) {
    struct settings_map_entry entry;
    const char *at = properties;
    bool named = false;
    ret_name[0] = '\0';
    while (!named && settings_map_next(&at, &entry)) {
        named = strstr(text, entry.name) != NULL;
        if (named || ret_name[0] == '\0') {
            memcpy(ret_name, entry.name, sizeof(entry.name));
        }
    }
}

static bool name_ends_with(const char *text, const char *end) {
    size_t bytes = strlen(text), end_bytes = strlen(end);
    return bytes >= end_bytes && strcmp(text + bytes - end_bytes, end) == 0;
}

/* Whether the properties ask for TLS. */
static bool speaks_tls(const char *properties) {
    struct settings_map_entry entry;
    bool tls = false;
    while (settings_map_next(&properties, &entry)) {
        if (strcmp(entry.name, "security.protocol") == 0) {
            tls = (entry.value_bytes == 3 && strncasecmp(entry.value, "ssl", 3) == 0) ||
                  (entry.value_bytes == 8 && strncasecmp(entry.value, "sasl_ssl", 8) == 0);
        }
    }
    return tls;
}

/* A certificate that is named and not used would leave the connection in plain text. */
static void check_unused_files(struct settings_reading *reading, char *const *member) {
    struct settings_map_entry entry;
    const char *at = *member;
    while (!speaks_tls(*member) && settings_map_next(&at, &entry)) {
        if (strncmp(entry.name, "ssl.", 4) == 0 &&
            (name_ends_with(entry.name, ".location") || name_ends_with(entry.name, ".pem"))) {
            settings_bad_entry(reading, member, entry.name, HERALD_REASON_CONFLICT,
                               "is for TLS: set [kafka] property.security.protocol to ssl or sasl_ssl, or remove it");
        }
    }
}

static void check_properties(struct settings_reading *reading, char *const *member) {
    struct settings_map_entry entry;
    struct herald_error error = {0};
    const char *at = *member;
    bool good = true;
    while (settings_map_next(&at, &entry)) {
        char *value = strndup(entry.value, entry.value_bytes);
        if (kafka_property_check(entry.name, value ? value : "", &error) != HERALD_OK) {
            settings_bad_entry(reading, member, entry.name, HERALD_REASON_BAD_VALUE, error.message);
            good = false;
        }
        free(value);
    }
    check_unused_files(reading, member);
    if (good && **member && kafka_properties_check(*member, &error) != HERALD_OK) {
        char name[SETTINGS_MAP_NAME_BYTES];
        find_culprit(*member, error.message, name);
        settings_bad_entry(reading, member, name, HERALD_REASON_CONFLICT, error.message);
    }
}

void kafka_settings_check(struct settings_reading *reading, const void *part) {
    const struct kafka_settings *settings = part;
    settings_check_not_empty(reading, &settings->kafka_group);
    settings_check_endpoints(reading, &settings->kafka_bootstrap);
    check_topic(reading, &settings->kafka_event_topic);
    check_topic(reading, &settings->kafka_distribution_topic);
    check_topic(reading, &settings->kafka_image_job_topic);
    check_topic(reading, &settings->kafka_dead_letter_topic);
    check_dead_letters(reading, settings);
    check_properties(reading, &settings->kafka_property);
}
