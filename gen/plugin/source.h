#ifndef HERALD_GEN_SOURCE_H
#define HERALD_GEN_SOURCE_H

/*
 * Lines and comments of the elements of a .proto file, from its source_code_info. An element's path consists of field
 * numbers and indices from the FileDescriptorProto down to it (descriptor.proto, SourceCodeInfo).
 */
#include "gen/plugin/memory.h"
#include "google/protobuf/descriptor.pb-c.h"

#define SOURCE_PATH_MAX 64

struct source_path {
    int32_t steps[SOURCE_PATH_MAX];
    size_t length;
};

/** The path one step deeper: repeated field @number, element @index. A path that is too deep is returned unchanged. */
struct source_path source_path_add(struct source_path path, int32_t number, size_t index);

struct source {
    int line;        /* from 1; 1 if unknown */
    const char *doc; /* lines joined by '\n', without the space after the comment sign; NULL: no comment */
};

struct source source_find(struct pool *pool, const Google__Protobuf__FileDescriptorProto *file,
                          const struct source_path *path);

#endif
