#include "server/distribution/distribution_settings.h"

#include "server/settings/settings_check.h"

#include <string.h>

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
    settings_bad(reading, member, HERALD_REASON_BAD_SECRET, "must be whsec_ and the base64 of at least 24 bytes");
}

void distribution_settings_check(struct settings_reading *reading, const void *part) {
    const struct distribution_settings *settings = part;
    settings_check_url(reading, &settings->distribution_url, SETTINGS_RPC_SCHEMES);
    settings_check_urls(reading, &settings->distribution_call_url, SETTINGS_RPC_SCHEMES);
}

void channels_settings_check(struct settings_reading *reading, const void *part) {
    const struct channels_settings *settings = part;
    settings_check_url(reading, &settings->channels_url, "http:// https://");
    check_webhook_secret(reading, &settings->channels_secret);
}
