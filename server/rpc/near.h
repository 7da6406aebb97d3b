#ifndef HERALD_RPC_NEAR_H
#define HERALD_RPC_NEAR_H

#include "server/rpc/registry.h"

#include <stddef.h>

/* Names that a peer sent, made fit for messages, and the served names that it may have meant. */
#define RPC_NAME_SHOWN_MAX 101u

/** Copies the beginning of a name; what is not printable ASCII becomes '?'. */
void rpc_show_name(const char *name, char ret_shown[RPC_NAME_SHOWN_MAX]);
/** Writes up to three served methods that look like @name, separated by commas; empty if none does. */
void rpc_near_methods(const struct registry *registry, const char *name, char *ret_names, size_t room);

#endif
