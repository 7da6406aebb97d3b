#ifndef HERALD_BASE_FULL_NAME_H
#define HERALD_BASE_FULL_NAME_H

#include <string.h>

/** The last part of a full name, "GetEvent" of "herald.event.v1.EventService/GetEvent"; all of it if it has but one. */
static inline const char *herald_last_part(const char *full_name) {
    const char *at = full_name + strlen(full_name);
    while (at > full_name && at[-1] != '.' && at[-1] != '/') {
        at--;
    }
    return at;
}

#endif
