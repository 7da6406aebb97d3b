#ifndef HERALD_DISTRIBUTION_DISTRIBUTION_SETTINGS_H
#define HERALD_DISTRIBUTION_DISTRIBUTION_SETTINGS_H

#include "server/settings/part.h"

#define DISTRIBUTION_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                      \
    STRING(distribution, url, "tcp://127.0.0.1:7103", "Where herald-distribution listens.")                            \
    STRING(distribution, call_url, "", "Where others find it: one URL, or several with commas; empty: url.")
SETTINGS_PART(distribution, DISTRIBUTION_SETTINGS)
void distribution_settings_check(struct settings_reading *reading, const void *part);

/* What holds for all channels, and what a channel's own section leaves out. */
#define CHANNELS_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                          \
    STRING(channels, url, "http://127.0.0.1:7105",                                                                     \
           "Webhooks without a URL of their own: /channels/<CHANNEL>/posts under it.")                                 \
    SECRET(channels, secret, "", "Webhooks without a secret of their own: whsec_ + base64 of 24 bytes or more.")       \
    UINT(channels, timeout_ms, 20000, 100, 600000, "Longest wait for a channel's answer, ms.")                         \
    UINT(channels, in_flight, 128, 1, 65536, "Most calls to one channel at once, of a process.")                       \
    UINT(channels, rate_per_s, 0, 0, 1000000, "Most calls to one channel a second, of a process; 0: no limit.")        \
    UINT(channels, keep_trying_s, 86400, 10, 2592000, "How long a delivery is tried before it is EXPIRED, s.")         \
    UINT(channels, backoff_min_ms, 500, 10, 600000, "First bound of the wait after a failure, ms; it doubles.")        \
    UINT(channels, backoff_max_ms, 300000, 10, 86400000, "Last bound of that wait, ms.")                               \
    UINT(channels, poll_ms, 1000, 10, 60000, "How often due deliveries are looked for, ms.")                           \
    UINT(channels, gather_ms, 20, 0, 1000, "How long results, and quick preparations, wait to share a commit, ms.")    \
    UINT(channels, report_ms, 2000, 0, 600000, "How long after changes DistributionProgressed tells them, ms.")        \
    UINT(channels, breaker_window_calls, 50, 1, 1000000, "Calls of which a channel's breaker judges the rates.")       \
    UINT(channels, breaker_minimum_calls, 20, 1, 1000000, "Fewest calls before it judges.")                            \
    UINT(channels, breaker_failure_rate_percent, 50, 1, 100, "It opens at or above this rate of failed calls.")        \
    UINT(channels, breaker_slow_rate_percent, 80, 1, 100, "It opens at or above this rate of slow calls.")             \
    UINT(channels, breaker_slow_call_ms, 10000, 1, 600000, "A call is slow when it takes longer, ms.")                 \
    UINT(channels, breaker_open_wait_ms, 10000, 1, 3600000, "How long it stays open, ms.")                             \
    UINT(channels, breaker_half_open_calls, 5, 1, 1000, "Calls with which it then tries the channel.")
SETTINGS_PART(channels, CHANNELS_SETTINGS)
void channels_settings_check(struct settings_reading *reading, const void *part);

/* What each channel's own section has. */
#define CHANNEL_LIMIT_ROWS(UINT, section)                                                                              \
    UINT(section, timeout_ms, 0, 0, 600000, "Longest wait for its answer, ms; 0: channels.timeout_ms.")                \
    UINT(section, in_flight, 0, 0, 65536, "Most calls to it at once, of a process; 0: channels.in_flight.")            \
    UINT(section, rate_per_s, 0, 0, 1000000, "Most calls to it a second, of a process; 0: channels.rate_per_s.")
#define WEBHOOK_ROWS(STRING, SECRET, UINT, section)                                                                    \
    STRING(section, url, "", "Where its webhook is; empty: under channels.url.")                                       \
    SECRET(section, secret, "", "Its secrets, the newest first, blanks between them; empty: channels.secret.")         \
    CHANNEL_LIMIT_ROWS(UINT, section)

#define WOORIDONGNE_TV_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE) WEBHOOK_ROWS(STRING, SECRET, UINT, wooridongne_tv)
SETTINGS_PART(wooridongne_tv, WOORIDONGNE_TV_SETTINGS)
void wooridongne_tv_settings_check(struct settings_reading *reading, const void *part);

#define RINGO_BIZ_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE) WEBHOOK_ROWS(STRING, SECRET, UINT, ringo_biz)
SETTINGS_PART(ringo_biz, RINGO_BIZ_SETTINGS)
void ringo_biz_settings_check(struct settings_reading *reading, const void *part);

#define GENIE_TV_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE) WEBHOOK_ROWS(STRING, SECRET, UINT, genie_tv)
SETTINGS_PART(genie_tv, GENIE_TV_SETTINGS)
void genie_tv_settings_check(struct settings_reading *reading, const void *part);

#define INSTAGRAM_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                         \
    STRING(instagram, url, "https://graph.instagram.com/v21.0", "Base URL of the Graph API, with its version.")        \
    STRING(instagram, account, "", "Id of the professional account that posts; empty: deliveries wait.")               \
    SECRET(instagram, token, "", "Its long-lived access token. Herald renews it before it ends.")                      \
    CHANNEL_LIMIT_ROWS(UINT, instagram)
SETTINGS_PART(instagram, INSTAGRAM_SETTINGS)
void instagram_settings_check(struct settings_reading *reading, const void *part);

#define NAVER_BLOG_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                        \
    STRING(naver_blog, url, "https://blog.naver.com", "How the addresses of posts begin that an operator reports.")    \
    CHANNEL_LIMIT_ROWS(UINT, naver_blog)
SETTINGS_PART(naver_blog, NAVER_BLOG_SETTINGS)
void naver_blog_settings_check(struct settings_reading *reading, const void *part);

#define KAKAO_CHANNEL_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                     \
    STRING(kakao_channel, url, "https://sens.apigw.ntruss.com", "Base URL of the dealer's API.")                       \
    STRING(kakao_channel, service, "", "Id of the service at the dealer; empty: deliveries wait.")                     \
    STRING(kakao_channel, access_key, "", "Access key of the dealer's API.")                                           \
    SECRET(kakao_channel, secret, "", "Secret key of the dealer's API.")                                               \
    STRING(kakao_channel, sender, "", "Search id of the Kakao channel, such as @shop.")                                \
    CHOICE(kakao_channel, targeting, "I", "I|M|N",                                                                     \
           "To whom: I: the channel's friends; M, N: all who agreed, and those of them who are no friends. M and N "   \
           "need 50,000 friends and an 080 number.")                                                                   \
    BOOL(kakao_channel, quiet_hours, true, "Send nothing from 20:50 to 08:00 in Korea, when it is refused.")           \
    CHANNEL_LIMIT_ROWS(UINT, kakao_channel)
SETTINGS_PART(kakao_channel, KAKAO_CHANNEL_SETTINGS)
void kakao_channel_settings_check(struct settings_reading *reading, const void *part);

#endif
