#ifndef HERALD_RPC_NEAR_H
#define HERALD_RPC_NEAR_H

/* Method names from a peer: made fit for error messages, and the similar names that a server does serve. */
#include "server/rpc/registry.h"

#include <stddef.h>

/** Bytes of a shown name, with the terminator. */
#define RPC_NAME_SHOWN_MAX 101u

/** Copies the beginning of a name; bytes that are not printable ASCII become '?'. */
void rpc_show_name(const char *name, char ret_shown[RPC_NAME_SHOWN_MAX]);
/** Writes up to three served methods similar to @name, separated by commas; empty if there is none. */
void rpc_near_methods(const struct registry *registry, const char *name, char *ret_names, size_t room);

#endif
