#include "gen/plugin/emit.h"

static void emit_head(struct text *out, const struct model_service *service, const struct model_method *method) {
    struct pool pool = {0};
    const char *parameters[] = {
        "struct herald_channel *channel",
        pool_printf(&pool, "const %s *request", method->request->c_type),
        "const struct remote_options *options",
        "enum herald_outcome *ret_outcome",
        pool_printf(&pool, "const %s **ret_response", method->response->c_type),
        "struct herald_error *reterr",
    };
    text_add(out, "TASK_FN static inline enum herald_code\n");
    emit_signature(out, pool_printf(&pool, "%s_%s_task(", service->symbol, method->snake), parameters, 6, ") {\n");
    pool_fini(&pool);
}

static void emit_suspending_stub(struct text *out, const struct model_service *service,
                                 const struct model_method *method) {
    text_add(out, "\n/**\n");
    emit_method_doc(out, method, "");
    text_add(out, " *\n"
                  " * @options       may be NULL\n"
                  " * @ret_outcome   always set; may be NULL\n"
                  " * @ret_response  set only on HERALD_OK; lives in the running call's arena\n"
                  " * Returns:  the call's code: see remote_call()\n"
                  " * Context:  suspends the task\n"
                  " */\n");
    emit_head(out, service, method);
    text_add(out, "    ProtobufCMessage *response = NULL;\n");
    emit_method_call(out, "    enum herald_code code = remote_call(", service, method,
                     "options, ret_outcome, &response, reterr");
    text_addf(out, "    if (code == HERALD_OK)\n        *ret_response = (const %s *)response;\n    return code;\n}\n",
              method->response->c_type);
}

void emit_task_header(struct text *out, const struct model_file *file) {
    emit_banner(out, file);
    emit_guard_begin(out, file, "task");
    emit_include(out, file, "pb-c.h");
    emit_include(out, file, "schema.h");
    text_add(out, "#include \"herald/task.h\"\n");
    emit_declarations_begin(out);
    for (size_t i = 0; i < file->service_count; i++) {
        for (size_t j = 0; j < file->services[i].method_count; j++) {
            emit_suspending_stub(out, &file->services[i], &file->services[i].methods[j]);
        }
    }
    emit_guard_end(out);
}
