#ifndef HERALD_TRANSPORT_MESSAGE_H
#define HERALD_TRANSPORT_MESSAGE_H

/* nng's messages, for code that must not include nng: there the type stays incomplete. */
#include <stddef.h>
#include <stdint.h>

struct nng_msg;

/** A new message with a body of @bytes, uninitialised; NULL without memory. */
struct nng_msg *message_new(size_t bytes);
/** NULL is allowed. */
void message_free(struct nng_msg *message);
uint8_t *message_body(struct nng_msg *message);
size_t message_bytes(const struct nng_msg *message);

#endif
