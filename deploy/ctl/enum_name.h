#ifndef HERALD_CTL_ENUM_NAME_H
#define HERALD_CTL_ENUM_NAME_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

/** The name of an enum's value; "?" for a number without a name. */
static inline const char *ctl_enum_name(const ProtobufCEnumDescriptor *descriptor, int number) {
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(descriptor, number);
    return value != NULL ? value->name : "?";
}

#endif
