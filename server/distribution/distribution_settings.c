#include "server/distribution/distribution_settings.h"

#include "server/outgoing/webhook.h"
#include "server/settings/settings_check.h"

static void check_webhook_secret(struct settings_reading *reading, char *const *member) {
    struct webhook_secrets secrets;
    if (**member != '\0' && webhook_secrets_parse(*member, &secrets, NULL) != HERALD_OK) {
        settings_bad(reading, member, HERALD_REASON_BAD_SECRET,
                     "must be whsec_ and the base64 of 24 to 64 bytes, or up to 4 of these, newest first, with blanks "
                     "between them");
    }
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
