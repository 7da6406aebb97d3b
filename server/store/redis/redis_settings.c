/* Checks of the [redis] settings: what the start would refuse is refused here. */
#include "server/store/redis/redis_settings.h"

#include "server/settings/settings_check.h"
#include "server/store/redis/redis_tls.h"
#include "server/store/redis/redis_url.h"

#include <stddef.h>
#include <string.h>

/* The setting of the file that a message of redis_tls_context() begins with; else one that is set. */
static char *const *culprit_of(const struct redis_settings *settings, const char *message) {
    char *const *const members[] = {&settings->redis_ca_file, &settings->redis_key_file, &settings->redis_cert_file};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        size_t length = strlen(*members[i]);
        if (length > 0 && strncmp(message, *members[i], length) == 0 && message[length] == ':') {
            return members[i];
        }
    }
    return *settings->redis_cert_file ? &settings->redis_cert_file : &settings->redis_key_file;
}

static void check_files(struct settings_reading *reading, const struct redis_settings *settings) {
    struct herald_error error = {0};
    SSL_CTX *context = NULL;
    const struct redis_tls_options options = {
        .ca_file = settings->redis_ca_file,
        .cert_file = settings->redis_cert_file,
        .key_file = settings->redis_key_file,
    };
    if (redis_tls_context(&options, &context, &error) != HERALD_OK) {
        settings_bad(reading, culprit_of(settings, error.message), HERALD_REASON_BAD_CERTIFICATE, error.message);
    }
    SSL_CTX_free(context);
}

/* A file that is named and not used would leave the connection in plain text. */
static void check_unused(struct settings_reading *reading, const struct redis_settings *settings) {
    char *const *const members[] = {&settings->redis_ca_file, &settings->redis_cert_file, &settings->redis_key_file,
                                    &settings->redis_server_name};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (**members[i]) {
            settings_bad(reading, members[i], HERALD_REASON_CONFLICT,
                         "is for TLS, and [redis] url does not begin with rediss");
        }
    }
}

void redis_settings_check(struct settings_reading *reading, const void *part) {
    const struct redis_settings *settings = part;
    struct herald_error error = {0};
    struct redis_url url = {0};
    if (redis_url_parse(settings->redis_url, &url, &error) != HERALD_OK) {
        settings_bad(reading, &settings->redis_url, HERALD_REASON_BAD_URL, error.message);
        return;
    }
    if (url.tls) {
        check_files(reading, settings);
    } else {
        check_unused(reading, settings);
    }
    explicit_bzero(&url, sizeof(url));
}
