#include "server/transport/message.h"

#include <nng/nng.h>

struct nng_msg *message_new(size_t bytes) {
    nng_msg *message = NULL;
    return nng_msg_alloc(&message, bytes) == 0 ? message : NULL;
}

void message_free(struct nng_msg *message) {
    nng_msg_free(message);
}

uint8_t *message_body(struct nng_msg *message) {
    return nng_msg_body(message);
}

size_t message_bytes(const struct nng_msg *message) {
    return nng_msg_len(message);
}
