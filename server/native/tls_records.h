#ifndef HERALD_NATIVE_TLS_RECORDS_H
#define HERALD_NATIVE_TLS_RECORDS_H

/*
 * What a peer sends in TLS beside messages. libssl answers each renewal of keys, and each refused renegotiation, for as
 * long as the peer asks: a flood of them keeps its thread busy, and the answers fill memory if nobody reads them. So a
 * connection has 32 records without data after its handshake, and one more for each 16 KiB that came.
 */
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

/** Of one connection, zeroed at first. On the connection's thread. */
struct tls_records {
    bool is_open;     /* the handshake is done */
    unsigned useless; /* records without data since then */
    uint64_t bytes;   /* of all records */
};

/** Counts the records that @ssl reads, from now on. @records  outlives @ssl */
void tls_records_count(struct tls_records *records, SSL *ssl);
/** True when the peer has sent too many without data: the connection must end. */
bool tls_records_are_too_many(const struct tls_records *records);

#endif
