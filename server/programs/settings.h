#ifndef HERALD_PROGRAMS_SETTINGS_H
#define HERALD_PROGRAMS_SETTINGS_H

/*
 * The settings of all servers: the part of each room, PART(name, rows, check or NULL), in the order in which they are
 * printed. Every server reads all of them, so that one file works for all.
 */
#include "server/auth/auth_settings.h"
#include "server/content/content_settings.h"
#include "server/distribution/distribution_settings.h"
#include "server/durable/durable_settings.h"
#include "server/event/event_settings.h"
#include "server/gateway/gateway_settings.h"
#include "server/job/job_settings.h"
#include "server/process/log_settings.h"
#include "server/rpc/rpc_settings.h"
#include "server/settings/settings.h"
#include "server/store/kafka/kafka_settings.h"
#include "server/store/postgres/postgres_settings.h"
#include "server/store/redis/redis_settings.h"

#define ALL_SETTINGS(PART)                                                                                             \
    PART(event, EVENT_SETTINGS, event_settings_check)                                                                  \
    PART(job, JOB_SETTINGS, job_settings_check)                                                                        \
    PART(distribution, DISTRIBUTION_SETTINGS, distribution_settings_check)                                             \
    PART(rpc, RPC_SETTINGS, NULL)                                                                                      \
    PART(auth, AUTH_SETTINGS, NULL)                                                                                    \
    PART(idempotency, IDEMPOTENCY_SETTINGS, NULL)                                                                      \
    PART(retention, RETENTION_SETTINGS, NULL)                                                                          \
    PART(pg, PG_SETTINGS, pg_settings_check)                                                                           \
    PART(redis, REDIS_SETTINGS, redis_settings_check)                                                                  \
    PART(kafka, KAFKA_SETTINGS, kafka_settings_check)                                                                  \
    PART(outbox, OUTBOX_SETTINGS, NULL)                                                                                \
    PART(claims, CLAIMS_SETTINGS, NULL)                                                                                \
    PART(publish, PUBLISH_SETTINGS, publish_settings_check)                                                            \
    PART(jobs, JOBS_SETTINGS, NULL)                                                                                    \
    PART(channels, CHANNELS_SETTINGS, channels_settings_check)                                                         \
    PART(wooridongne_tv, WOORIDONGNE_TV_SETTINGS, wooridongne_tv_settings_check)                                       \
    PART(ringo_biz, RINGO_BIZ_SETTINGS, ringo_biz_settings_check)                                                      \
    PART(genie_tv, GENIE_TV_SETTINGS, genie_tv_settings_check)                                                         \
    PART(instagram, INSTAGRAM_SETTINGS, instagram_settings_check)                                                      \
    PART(naver_blog, NAVER_BLOG_SETTINGS, naver_blog_settings_check)                                                   \
    PART(kakao_channel, KAKAO_CHANNEL_SETTINGS, kakao_channel_settings_check)                                          \
    PART(content, CONTENT_SETTINGS, content_settings_check)                                                            \
    PART(gateway, GATEWAY_SETTINGS, gateway_settings_check)                                                            \
    PART(log, LOG_SETTINGS, NULL)

/* A part is accessible both as its struct, settings->kafka, and by its members, settings->kafka_group. */
#define ALL_SETTINGS_MEMBER(name, ROWS, check)                                                                         \
    union {                                                                                                            \
        struct name##_settings name;                                                                                   \
        struct {                                                                                                       \
            SETTINGS_MEMBERS(ROWS)                                                                                     \
        };                                                                                                             \
    };
struct settings {
    struct settings_head head;
    ALL_SETTINGS(ALL_SETTINGS_MEMBER)
};

extern const struct settings_table all_settings;

/** Reads all parts. As settings_read(), with @settings of the type struct settings. Returns: as settings_read() */
enum herald_code settings_load(struct settings *settings, const char *path, struct herald_error *reterr);

/* The URLs at which to call the servers: a server's call_url, or its own url if that is empty. */
static inline const char *settings_call_url(const char *call_url, const char *url) {
    return call_url && *call_url ? call_url : url;
}
static inline const char *settings_event_url(const struct settings *settings) {
    return settings_call_url(settings->event_call_url, settings->event_url);
}
static inline const char *settings_job_url(const struct settings *settings) {
    return settings_call_url(settings->job_call_url, settings->job_url);
}
static inline const char *settings_distribution_url(const struct settings *settings) {
    return settings_call_url(settings->distribution_call_url, settings->distribution_url);
}
static inline const char *settings_content_rpc_url(const struct settings *settings) {
    return settings_call_url(settings->content_rpc_call_url, settings->content_rpc_url);
}

#endif
