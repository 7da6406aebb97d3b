#ifndef HERALD_DISTRIBUTION_DISTRIBUTION_SETTINGS_H
#define HERALD_DISTRIBUTION_DISTRIBUTION_SETTINGS_H

#include "server/settings/part.h"

#define DISTRIBUTION_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                      \
    STRING(distribution, url, "tcp://127.0.0.1:7103", "Where herald-distribution listens.")                            \
    STRING(distribution, call_url, "", "Where others find it: one URL, or several with commas; empty: url.")
SETTINGS_PART(distribution, DISTRIBUTION_SETTINGS)
void distribution_settings_check(struct settings_reading *reading, const void *part);

#define CHANNELS_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                          \
    STRING(channels, url, "http://127.0.0.1:7105", "Base URL of the channels' webhooks; the channel's name is added.") \
    SECRET(channels, secret, "", "Webhook secret, whsec_ + base64 of 24 to 64 bytes; or up to 4, the newest first.")   \
    UINT(channels, timeout_ms, 20000, 100, 600000, "Longest wait for a channel's answer, ms.")                         \
    UINT(channels, attempts, 3, 1, 20, "Attempts at a channel that fails for the moment.")
SETTINGS_PART(channels, CHANNELS_SETTINGS)
void channels_settings_check(struct settings_reading *reading, const void *part);

#endif
