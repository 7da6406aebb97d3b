#ifndef HERALD_JSON_FIND_H
#define HERALD_JSON_FIND_H

#include "herald/error.h"
#include "herald/schema.h"

#include <stdbool.h>

enum kind { KIND_SERVICE, KIND_METHOD, KIND_MESSAGE, KIND_ENUM };

struct element {
    enum kind kind;
    const char *full_name;
    const void *schema;
    const struct herald_file_schema *file;
};

/**
 * Finds an element by its full name, or by a short one if only one ends in it.
 *
 * Returns:  HERALD_OK | HERALD_NOT_FOUND (NO_SUCH_NAME; the message lists near names)
 *           | HERALD_INVALID_ARGUMENT (AMBIGUOUS_NAME; the message lists at most 8 of the names)
 */
enum herald_code find_element(const char *name, bool messages_only, struct element *ret_element,
                              struct herald_error *reterr);

#endif
