#include "server/event/event_settings.h"

#include "server/settings/settings_check.h"

#include <stdio.h>

void event_settings_check(struct settings_reading *reading, const void *part) {
    const struct event_settings *settings = part;
    settings_check_url(reading, &settings->event_url, SETTINGS_RPC_SCHEMES, SETTINGS_URL_LISTEN);
    settings_check_urls(reading, &settings->event_call_url, SETTINGS_RPC_SCHEMES);
}

void publish_settings_check(struct settings_reading *reading, const void *part) {
    const struct publish_settings *settings = part;
    char what[112];
    if (settings->breaker_minimum_calls <= settings->breaker_window_calls) {
        return;
    }
    (void)snprintf(what, sizeof(what), "%u is more than [breaker] window_calls = %u: no rate would ever count",
                   settings->breaker_minimum_calls, settings->breaker_window_calls);
    settings_bad(reading, &settings->breaker_minimum_calls, HERALD_REASON_CONFLICT, what);
}
