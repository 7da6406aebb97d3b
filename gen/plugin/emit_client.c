/* Prints the typed stubs of the client library, blocking and with callback. */
#include "gen/plugin/emit.h"

/* The first parameters of both kinds of stub. */
#define COMMON_COUNT 3

static void common_parameters(struct pool *pool, const struct model_method *method, const char **parameters) {
    parameters[0] = "struct herald_channel *channel";
    parameters[1] = pool_printf(pool, "const %s *request", method->request->c_type);
    parameters[2] = "const struct herald_call_options *options";
}

static void emit_blocking_head(struct text *out, const struct model_service *service, const struct model_method *method,
                               const char *tail) {
    struct pool pool = {0};
    const char *parameters[COMMON_COUNT + 2];
    common_parameters(&pool, method, parameters);
    parameters[3] = "struct herald_reply *reply";
    parameters[4] = pool_printf(&pool, "const %s **ret_response", method->response->c_type);
    emit_signature(out, pool_printf(&pool, "enum herald_code %s_%s(", service->symbol, method->snake), parameters, 5,
                   tail);
    pool_fini(&pool);
}

static void emit_start_head(struct text *out, const struct model_service *service, const struct model_method *method,
                            const char *tail) {
    struct pool pool = {0};
    const char *parameters[COMMON_COUNT + 4];
    common_parameters(&pool, method, parameters);
    parameters[3] = "herald_call_done_fn *done";
    parameters[4] = "void *user";
    parameters[5] = "struct herald_call **ret_call";
    parameters[6] = "struct herald_error *reterr";
    emit_signature(out, pool_printf(&pool, "enum herald_code %s_%s_start(", service->symbol, method->snake), parameters,
                   7, tail);
    pool_fini(&pool);
}

static void emit_blocking_declaration(struct text *out, const struct model_service *service,
                                      const struct model_method *method) {
    text_add(out, "\n/**\n");
    emit_method_doc(out, method, "");
    text_add(out, " *\n"
                  " * @options       may be NULL\n"
                  " * @reply         zeroed or cleared before; always set; clear it with herald_reply_clear()\n"
                  " * @ret_response  set only on HERALD_OK; lives until the reply is cleared\n"
                  " * Returns:  the call's code; the reply holds outcome and error: see herald_call()\n"
                  " * Context:  blocks; any thread, not from a callback\n"
                  " */\n");
    emit_blocking_head(out, service, method, ");\n");
}

static void emit_start_declaration(struct text *out, const struct model_service *service,
                                   const struct model_method *method) {
    text_addf(
        out,
        "/**\n"
        " * Starts the same call: see herald_call_start(). @done takes its end; on HERALD_OK reply->message is a\n"
        " * %s.\n"
        " */\n",
        method->response->c_type);
    emit_start_head(out, service, method, ");\n");
}

void emit_client_header(struct text *out, const struct model_file *file) {
    emit_banner(out, file);
    emit_guard_begin(out, file, "client");
    text_add(out, "#include \"herald/client.h\"\n");
    emit_include(out, file, "pb-c.h");
    emit_include(out, file, "schema.h");
    emit_declarations_begin(out);
    for (size_t i = 0; i < file->service_count; i++) {
        for (size_t j = 0; j < file->services[i].method_count; j++) {
            emit_blocking_declaration(out, &file->services[i], &file->services[i].methods[j]);
            emit_start_declaration(out, &file->services[i], &file->services[i].methods[j]);
        }
    }
    emit_guard_end(out);
}

static void emit_blocking_definition(struct text *out, const struct model_service *service,
                                     const struct model_method *method) {
    text_add(out, "\n");
    emit_blocking_head(out, service, method, ") {\n");
    emit_method_call(out, "    enum herald_code code = herald_call(", service, method, "options, reply");
    text_addf(out, "    if (code == HERALD_OK)\n        *ret_response = (const %s *)reply->message;\n",
              method->response->c_type);
    text_add(out, "    return code;\n}\n");
}

static void emit_start_definition(struct text *out, const struct model_service *service,
                                  const struct model_method *method) {
    text_add(out, "\n");
    emit_start_head(out, service, method, ") {\n");
    emit_method_call(out, "    return herald_call_start(", service, method, "options, done, user, ret_call, reterr");
    text_add(out, "}\n");
}

void emit_client_source(struct text *out, const struct model_file *file) {
    emit_banner(out, file);
    emit_include(out, file, "client.h");
    for (size_t i = 0; i < file->service_count; i++) {
        for (size_t j = 0; j < file->services[i].method_count; j++) {
            emit_blocking_definition(out, &file->services[i], &file->services[i].methods[j]);
            emit_start_definition(out, &file->services[i], &file->services[i].methods[j]);
        }
    }
}
