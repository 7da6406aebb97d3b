#include "gen/plugin/source.h"

#include <stdbool.h>
#include <string.h>

struct source_path source_path_add(struct source_path path, int32_t number, size_t index) {
    if (path.length + 2 <= SOURCE_PATH_MAX) {
        path.steps[path.length++] = number;
        path.steps[path.length++] = (int32_t)index;
    }
    return path;
}

static bool path_matches(const Google__Protobuf__SourceCodeInfo__Location *location, const struct source_path *path) {
    return location->n_path == path->length &&
           (path->length == 0 || memcmp(location->path, path->steps, path->length * sizeof(int32_t)) == 0);
}

static size_t trimmed(const char *line, size_t length) {
    while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\t' || line[length - 1] == '\r')) {
        length--;
    }
    return length;
}

/* Removes the one space after "//", white space at line ends, and leading and trailing empty lines. */
static const char *clean_comment(struct pool *pool, const char *comment) {
    if (comment == NULL) {
        return NULL;
    }
    char *doc = pool_alloc(pool, strlen(comment) + 1);
    char *out = doc;
    size_t newlines = 0;
    for (const char *line = comment; *line != '\0';) {
        size_t whole = strcspn(line, "\n");
        const char *text = line[0] == ' ' ? line + 1 : line;
        size_t length = trimmed(text, whole - (size_t)(text - line));
        if (length > 0) {
            if (out != doc) {
                memset(out, '\n', newlines);
                out += newlines;
            }
            memcpy(out, text, length);
            out += length;
            newlines = 0;
        }
        newlines++;
        line += whole + (line[whole] == '\n');
    }
    *out = '\0';
    return out == doc ? NULL : doc;
}

struct source source_find(struct pool *pool, const Google__Protobuf__FileDescriptorProto *file,
                          const struct source_path *path) {
    struct source source = {.line = 1};
    const Google__Protobuf__SourceCodeInfo *info = file->source_code_info;
    for (size_t i = 0; info != NULL && i < info->n_location; i++) {
        const Google__Protobuf__SourceCodeInfo__Location *location = info->location[i];
        if (!path_matches(location, path)) {
            continue;
        }
        if (location->n_span > 0) {
            source.line = location->span[0] + 1;
        }
        source.doc = clean_comment(pool, location->leading_comments);
        if (source.doc == NULL) {
            source.doc = clean_comment(pool, location->trailing_comments);
        }
        break;
    }
    return source;
}
