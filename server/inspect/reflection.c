/* herald.rpc.v1.Reflection: what a server serves, from its registry and the schemas that are linked into it. */
#include "server/inspect/reflection.h"

#include "herald/json.h"
#include "herald/rpc/v1/reflection.server.h"
#include "server/rpc/rpc_call.h"
#include "server/rpc/server_parts.h"
#include "server/rpc/summary.h"

#include <stdlib.h>
#include <string.h>

typedef Herald__Rpc__V1__MethodSummary method_summary;
typedef Herald__Rpc__V1__ServiceSummary service_summary;

/* Most files of a descriptor set: a file and all its imports. */
#define FILES_MAX 64u

/* Constant text may stand in a response without a copy: responses are packed, never written to. */
static char *borrowed(const char *text) {
    return (char *)text;
}

static char *summary_text(struct arena *arena, const char *doc) {
    return arena_strndup(arena, doc ? doc : "", rpc_summary_bytes(doc));
}

static bool fill_method_summary(struct arena *arena, const struct herald_method_schema *schema,
                                method_summary *method) {
    herald__rpc__v1__method_summary__init(method);
    method->name = borrowed(schema->full_name);
    method->request_type = borrowed(schema->request->full_name);
    method->response_type = borrowed(schema->response->full_name);
    method->effect = (Herald__Rpc__V1__Effect)schema->effect;
    method->deadline_ms = schema->deadline_ms;
    method->caller = (Herald__Rpc__V1__Caller)schema->caller;
    method->waits = schema->waits;
    method->summary = summary_text(arena, schema->doc);
    return method->summary != NULL;
}

static bool fill_service(struct arena *arena, const struct herald_service_schema *schema, service_summary *service) {
    herald__rpc__v1__service_summary__init(service);
    service->name = borrowed(schema->full_name);
    service->summary = summary_text(arena, schema->doc);
    service->methods = arena_calloc(arena, schema->method_count, sizeof(*service->methods));
    method_summary *methods = arena_calloc(arena, schema->method_count, sizeof(*methods));
    if (!service->summary || !service->methods || !methods) {
        return false;
    }
    for (size_t i = 0; i < schema->method_count; i++) {
        if (!fill_method_summary(arena, &schema->methods[i], &methods[i])) {
            return false;
        }
        service->methods[service->n_methods++] = &methods[i];
    }
    return true;
}

enum herald_code reflection_list_services(void *self, const Herald__Rpc__V1__ListServicesRequest *request,
                                          Herald__Rpc__V1__ListServicesResponse *response,
                                          struct herald_error *reterr) {
    const struct registry *registry = self;
    struct arena *arena = rpc_call_arena();
    (void)request;
    response->services = arena_calloc(arena, registry->service_count, sizeof(*response->services));
    service_summary *services = arena_calloc(arena, registry->service_count, sizeof(*services));
    if (!response->services || !services) {
        return arena_full(reterr, "the reply");
    }
    for (size_t i = 0; i < registry->service_count; i++) {
        if (!fill_service(arena, registry->services[i]->schema, &services[i])) {
            return arena_full(reterr, "the reply");
        }
        response->services[response->n_services++] = &services[i];
    }
    return HERALD_OK;
}

/* ---- Describe ---- */

struct file_list {
    const struct herald_file_schema *files[FILES_MAX];
    size_t count;
};

/* Lists a file behind its imports. Imports have no cycles. */
static void collect_files(struct file_list *list, const struct herald_file_schema *file) {
    for (size_t i = 0; i < list->count; i++) {
        if (list->files[i] == file) {
            return;
        }
    }
    for (size_t i = 0; i < file->dependency_count; i++) {
        collect_files(list, file->dependencies[i]);
    }
    if (list->count < FILES_MAX) {
        list->files[list->count++] = file;
    }
}

static size_t varint_bytes(size_t value) {
    size_t bytes = 1;
    for (; value >= 0x80; value >>= 7) {
        bytes++;
    }
    return bytes;
}

static uint8_t *write_file_descriptor(uint8_t *at, const struct herald_file_schema *file) {
    size_t length = file->descriptor_bytes;
    *at++ = 1 << 3 | 2; /* FileDescriptorSet.file = 1, length-delimited */
    for (; length >= 0x80; length >>= 7) {
        *at++ = (uint8_t)(length | 0x80);
    }
    *at++ = (uint8_t)length;
    memcpy(at, file->descriptor, file->descriptor_bytes);
    return at + file->descriptor_bytes;
}

static bool fill_descriptor_set(struct arena *arena, const struct herald_file_schema *file, ProtobufCBinaryData *set) {
    struct file_list list = {.count = 0};
    collect_files(&list, file);
    size_t bytes = 0;
    for (size_t i = 0; i < list.count; i++) {
        bytes += 1 + varint_bytes(list.files[i]->descriptor_bytes) + list.files[i]->descriptor_bytes;
    }
    set->data = arena_alloc(arena, bytes);
    if (!set->data) {
        return false;
    }
    set->len = bytes;
    uint8_t *at = set->data;
    for (size_t i = 0; i < list.count; i++) {
        at = write_file_descriptor(at, list.files[i]);
    }
    return true;
}

enum herald_code reflection_describe(void *self, const Herald__Rpc__V1__DescribeRequest *request,
                                     Herald__Rpc__V1__DescribeResponse *response, struct herald_error *reterr) {
    struct arena *arena = rpc_call_arena();
    const struct herald_file_schema *file = NULL;
    const char *full_name = NULL;
    char *text = NULL;
    (void)self;
    enum herald_code code = herald_describe(request->name, &full_name, &file, &text, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    response->name = borrowed(full_name);
    response->text = arena_strdup(arena, text);
    free(text);
    return response->text && fill_descriptor_set(arena, file, &response->file_descriptor_set)
               ? HERALD_OK
               : arena_full(reterr, "the reply");
}

static const struct herald_rpc_v1_reflection_handlers HANDLERS = HERALD_RPC_V1_REFLECTION_HANDLERS;

enum herald_code reflection_service_add(struct rpc_server *server, struct herald_error *reterr) {
    return rpc_server_add(server, &herald_rpc_v1_reflection_binding, &HANDLERS, NULL,
                          &rpc_server_parts(server)->registry, reterr);
}
