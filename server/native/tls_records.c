#include "server/native/tls_records.h"

/* Records without data: so many, and one more for each of these bytes. */
#define USELESS_LEAST     32u
#define BYTES_FOR_USELESS 16384u

/* TLS 1.3 hides the kind of a record in what it encrypts, so the head says data: libssl then tells the kind, too. */
static void on_tls_part(int is_written, int version, int kind, const void *part, size_t bytes, SSL *ssl, void *user) {
    struct tls_records *records = user;
    const uint8_t *data = part;
    (void)version;
    if (is_written || bytes == 0 || (kind != SSL3_RT_HEADER && kind != SSL3_RT_INNER_CONTENT_TYPE)) {
        return;
    }
    records->is_open = records->is_open || SSL_is_init_finished(ssl);
    if (kind == SSL3_RT_HEADER && bytes >= SSL3_RT_HEADER_LENGTH) {
        records->bytes += (uint64_t)data[3] << 8 | data[4];
    }
    records->useless += records->is_open && data[0] != SSL3_RT_APPLICATION_DATA;
}

void tls_records_count(struct tls_records *records, SSL *ssl) {
    SSL_set_msg_callback(ssl, on_tls_part);
    SSL_set_msg_callback_arg(ssl, records);
}

bool tls_records_are_too_many(const struct tls_records *records) {
    return records->useless > USELESS_LEAST + records->bytes / BYTES_FOR_USELESS;
}
