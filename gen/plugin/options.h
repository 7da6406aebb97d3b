#ifndef HERALD_GEN_OPTIONS_H
#define HERALD_GEN_OPTIONS_H

/*
 * Reads the options that schemas have beside those of descriptor.proto. protobuf-c knows no extensions, so they arrive as unknown fields of the options' message.
 * Source: proto/herald/rpc/v1/options.proto and
 * proto/google/api/annotations.proto.
 */
#include "google/api/http.pb-c.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "herald/rpc/v1/options.pb-c.h"

#include <stdbool.h>

/**
 * Reads (herald.rpc.v1.policy).
 *
 * @ret_policy  NULL: the method has no policy; free it with herald__rpc__v1__method_policy__free_unpacked()
 * Returns: false: the option cannot be read
 */
bool options_read_policy(const Google__Protobuf__MethodOptions *options, Herald__Rpc__V1__MethodPolicy **ret_policy);
/** Reads (herald.rpc.v1.rules), as options_read_policy(). */
bool options_read_rules(const Google__Protobuf__FieldOptions *options, Herald__Rpc__V1__FieldRules **ret_rules);
/** Reads (google.api.http), as options_read_policy(). */
bool options_read_http(const Google__Protobuf__MethodOptions *options, Google__Api__HttpRule **ret_rule);

#endif
