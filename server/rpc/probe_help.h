#ifndef HERALD_RPC_PROBE_HELP_H
#define HERALD_RPC_PROBE_HELP_H

#include "server/rpc/internal.h"

/* What a probe may be, for who sent none. */
#define PROBE_USAGE                                                                                                    \
    "write METHOD [JSON], {\"method\": …, \"request\": {…}}, help, or describe NAME, the words after \"bearer "        \
    "TOKEN\" where "                                                                                                   \
    "a credential is needed"

/* The answers of the probes "help" and "describe NAME": JSON on one line, to be freed with free(). */
enum herald_code probe_help(const struct rpc_server *server, char **ret_json, struct herald_error *reterr);
enum herald_code probe_describe(const char *name, char **ret_json, struct herald_error *reterr);

#endif
