#include "server/job/job_settings.h"

#include "server/settings/settings_check.h"

void job_settings_check(struct settings_reading *reading, const void *part) {
    const struct job_settings *settings = part;
    settings_check_url(reading, &settings->job_url, SETTINGS_RPC_SCHEMES, SETTINGS_URL_LISTEN);
    settings_check_urls(reading, &settings->job_call_url, SETTINGS_RPC_SCHEMES);
}
