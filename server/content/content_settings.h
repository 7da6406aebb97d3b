#ifndef HERALD_CONTENT_CONTENT_SETTINGS_H
#define HERALD_CONTENT_CONTENT_SETTINGS_H

#include "server/settings/part.h"

#define CONTENT_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                           \
    STRING(content, dir, "content", "Folder of the finished pictures.")                                                \
    STRING(content, url, "http://127.0.0.1:7104", "Where herald-content serves the pictures.")                         \
    STRING(content, rpc_url, "tcp://127.0.0.1:7109", "Where herald-content listens for the calls of operators.")       \
    STRING(content, rpc_call_url, "", "Where others find that: one URL, or several with commas; empty: rpc_url.")      \
    UINT(content, keep_days, 400, 0, 36500,                                                                            \
         "How long pictures are kept after somebody last asked for one of their job, days. 0: for ever.")              \
    UINT(content, attempts, 3, 1, 100, "Attempts at one job before it fails.")                                         \
    UINT(content, workers, 2, 1, 64, "Jobs at once.")
SETTINGS_PART(content, CONTENT_SETTINGS)
void content_settings_check(struct settings_reading *reading, const void *part);

#endif
