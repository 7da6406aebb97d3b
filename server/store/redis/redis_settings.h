#ifndef HERALD_STORE_REDIS_REDIS_SETTINGS_H
#define HERALD_STORE_REDIS_REDIS_SETTINGS_H

#include "server/settings/part.h"

#define REDIS_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                             \
    STRING(redis, url, "redis://127.0.0.1:6379/0", "redis://[:password@]host:port/db")                                 \
    UINT(redis, timeout_ms, 1000, 10, 60000, "Longest wait for a connection or a reply, ms.")
SETTINGS_PART(redis, REDIS_SETTINGS)
void redis_settings_check(struct settings_reading *reading, const void *part);

#endif
