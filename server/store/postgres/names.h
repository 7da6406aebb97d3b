#ifndef HERALD_POSTGRES_NAMES_H
#define HERALD_POSTGRES_NAMES_H

/*
 * The database holds numbers of the schemas' enums as the names of their values, so that psql shows the names. Number
 * 0, of the unspecified value, is NULL there.
 */

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

/** Name of a number; NULL for 0 and for a number that has none. Lives as long as the program. */
const char *db_name_of(const ProtobufCEnumDescriptor *values, int number);
/** Number of a name, which need not end with NUL; 0 for an unknown one. */
int db_number_of(const ProtobufCEnumDescriptor *values, const char *name, size_t bytes);

#endif
