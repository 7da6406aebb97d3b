#ifndef HERALD_RPC_ACTING_USER_H
#define HERALD_RPC_ACTING_USER_H

#include "herald/error.h"
#include "herald/schema.h"

/**
 * Takes the user for whom a call acts from its credential: fills the request's field with the rule acting_user when it
 * is empty, and refuses another user. Before the rules are checked, since the field is required.
 *
 * @user  as the credential proves; empty: it says none, and nothing is done. Lives as long as the request
 * Returns: HERALD_OK | HERALD_PERMISSION_DENIED (reason "NOT_YOUR_USER", the same text whoever was named)
 */
enum herald_code acting_user_apply(const struct herald_message_schema *schema, ProtobufCMessage *request, char *user,
                                   struct herald_error *reterr);

#endif
