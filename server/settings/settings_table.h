#ifndef HERALD_SETTINGS_SETTINGS_TABLE_H
#define HERALD_SETTINGS_SETTINGS_TABLE_H

/*
 * Every setting of every server, once. The table makes struct settings, the reader, --check-config, and the reference
 * in deploy/herald.ini.example.
 *
 * STRING(section, key, default, doc)  SECRET(section, key, default, doc): masked when printed
 * UINT(section, key, default, min, max, doc)  BOOL(section, key, default, doc)
 * CHOICE(section, key, default, "a|b|c", doc): a string that is one of those
 *
 * Environment: HERALD_<SECTION>_<KEY> in upper case, dots in section names as underscores.
 */
#define HERALD_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                            \
    STRING(event, url, "tcp://127.0.0.1:7101", "Where herald-event listens.")                                          \
    STRING(event, call_url, "", "Where others find it: one URL, or several with commas; empty: url.")                  \
    STRING(job, url, "tcp://127.0.0.1:7102", "Where herald-job listens.")                                              \
    STRING(job, call_url, "", "Where others find it: one URL, or several with commas; empty: url.")                    \
    STRING(distribution, url, "tcp://127.0.0.1:7103", "Where herald-distribution listens.")                            \
    STRING(distribution, call_url, "", "Where others find it: one URL, or several with commas; empty: url.")           \
    BOOL(rpc, insecure, false, "Allow listening beyond loopback without TLS and authentication.")                      \
    UINT(rpc, max_message_bytes, 262144, 1024, 16777216, "Largest message taken or sent, bytes.")                      \
    UINT(rpc, max_in_flight, 4096, 1, 65536, "Calls at once; more get RESOURCE_EXHAUSTED.")                            \
    UINT(rpc, spare_contexts, 32, 1, 1024, "Extra receivers that only refuse.")                                        \
    UINT(rpc, arena_bytes, 4194304, 65536, 268435456, "Memory of one call, bytes.")                                    \
    UINT(rpc, loops, 1, 1, 64, "Loops (threads that run tasks).")                                                      \
    UINT(rpc, drain_ms, 10000, 0, 600000, "Longest wait for running calls at SIGTERM, ms.")                            \
    BOOL(rpc, probes, true, "Answer plain-text probes.")                                                               \
    UINT(rpc, max_connections, 1024, 1, 65536,                                                                         \
         "Connections of a listener at once; one long silent makes way, or more get RESOURCE_EXHAUSTED.")              \
    UINT(rpc, max_in_flight_per_method, 0, 0, 65536, "Calls of one method at once; 0: no limit of its own.")           \
    UINT(rpc, max_in_flight_per_caller, 1024, 0, 65536, "Calls of one caller (or connection) at once; 0: no limit.")   \
    UINT(rpc, max_queue_ms, 1000, 0, 60000, "Longest wait for a loop before a call is refused, ms; 0: its deadline.")  \
    BOOL(rpc, adaptive_limit, true, "Lower the limit of calls in flight when latency grows.")                          \
    UINT(rpc, slow_call_ms, 1000, 1, 600000, "A longer call is kept for ListRecentCalls as slow, ms.")                 \
    STRING(tls, cert_file, "", "Certificate and chain of tls+tcp:// listeners, PEM; read again when it changes.")      \
    STRING(tls, key_file, "", "Its private key, PEM, readable by nobody else; empty: in cert_file.")                   \
    STRING(tls, client_ca_file, "", "Whose clients may connect (mutual TLS), PEM; empty: anybody's.")                  \
    STRING(tls, ca_file, "", "Whom our own calls to tls+tcp:// URLs trust, PEM.")                                      \
    BOOL(auth, required, false, "Refuse calls without a valid credential, but to methods that anyone may call.")       \
    STRING(auth, callers_file, "", "Who may call what: keys, methods, users (see deploy/callers.ini.example).")        \
    STRING(auth, key_id, "", "Key with which our own calls to other servers are signed; empty: they are not.")         \
    STRING(auth, key_file, "", "File with that key in base64, readable by nobody else.")                               \
    UINT(idempotency, keep_s, 86400, 60, 2592000, "How long a ONCE call's reply is kept for its repeats, s.")          \
    SECRET(pg, dsn, "host=/var/run/postgresql dbname=herald", "libpq connection string.")                              \
    UINT(pg, connections, 8, 1, 64, "Connections of each loop.")                                                       \
    UINT(pg, statement_timeout_ms, 10000, 100, 600000, "Longest statement, ms.")                                       \
    STRING(redis, url, "redis://127.0.0.1:6379/0", "redis://[:password@]host:port/db")                                 \
    UINT(redis, timeout_ms, 1000, 10, 60000, "Longest wait for a connection or a reply, ms.")                          \
    STRING(kafka, bootstrap, "127.0.0.1:9092", "Comma-separated host:port.")                                           \
    STRING(kafka, event_topic, "event-topic", "Topic of EventCreated.")                                                \
    STRING(kafka, distribution_topic, "distribution-topic", "Topic of DistributionCompleted.")                         \
    STRING(kafka, image_job_topic, "image-job-topic", "Topic of ImageJob.")                                            \
    STRING(kafka, dead_letter_topic, "image-job-topic.dlq", "Topic of records that no worker can use.")                \
    STRING(kafka, group, "herald-content", "Consumer group of the content workers.")                                   \
    UINT(kafka, delivery_timeout_ms, 5000, 500, 300000, "Longest wait for an acknowledgement, ms.")                    \
    CHOICE(kafka, encoding, "json", "json|protobuf", "Encoding of record values.")                                     \
    UINT(outbox, poll_ms, 1000, 10, 60000, "How often the relay looks for records that were not sent, ms.")            \
    UINT(outbox, lease_ms, 10000, 1000, 600000, "How long a relay or a reconciler owns what it took, ms.")             \
    UINT(publish, timeout_ms, 70000, 1000, 600000, "Budget of the distribution call, ms.")                             \
    UINT(publish, reconcile_poll_ms, 1000, 10, 60000, "How often the reconciler looks for unfinished events, ms.")     \
    UINT(publish, reconcile_after_ms, 5000, 0, 3600000, "How long an event may be APPROVED and unattended, ms.")       \
    UINT(breaker, window_calls, 20, 1, 100000, "Calls in the sliding window.")                                         \
    UINT(breaker, minimum_calls, 5, 1, 100000, "Calls before a rate counts.")                                          \
    UINT(breaker, failure_rate_percent, 50, 1, 100, "Opens at or above, percent.")                                     \
    UINT(breaker, slow_rate_percent, 100, 1, 100, "Opens at or above, percent.")                                       \
    UINT(breaker, slow_call_ms, 60000, 1, 600000, "A longer call is slow, ms.")                                        \
    UINT(breaker, open_wait_ms, 10000, 1, 600000, "How long it stays open, ms.")                                       \
    UINT(breaker, half_open_calls, 3, 1, 1000, "Calls admitted half-open.")                                            \
    UINT(cache, purpose_ttl_s, 300, 1, 86400, "Life of purpose:{user_id}, s.")                                         \
    UINT(jobs, ttl_s, 3600, 1, 86400, "Life of job:{job_id} in Redis, s.")                                             \
    STRING(channels, url, "http://127.0.0.1:7105", "Base URL of the channels' webhooks; the channel's name is added.") \
    SECRET(channels, secret, "", "Webhook secret, whsec_ + base64 of at least 24 bytes.")                              \
    UINT(channels, timeout_ms, 20000, 100, 600000, "Longest wait for a channel's answer, ms.")                         \
    UINT(channels, attempts, 3, 1, 20, "Attempts at a channel that fails for the moment.")                             \
    STRING(content, dir, "content", "Folder of the finished pictures.")                                                \
    STRING(content, url, "http://127.0.0.1:7104", "Where herald-content serves the pictures.")                         \
    UINT(content, attempts, 3, 1, 100, "Attempts at one job before it fails.")                                         \
    UINT(content, workers, 2, 1, 64, "Jobs at once.")                                                                  \
    CHOICE(log, level, "info", "debug|info|warning|error", "Least level written.")                                     \
    CHOICE(log, format, "auto", "auto|json|text", "auto: text on a terminal.")

#endif
