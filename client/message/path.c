#include "client/message/path.h"

#include "herald/utf8.h"

#include <stdio.h>
#include <string.h>

/* Writes the steps up to @path. Returns: the bytes used, at most buffer_bytes - 1 */
static size_t render_step(const struct herald_path *path, char *buffer, size_t buffer_bytes) {
    size_t used = path->parent ? render_step(path->parent, buffer, buffer_bytes) : 0;
    char step[160];
    const char *dot = used > 0 ? "." : "";
    if (path->index == HERALD_PATH_NO_INDEX) {
        snprintf(step, sizeof(step), "%s%s", dot, path->name);
    } else {
        snprintf(step, sizeof(step), "%s%s[%zu]", dot, path->name, path->index);
    }
    size_t bytes = herald_utf8_cut(step, strlen(step), buffer_bytes - 1 - used);
    memcpy(buffer + used, step, bytes);
    return used + bytes;
}

void herald_path_render(const struct herald_path *path, char *buffer, size_t buffer_bytes) {
    size_t used = path ? render_step(path, buffer, buffer_bytes) : 0;
    buffer[used] = '\0';
}
