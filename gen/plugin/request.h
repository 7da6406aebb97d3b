#ifndef HERALD_GEN_REQUEST_H
#define HERALD_GEN_REQUEST_H

#include "google/protobuf/compiler/plugin.pb-c.h"

#include <stdbool.h>

/** Whether every element of the request has its name. descriptor.proto makes all names optional. */
bool request_is_named(const Google__Protobuf__Compiler__CodeGeneratorRequest *request);

#endif
