#ifndef HERALD_GATEWAY_ADDRESSES_H
#define HERALD_GATEWAY_ADDRESSES_H

/* How many connections each address has, in all loops. An IPv6 address counts by its /64, which one host may have. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct addresses;
struct address;

/** @trusted  addresses of proxies, with commas; they have no limit. Returns: NULL: no memory, or an entry is no address */
struct addresses *addresses_new(const char *trusted);
/** Frees the table once every address was left. NULL is allowed. */
void addresses_free(struct addresses *addresses);
/** Counts a connection of an address. Returns: NULL: no memory. Any thread. */
struct address *addresses_enter(struct addresses *addresses, const struct sockaddr *address);
/** A connection of the address has ended. Any thread. */
void addresses_leave(struct addresses *addresses, struct address *address);
/** Connections of the address now. Any thread. */
unsigned address_count(const struct address *address);
/** Whether it is a trusted proxy's. Constant. */
bool address_is_trusted(const struct address *address);

#endif
