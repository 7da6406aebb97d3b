/* Checks names: reserved words of C, and schema names that become the same C name. */
#include "gen/plugin/check.h"
#include "gen/plugin/names.h"

#include <stdlib.h>
#include <string.h>

static void check_c_name(const struct model_file *file, struct problems *problems, int line, const char *kind,
                         const char *name, const char *c_name) {
    if (!name_is_reserved(c_name)) {
        return;
    }
    if (strcmp(name, c_name) == 0) {
        problem_add(problems, file, line, "%s name %s is a word that C keeps for itself: choose another", kind, name);
    } else {
        problem_add(problems, file, line, "%s name %s becomes `%s`, a word that C keeps for itself: choose another",
                    kind, name, c_name);
    }
}

static void check_field_names(const struct model_file *file, struct problems *problems,
                              const struct model_message *message) {
    struct pool pool = {0};
    for (size_t i = 0; i < message->field_count; i++) {
        const struct model_field *field = &message->fields[i];
        const char *c_name = name_lower(&pool, field->proto->name);
        check_c_name(file, problems, field->source.line, "field", field->proto->name, c_name);
        if (strcmp(c_name, "base") == 0) {
            problem_add(problems, file, field->source.line,
                        "field name base is the name of protobuf-c's own first member: choose another");
        }
    }
    pool_fini(&pool);
}

static void check_words(const struct model_file *file, struct problems *problems) {
    for (size_t i = 0; i < file->message_count; i++) {
        const struct model_message *message = &file->messages[i];
        if (message->map_entry) {
            continue;
        }
        check_c_name(file, problems, message->source.line, "message", message->proto->name, message->proto->name);
        check_field_names(file, problems, message);
    }
    for (size_t i = 0; i < file->enum_count; i++) {
        const struct model_enum *enumeration = &file->enums[i];
        check_c_name(file, problems, enumeration->source.line, "enum", enumeration->proto->name,
                     enumeration->proto->name);
        for (size_t j = 0; j < enumeration->value_count; j++) {
            check_c_name(file, problems, enumeration->values[j].source.line, "enum value",
                         enumeration->values[j].proto->name, enumeration->values[j].proto->name);
        }
    }
    for (size_t i = 0; i < file->service_count; i++) {
        for (size_t j = 0; j < file->services[i].method_count; j++) {
            check_c_name(file, problems, file->services[i].methods[j].source.line, "method",
                         file->services[i].methods[j].proto->name, file->services[i].methods[j].snake);
        }
    }
}

/* One C symbol and the schema element that it is made from. */
struct symbol {
    const char *c_name, *name;
    int line;
};

static int compare_symbols(const void *a, const void *b) {
    const struct symbol *left = a, *right = b;
    int order = strcmp(left->c_name, right->c_name);
    return order != 0 ? order : (left->line > right->line) - (left->line < right->line);
}

static void check_collisions(const struct model_file *file, struct problems *problems, struct symbol *symbols,
                             size_t count) {
    if (count > 0) {
        qsort(symbols, count, sizeof(*symbols), compare_symbols);
    }
    for (size_t i = 1; i < count; i++) {
        if (strcmp(symbols[i].c_name, symbols[i - 1].c_name) == 0) {
            problem_add(problems, file, symbols[i].line, "%s and %s (line %d) become the same C name, %s: rename one",
                        symbols[i].name, symbols[i - 1].name, symbols[i - 1].line, symbols[i].c_name);
        }
    }
}

static void check_type_collisions(const struct model_file *file, struct problems *problems) {
    struct pool pool = {0};
    size_t count = 0;
    struct symbol *symbols =
        pool_array(&pool, file->message_count + file->enum_count + file->service_count, sizeof(*symbols));
    for (size_t i = 0; i < file->message_count; i++) {
        if (!file->messages[i].map_entry) {
            symbols[count++] =
                (struct symbol){file->messages[i].symbol, name_short(file->package, file->messages[i].full_name),
                                file->messages[i].source.line};
        }
    }
    for (size_t i = 0; i < file->enum_count; i++) {
        symbols[count++] = (struct symbol){file->enums[i].symbol, name_short(file->package, file->enums[i].full_name),
                                           file->enums[i].source.line};
    }
    for (size_t i = 0; i < file->service_count; i++) {
        symbols[count++] =
            (struct symbol){file->services[i].symbol, file->services[i].proto->name, file->services[i].source.line};
    }
    check_collisions(file, problems, symbols, count);
    pool_fini(&pool);
}

/* Finds two services whose handlers get the same names. */
static void check_handler_collisions(const struct model_file *file, struct problems *problems) {
    struct pool pool = {0};
    struct symbol *symbols = pool_array(&pool, file->service_count, sizeof(*symbols));
    for (size_t i = 0; i < file->service_count; i++) {
        const char *name = file->services[i].proto->name;
        symbols[i] = (struct symbol){name_handlers(&pool, name), name, file->services[i].source.line};
    }
    check_collisions(file, problems, symbols, file->service_count);
    pool_fini(&pool);
}

static void check_method_collisions(const struct model_file *file, struct problems *problems,
                                    const struct model_service *service) {
    struct pool pool = {0};
    struct symbol *symbols = pool_array(&pool, service->method_count, sizeof(*symbols));
    for (size_t i = 0; i < service->method_count; i++) {
        symbols[i] = (struct symbol){service->methods[i].snake, service->methods[i].proto->name,
                                     service->methods[i].source.line};
    }
    check_collisions(file, problems, symbols, service->method_count);
    pool_fini(&pool);
}

/* Finds an enum's name function that has the name of a method's stub. */
static void check_function_collision(const struct model_file *file, struct problems *problems,
                                     const struct model_enum *enumeration, const struct model_service *service) {
    struct pool pool = {0};
    const char *name_function = pool_printf(&pool, "%s_name", enumeration->symbol);
    for (size_t i = 0; i < service->method_count; i++) {
        const struct model_method *method = &service->methods[i];
        if (strcmp(name_function, pool_printf(&pool, "%s_%s", service->symbol, method->snake)) == 0) {
            problem_add(problems, file, method->source.line,
                        "%s and the names of enum %s (line %d) become the same C name, %s: rename one",
                        method->proto->name, name_short(file->package, enumeration->full_name),
                        enumeration->source.line, name_function);
        }
    }
    pool_fini(&pool);
}

static void check_function_collisions(const struct model_file *file, struct problems *problems) {
    for (size_t i = 0; i < file->enum_count; i++) {
        for (size_t j = 0; j < file->service_count; j++) {
            check_function_collision(file, problems, &file->enums[i], &file->services[j]);
        }
    }
}

void check_names(const struct model_file *file, struct problems *problems) {
    check_words(file, problems);
    check_type_collisions(file, problems);
    check_function_collisions(file, problems);
    check_handler_collisions(file, problems);
    for (size_t i = 0; i < file->service_count; i++) {
        check_method_collisions(file, problems, &file->services[i]);
    }
}
