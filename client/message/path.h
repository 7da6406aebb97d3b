#ifndef HERALD_MESSAGE_PATH_H
#define HERALD_MESSAGE_PATH_H

/* The path to a field: a chain of steps on the stack of the walking functions. It is rendered only for an error. */
#include <stddef.h>

#define HERALD_PATH_NO_INDEX ((size_t)-1)

struct herald_path {
    const struct herald_path *parent; /* NULL: a field of the outermost message */
    const char *name;                 /* JSON name */
    size_t index;                     /* item of a repeated field, or HERALD_PATH_NO_INDEX */
};

/** Writes "storeInfo.name" or "selectedChannels[2]"; cut at the buffer's end. @path  NULL: an empty text. */
void herald_path_render(const struct herald_path *path, char *buffer, size_t buffer_bytes);

#endif
