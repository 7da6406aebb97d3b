#ifndef HERALD_GEN_SOURCE_H
#define HERALD_GEN_SOURCE_H

#include "gen/plugin/memory.h"
#include "google/protobuf/descriptor.pb-c.h"

/*
 * Where things stand in a .proto file and what their comments say, from its source_code_info. An element is found by
 * its path: field numbers and indices from the FileDescriptorProto down to it (descriptor.proto, SourceCodeInfo).
 */
#define SOURCE_PATH_MAX 64

struct source_path {
    int32_t steps[SOURCE_PATH_MAX];
    size_t length;
};

/** The path one step deeper: repeated field @number, element @index. A path that is too deep stays as it is. */
struct source_path source_path_add(struct source_path path, int32_t number, size_t index);

struct source {
    int line;        /* from 1; 1 if nothing is known */
    const char *doc; /* lines joined by '\n', without the space after the comment sign; NULL: no comment */
};

struct source source_find(struct pool *pool, const Google__Protobuf__FileDescriptorProto *file,
                          const struct source_path *path);

#endif
