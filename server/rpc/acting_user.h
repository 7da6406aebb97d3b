#ifndef HERALD_RPC_ACTING_USER_H
#define HERALD_RPC_ACTING_USER_H

#include "herald/error.h"
#include "herald/schema.h"

/**
 * Applies the credential's user to a request: fills the field with the rule acting_user if it is empty, and refuses a
 * field that names another user. Must run before the rules are checked, since they require the field.
 *
 * @user  of the credential; empty: it names none, and nothing is done. Lives as long as the request
 * Returns: HERALD_OK | HERALD_PERMISSION_DENIED (reason "NOT_YOUR_USER"; the text does not show the named user)
 */
enum herald_code acting_user_apply(const struct herald_message_schema *schema, ProtobufCMessage *request, char *user,
                                   struct herald_error *reterr);

/** The user whom a request names, of any caller; "" where none is named. Lives as long as the request. */
const char *acting_user_of(const struct herald_message_schema *schema, const ProtobufCMessage *request);

#endif
