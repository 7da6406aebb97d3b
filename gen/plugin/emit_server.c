/* Prints the serving side: handlers, their thunks and the binding of herald/service.h. */
#include "gen/plugin/emit.h"
#include "gen/plugin/names.h"

static const char *handler_name(struct pool *pool, const struct model_service *service,
                                const struct model_method *method) {
    return pool_printf(pool, "%s_%s", name_handlers(pool, service->proto->name), method->snake);
}

/* Prints "enum herald_code <name>(void *self, …);" */
static void emit_handler_signature(struct text *out, const char *head, const struct model_method *method) {
    struct pool pool = {0};
    const char *parameters[] = {
        "void *self",
        pool_printf(&pool, "const %s *request", method->request->c_type),
        pool_printf(&pool, "%s *response", method->response->c_type),
        "struct herald_error *reterr",
    };
    emit_signature(out, head, parameters, 4, ");\n");
    pool_fini(&pool);
}

static void emit_handler_prototype(struct text *out, const struct model_service *service,
                                   const struct model_method *method) {
    struct pool pool = {0};
    text_add(out, "/**\n");
    emit_method_doc(out, method, "");
    text_add(out, " */\n");
    emit_handler_signature(out, pool_printf(&pool, "enum herald_code %s(", handler_name(&pool, service, method)),
                           method);
    pool_fini(&pool);
}

static void emit_handler_prototypes(struct text *out, const struct model_service *service) {
    text_add(out, "\n/*\n");
    emit_doc_lines(out, service->source.doc, "");
    text_addf(out,
              " *\n * Handlers of %s, under the names that a server gives them.\n"
              " *\n"
              " * @self      the handlers' own state\n"
              " * @request   validated; borrowed\n"
              " * @response  initialised; what the handler hangs into it lives in the call's arena\n"
              " * @reterr    filled when the handler does not return HERALD_OK\n"
              " */\n\n",
              service->full_name);
    for (size_t i = 0; i < service->method_count; i++) {
        emit_handler_prototype(out, service, &service->methods[i]);
    }
}

static void emit_handler_table(struct text *out, const struct model_service *service) {
    struct pool pool = {0};
    text_addf(out, "\n/** The handlers of a server. One that is NULL answers UNIMPLEMENTED. */\nstruct %s_handlers {\n",
              service->symbol);
    for (size_t i = 0; i < service->method_count; i++) {
        const struct model_method *method = &service->methods[i];
        emit_handler_signature(out, pool_printf(&pool, "    enum herald_code (*%s)(", method->snake), method);
    }
    text_add(out, "};\n");
    pool_fini(&pool);
}

/* Prints a macro that is an initialiser, so that only a server that serves all methods needs all functions. */
static void emit_all_handlers(struct text *out, const struct model_service *service) {
    struct pool pool = {0};
    text_addf(out,
              "\n/** All handlers, for a struct %s_handlers: a server that lacks one of them does not link. "
              "*/\n#define %s_HANDLERS \\\n    { \\\n",
              service->symbol, name_upper(&pool, service->symbol));
    for (size_t i = 0; i < service->method_count; i++) {
        const struct model_method *method = &service->methods[i];
        text_addf(out, "        .%s = %s, \\\n", method->snake, handler_name(&pool, service, method));
    }
    text_add(out, "    }\n");
    pool_fini(&pool);
}

static void emit_handlers(struct text *out, const struct model_service *service) {
    emit_handler_prototypes(out, service);
    emit_handler_table(out, service);
    emit_all_handlers(out, service);
    text_addf(out, "\n/** Binds a struct %s_handlers to its schema. */\n", service->symbol);
    text_addf(out, "extern const struct herald_service_binding %s_binding;\n", service->symbol);
}

void emit_server_header(struct text *out, const struct model_file *file) {
    emit_banner(out, file);
    emit_guard_begin(out, file, "server");
    text_add(out, "#include \"herald/service.h\"\n");
    emit_include(out, file, "pb-c.h");
    emit_include(out, file, "schema.h");
    emit_declarations_begin(out);
    for (size_t i = 0; i < file->service_count; i++) {
        if (file->services[i].method_count > 0) {
            emit_handlers(out, &file->services[i]);
        }
    }
    emit_guard_end(out);
}

static void emit_thunk(struct text *out, const struct model_service *service, const struct model_method *method) {
    struct pool pool = {0};
    const char *parameters[] = {
        "const void *handlers",        "void *self", "const ProtobufCMessage *request", "ProtobufCMessage *response",
        "struct herald_error *reterr",
    };
    text_add(out, "\n");
    emit_signature(out, pool_printf(&pool, "static enum herald_code %s_%s_invoke(", service->symbol, method->snake),
                   parameters, 5, ") {\n");
    text_addf(out, "    const struct %s_handlers *typed = handlers;\n", service->symbol);
    text_addf(out, "    if (typed->%s == NULL)\n", method->snake);
    text_add(out, "        return herald_error_set(reterr, HERALD_REASON_METHOD_NOT_IMPLEMENTED,\n");
    text_addf(out, "                                \"this server does not implement %s/%s\");\n", service->full_name,
              method->proto->name);
    const char *arguments[] = {
        "self",
        pool_printf(&pool, "(const %s *)request", method->request->c_type),
        pool_printf(&pool, "(%s *)response", method->response->c_type),
        "reterr",
    };
    emit_signature(out, pool_printf(&pool, "    return typed->%s(", method->snake), arguments, 4, ");\n}\n");
    pool_fini(&pool);
}

static void emit_binding(struct text *out, const struct model_service *service) {
    for (size_t i = 0; i < service->method_count; i++) {
        emit_thunk(out, service, &service->methods[i]);
    }
    text_addf(out, "\nstatic const herald_invoke_fn %s_invokes[%zu] = {\n", service->symbol, service->method_count);
    for (size_t i = 0; i < service->method_count; i++) {
        text_addf(out, "    %s_%s_invoke,\n", service->symbol, service->methods[i].snake);
    }
    text_addf(out, "};\n\nconst struct herald_service_binding %s_binding = {\n", service->symbol);
    text_addf(out, "    .schema = &%s_schema,\n    .invoke = %s_invokes,\n};\n", service->symbol, service->symbol);
}

void emit_server_source(struct text *out, const struct model_file *file) {
    emit_banner(out, file);
    emit_include(out, file, "server.h");
    for (size_t i = 0; i < file->service_count; i++) {
        if (file->services[i].method_count > 0) {
            emit_binding(out, &file->services[i]);
        }
    }
}
