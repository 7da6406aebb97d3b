#ifndef HERALD_RPC_SUMMARY_H
#define HERALD_RPC_SUMMARY_H

#include <stddef.h>

/** Length of the first sentence of a documentation comment, with its full stop; @doc may be NULL. */
size_t rpc_summary_bytes(const char *doc);

#endif
