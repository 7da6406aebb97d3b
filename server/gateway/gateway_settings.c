#include "server/gateway/gateway_settings.h"

#include "server/settings/settings_check.h"

void gateway_settings_check(struct settings_reading *reading, const void *part) {
    const struct gateway_settings *settings = part;
    settings_check_url(reading, &settings->gateway_listen, "http://", SETTINGS_URL_LISTEN);
    settings_check_urls(reading, &settings->gateway_url, "http:// https://");
    settings_check_urls(reading, &settings->gateway_event_url, SETTINGS_RPC_SCHEMES);
    settings_check_urls(reading, &settings->gateway_job_url, SETTINGS_RPC_SCHEMES);
    settings_check_urls(reading, &settings->gateway_distribution_url, SETTINGS_RPC_SCHEMES);
    settings_check_urls(reading, &settings->gateway_content_url, SETTINGS_RPC_SCHEMES);
}
