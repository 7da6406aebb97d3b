#ifndef HERALD_RPC_PROBE_HELP_H
#define HERALD_RPC_PROBE_HELP_H

#include "server/rpc/registry.h"

/* The answers of the probes "help" and "describe NAME": JSON on one line, to be freed with free(). Both return
 * HERALD_RESOURCE_EXHAUSTED without memory; probe_describe() HERALD_INVALID_ARGUMENT (reason "MALFORMED_PROBE") for an
 * empty name, and HERALD_NOT_FOUND for one that is not known. */
enum herald_code probe_help(const char *server_name, const struct registry *registry, char **ret_json,
                            struct herald_error *reterr);
enum herald_code probe_describe(const char *name, char **ret_json, struct herald_error *reterr);

#endif
