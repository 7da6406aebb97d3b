#ifndef HERALD_GATEWAY_GATEWAY_SETTINGS_H
#define HERALD_GATEWAY_GATEWAY_SETTINGS_H

#include "server/settings/part.h"

/* Of gateway.loops. */
#define GATEWAY_LOOPS_MAX 64u

#define GATEWAY_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                           \
    STRING(gateway, listen, "http://127.0.0.1:7100", "Where herald-gateway listens for HTTP.")                         \
    STRING(gateway, url, "",                                                                                           \
           "Where heraldctl looks at gateways: one URL, or several with commas; empty: where they listen.")            \
    BOOL(gateway, insecure, false,                                                                                     \
         "Allow listening beyond loopback, though HTTP has no TLS: for a proxy that has it.")                          \
    STRING(gateway, event_url, "", "Where it calls herald-event: one URL, or several with commas; empty: as others.")  \
    STRING(gateway, job_url, "", "Where it calls herald-job; empty: as others.")                                       \
    STRING(gateway, distribution_url, "", "Where it calls herald-distribution; empty: as others.")                     \
    STRING(gateway, content_url, "", "Where it asks for the health of herald-content; empty: as others.")              \
    STRING(gateway, cors_origins, "",                                                                                  \
           "Origins whose pages may call, \"https://shop.example\", with commas; *: any; empty: the gateway's own.")   \
    STRING(gateway, hosts, "",                                                                                         \
           "Names under which it is called, with commas; empty: on loopback localhost and addresses, else any.")       \
    STRING(gateway, trusted_proxies, "", "Addresses of proxies whose X-Forwarded-Host counts, with commas.")           \
    UINT(gateway, loops, 1, SETTING_OR_AUTO, GATEWAY_LOOPS_MAX,                                                        \
         "Loops (threads that answer requests); auto: one for each processor that the process may use.")               \
    UINT(gateway, max_connections, 10000, 1, 65536, "Connections at once; one long silent makes way.")                 \
    UINT(gateway, max_connections_per_address, 1024, 0, 65536,                                                         \
         "Connections of one address at once, but a trusted proxy's; 0: no limit of its own.")                         \
    UINT(gateway, max_requests, 4096, 1, 65536, "Requests that wait for their answer at once; more are answered 503.") \
    UINT(gateway, max_head_bytes, 16384, 1024, 65536, "Longest head of a request, bytes.")                             \
    UINT(gateway, max_body_bytes, 262144, 1024, 16777216, "Longest body of a request, bytes.")                         \
    UINT(gateway, max_timeout_ms, 120000, 1, 600000, "Longest time that a request may ask for, ms.")                   \
    UINT(gateway, idle_ms, 60000, 1000, 3600000, "Longest silence of a connection between requests, ms.")              \
    UINT(gateway, head_ms, 10000, 100, 600000, "Longest time for a request's head to arrive, ms.")                     \
    UINT(gateway, body_ms, 30000, 100, 600000, "Longest time for a request's body to arrive, ms.")                     \
    UINT(gateway, send_ms, 30000, 100, 600000, "Longest time for an answer to be taken, ms.")                          \
    UINT(gateway, keep_alive_ms, 15000, 100, 600000, "Interval of the comments that keep a stream of events alive, ms.")
SETTINGS_PART(gateway, GATEWAY_SETTINGS)
void gateway_settings_check(struct settings_reading *reading, const void *part);

#endif
