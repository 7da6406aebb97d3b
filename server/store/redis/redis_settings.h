#ifndef HERALD_STORE_REDIS_REDIS_SETTINGS_H
#define HERALD_STORE_REDIS_REDIS_SETTINGS_H

#include "server/settings/part.h"
#include "server/store/redis/redis.h"

#define REDIS_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                             \
    STRING(redis, url, "redis://127.0.0.1:6379/0",                                                                     \
           "redis[s]://[[user]:password@]host:port/db, or redis[s]+sentinel://…@host:port,host:port/primary/db")       \
    UINT(redis, timeout_ms, 1000, 10, 60000, "Longest wait for a connection or a reply, ms.")                          \
    STRING(redis, ca_file, "", "CAs (PEM) that rediss:// trusts; empty: the system's.")                                \
    STRING(redis, cert_file, "", "Herald's certificate (PEM) for rediss://; empty: none.")                             \
    STRING(redis, key_file, "", "Its private key (PEM).")                                                              \
    STRING(redis, server_name, "", "Name in the certificates of rediss://; empty: the host that is connected.")        \
    STRING(redis, sentinel_user, "", "User of the sentinels; empty: none.")                                            \
    SECRET(redis, sentinel_password, "", "Password of the sentinels; empty: none.")
SETTINGS_PART(redis, REDIS_SETTINGS)
/** The options of a connection that the settings decide; its other members are the caller's. */
struct redis_options redis_settings_options(const struct redis_settings *settings);
void redis_settings_check(struct settings_reading *reading, const void *part);

#endif
