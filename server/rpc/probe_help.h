#ifndef HERALD_RPC_PROBE_HELP_H
#define HERALD_RPC_PROBE_HELP_H

#include "server/rpc/registry.h"

/**
 * The answer of the probe "help": lists the services, their methods and the forms of a probe.
 *
 * @ret_json  on one line; the caller frees it with free()
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "OUT_OF_MEMORY")
 */
enum herald_code probe_help(const char *server_name, const struct registry *registry, char **ret_json,
                            struct herald_error *reterr);
/**
 * The answer of the probe "describe NAME".
 *
 * @ret_json  on one line; the caller frees it with free()
 * Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (reason "MALFORMED_PROBE": @name is empty) | HERALD_RESOURCE_EXHAUSTED
 *          (reason "OUT_OF_MEMORY") | as herald_describe()
 */
enum herald_code probe_describe(const char *name, char **ret_json, struct herald_error *reterr);

#endif
