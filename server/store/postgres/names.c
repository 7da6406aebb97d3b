/* Names of the schemas' enum values, as the database holds them. */
#include "server/store/postgres/names.h"

#include <string.h>

const char *db_name_of(const ProtobufCEnumDescriptor *values, int number) {
    const ProtobufCEnumValue *value = number == 0 ? NULL : protobuf_c_enum_descriptor_get_value(values, number);
    return value ? value->name : NULL;
}

int db_number_of(const ProtobufCEnumDescriptor *values, const char *name, size_t bytes) {
    for (unsigned i = 0; i < values->n_values; i++) {
        const ProtobufCEnumValue *value = &values->values[i];
        if (value->value != 0 && strlen(value->name) == bytes && memcmp(value->name, name, bytes) == 0) {
            return value->value;
        }
    }
    return 0;
}
