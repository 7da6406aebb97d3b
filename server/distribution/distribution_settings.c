#include "server/distribution/distribution_settings.h"

#include "server/outgoing/webhook.h"
#include "server/settings/settings_check.h"

#define HTTP_SCHEMES "http:// https://"

static void check_webhook_secrets(struct settings_reading *reading, char *const *member) {
    struct webhook_secrets secrets;
    if (**member != '\0' && webhook_secrets_parse(*member, &secrets, NULL) != HERALD_OK) {
        settings_bad(reading, member, HERALD_REASON_BAD_SECRET,
                     "must be whsec_ and the base64 of 24 to 64 bytes, or up to 4 of these, newest first, with blanks "
                     "between them");
    }
}

static void check_url_or_empty(struct settings_reading *reading, char *const *member) {
    if (**member != '\0') {
        settings_check_url(reading, member, HTTP_SCHEMES, SETTINGS_URL_WHOLE);
    }
}

void distribution_settings_check(struct settings_reading *reading, const void *part) {
    const struct distribution_settings *settings = part;
    settings_check_url(reading, &settings->distribution_url, SETTINGS_RPC_SCHEMES, SETTINGS_URL_LISTEN);
    settings_check_urls(reading, &settings->distribution_call_url, SETTINGS_RPC_SCHEMES);
}

void channels_settings_check(struct settings_reading *reading, const void *part) {
    const struct channels_settings *settings = part;
    settings_check_url(reading, &settings->channels_url, HTTP_SCHEMES, SETTINGS_URL_BASE);
    check_webhook_secrets(reading, &settings->channels_secret);
}

#define WEBHOOK_CHECK(section)                                                                                         \
    void section##_settings_check(struct settings_reading *reading, const void *part) {                                \
        const struct section##_settings *settings = part;                                                              \
        check_url_or_empty(reading, &settings->section##_url);                                                         \
        check_webhook_secrets(reading, &settings->section##_secret);                                                   \
    }
WEBHOOK_CHECK(wooridongne_tv)
WEBHOOK_CHECK(ringo_biz)
WEBHOOK_CHECK(genie_tv)

void instagram_settings_check(struct settings_reading *reading, const void *part) {
    const struct instagram_settings *settings = part;
    settings_check_url(reading, &settings->instagram_url, HTTP_SCHEMES, SETTINGS_URL_BASE);
}

void naver_blog_settings_check(struct settings_reading *reading, const void *part) {
    const struct naver_blog_settings *settings = part;
    settings_check_url(reading, &settings->naver_blog_url, HTTP_SCHEMES, SETTINGS_URL_BASE);
}

void kakao_channel_settings_check(struct settings_reading *reading, const void *part) {
    const struct kakao_channel_settings *settings = part;
    settings_check_url(reading, &settings->kakao_channel_url, HTTP_SCHEMES, SETTINGS_URL_BASE);
    if (settings->kakao_channel_sender[0] != '\0' && settings->kakao_channel_sender[0] != '@') {
        settings_bad(reading, &settings->kakao_channel_sender, HERALD_REASON_BAD_VALUE,
                     "must be the channel's search id, which begins with @");
    }
}
