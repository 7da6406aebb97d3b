#include "server/content/content_settings.h"

#include "server/settings/settings_check.h"

void content_settings_check(struct settings_reading *reading, const void *part) {
    const struct content_settings *settings = part;
    settings_check_url(reading, &settings->content_url, "http://", SETTINGS_URL_LISTEN);
    settings_check_url(reading, &settings->content_rpc_url, SETTINGS_RPC_SCHEMES, SETTINGS_URL_LISTEN);
    settings_check_urls(reading, &settings->content_rpc_call_url, SETTINGS_RPC_SCHEMES);
    settings_check_not_empty(reading, &settings->content_dir);
}
