#ifndef HERALD_EVENT_EVENT_SETTINGS_H
#define HERALD_EVENT_EVENT_SETTINGS_H

#include "server/settings/part.h"

#define EVENT_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                             \
    STRING(event, url, "tcp://127.0.0.1:7101", "Where herald-event listens.")                                          \
    STRING(event, call_url, "", "Where others find it: one URL, or several with commas; empty: url.")
SETTINGS_PART(event, EVENT_SETTINGS)
void event_settings_check(struct settings_reading *reading, const void *part);

#define PUBLISH_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                           \
    UINT(publish, timeout_ms, 70000, 1000, 600000, "Budget of the distribution call, ms.")                             \
    UINT(publish, reconcile_poll_ms, 1000, 10, 60000, "How often the reconciler looks for unfinished events, ms.")     \
    UINT(publish, reconcile_after_ms, 5000, 0, 3600000, "Not read any more; files may have it.")                       \
    UINT(breaker, window_calls, 20, 1, 100000, "Calls in the sliding window.")                                         \
    UINT(breaker, minimum_calls, 5, 1, 100000, "Calls before a rate counts.")                                          \
    UINT(breaker, failure_rate_percent, 50, 1, 100, "Opens at or above, percent.")                                     \
    UINT(breaker, slow_rate_percent, 100, 1, 100, "Opens at or above, percent.")                                       \
    UINT(breaker, slow_call_ms, 60000, 1, 600000, "A longer call is slow, ms.")                                        \
    UINT(breaker, open_wait_ms, 10000, 1, 600000, "How long it stays open, ms.")                                       \
    UINT(breaker, half_open_calls, 3, 1, 1000, "Calls admitted half-open.")                                            \
    UINT(cache, purpose_ttl_s, 300, 1, 86400, "Life of purpose:{user_id}, s.")
SETTINGS_PART(publish, PUBLISH_SETTINGS)
void publish_settings_check(struct settings_reading *reading, const void *part);

#endif
