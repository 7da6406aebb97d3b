/*
 * protoc-gen-herald: reads a CodeGeneratorRequest on stdin and writes a CodeGeneratorResponse on stdout. For refused
 * schemas the response has an error, one "file:line: message" a line, and the exit status is 0, as protoc requires. For
 * a malformed request the exit status is 1.
 *
 * Parameters, separated by commas: registry=PATH names the file of herald_schemas[], the table of all files of this
 * run; reasons=PATH names the page about reasons; routes=PATH the table of routes, openapi=PATH the OpenAPI
 * document of them.
 */
#include "gen/plugin/check.h"
#include "gen/plugin/emit.h"
#include "gen/plugin/model.h"
#include "gen/plugin/problems.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef Google__Protobuf__Compiler__CodeGeneratorResponse generator_response;
typedef Google__Protobuf__Compiler__CodeGeneratorResponse__File response_file;

#define SUPPORTED_FEATURES 1 /* proto3 optional: supported so far that it is refused with a sentence */

static bool read_all(int fd, struct text *text) {
    char buffer[65536];
    for (;;) {
        ssize_t count = read(fd, buffer, sizeof(buffer));
        if (count <= 0) {
            return count == 0;
        }
        text_add_bytes(text, buffer, (size_t)count);
    }
}

static void add_file(struct pool *pool, generator_response *response, const char *name, struct text *content) {
    response_file *file = pool_alloc(pool, sizeof(*file));
    google__protobuf__compiler__code_generator_response__file__init(file);
    file->name = pool_printf(pool, "%s", name);
    file->content = pool_printf(pool, "%s", content->data);
    response->file[response->n_file++] = file;
    text_fini(content);
}

struct output {
    const char *suffix;
    void (*emit)(struct text *out, const struct model_file *file);
    bool only_with_services;
};

static const struct output outputs[] = {
    {"schema.h", emit_schema_header, false}, {"schema.c", emit_schema_source, false},
    {"client.h", emit_client_header, true},  {"client.c", emit_client_source, true},
    {"server.h", emit_server_header, true},  {"server.c", emit_server_source, true},
    {"task.h", emit_task_header, true},
};
#define OUTPUT_COUNT (sizeof(outputs) / sizeof(outputs[0]))

static void emit_outputs(struct pool *pool, generator_response *response, const struct model_file *file) {
    for (size_t i = 0; i < OUTPUT_COUNT; i++) {
        struct text content = {0};
        if (outputs[i].only_with_services && file->service_count == 0) {
            continue;
        }
        outputs[i].emit(&content, file);
        add_file(pool, response, pool_printf(pool, "%s.%s", file->stem, outputs[i].suffix), &content);
    }
}

/* Paths of the outputs that cover all files of a run. NULL: not wanted. */
struct parameters {
    const char *registry, *reasons, *routes, *openapi;
};

static void emit_whole(struct pool *pool, generator_response *response, const struct model *model, const char *path,
                       void (*emit)(struct text *out, const struct model *model)) {
    struct text content = {0};
    if (path != NULL) {
        emit(&content, model);
        add_file(pool, response, path, &content);
    }
}

static void emit_model(struct pool *pool, generator_response *response, const struct model *model,
                       const struct parameters *parameters) {
    response->file = pool_array(pool, model->file_count * OUTPUT_COUNT + 4, sizeof(*response->file));
    for (size_t i = 0; i < model->file_count; i++) {
        if (model->files[i].wanted) {
            emit_outputs(pool, response, &model->files[i]);
        }
    }
    emit_whole(pool, response, model, parameters->registry, emit_registry);
    emit_whole(pool, response, model, parameters->reasons, emit_reasons);
    emit_whole(pool, response, model, parameters->routes, emit_routes);
    emit_whole(pool, response, model, parameters->openapi, emit_openapi);
}

/* Reads "key=PATH". False: it has another key, or an empty path. */
static bool read_path(struct pool *pool, const char *parameter, size_t length, const char *key, const char **path) {
    size_t key_length = strlen(key);
    if (length <= key_length || strncmp(parameter, key, key_length) != 0) {
        return false;
    }
    *path = pool_printf(pool, "%.*s", (int)(length - key_length), parameter + key_length);
    return true;
}

/* Reads the parameters. Returns: NULL, or what is wrong with @text */
static const char *read_parameters(struct pool *pool, const char *text, struct parameters *ret_parameters) {
    *ret_parameters = (struct parameters){0};
    while (text != NULL && *text != '\0') {
        size_t length = strcspn(text, ",");
        if (!read_path(pool, text, length, "registry=", &ret_parameters->registry) &&
            !read_path(pool, text, length, "reasons=", &ret_parameters->reasons) &&
            !read_path(pool, text, length, "routes=", &ret_parameters->routes) &&
            !read_path(pool, text, length, "openapi=", &ret_parameters->openapi)) {
            return pool_printf(
                pool, "unknown parameter \"%.*s\": there are registry=PATH, reasons=PATH, routes=PATH and openapi=PATH",
                (int)length, text);
        }
        text += length + (text[length] == ',');
    }
    return NULL;
}

static bool write_response(const generator_response *response) {
    struct pool pool = {0};
    size_t count = google__protobuf__compiler__code_generator_response__get_packed_size(response);
    uint8_t *bytes = pool_alloc(&pool, count);
    google__protobuf__compiler__code_generator_response__pack(response, bytes);
    bool good = fwrite(bytes, 1, count, stdout) == count && fflush(stdout) == 0;
    pool_fini(&pool);
    return good;
}

static bool answer_generator_request(const generator_request *request) {
    struct pool pool = {0};
    struct model model;
    struct problems problems = {0};
    generator_response response = GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__INIT;
    struct parameters parameters;
    response.has_supported_features = 1;
    response.supported_features = SUPPORTED_FEATURES;
    response.error = (char *)read_parameters(&pool, request->parameter, &parameters);
    if (!model_build(&model, request)) {
        response.error = "the request lacks names or refers to types that it does not hold: not one of protoc's";
    }
    if (response.error == NULL) {
        check_model(&model, &problems);
    }
    if (problems.count > 0) {
        response.error = (char *)problems_text(&problems);
    }
    if (response.error == NULL) {
        emit_model(&pool, &response, &model, &parameters);
    }
    bool good = write_response(&response);
    problems_fini(&problems);
    model_fini(&model);
    pool_fini(&pool);
    return good;
}

int main(void) {
    struct text input = {0};
    generator_request *request = NULL;
    if (read_all(STDIN_FILENO, &input)) {
        request =
            google__protobuf__compiler__code_generator_request__unpack(NULL, input.length, (const uint8_t *)input.data);
    }
    text_fini(&input);
    if (request == NULL) {
        fputs("protoc-gen-herald: stdin is not a CodeGeneratorRequest; this program is run by protoc "
              "(--plugin=protoc-gen-herald --herald_out=DIR)\n",
              stderr);
        return EXIT_FAILURE;
    }
    bool good = answer_generator_request(request);
    google__protobuf__compiler__code_generator_request__free_unpacked(request, NULL);
    if (!good) {
        perror("protoc-gen-herald: cannot write the response");
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
