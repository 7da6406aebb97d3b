/* Checks the routes of methods: option (google.api.http), and http_status in the policy. */
#include "gen/plugin/check.h"

#define STATUS_LEAST 200
#define STATUS_MOST  299

/* Reports a route of the same method and paths that stands before this one, in the order of files and methods. */
static void check_unique(const struct model *model, const struct model_file *file, struct problems *problems,
                         const struct model_service *service, const struct model_method *method,
                         const struct route *route) {
    for (const struct model_file *other_file = model->files; other_file <= file; other_file++) {
        for (size_t i = 0; i < other_file->service_count; i++) {
            const struct model_service *other_service = &other_file->services[i];
            for (size_t j = 0; j < other_service->method_count; j++) {
                const struct model_method *other = &other_service->methods[j];
                for (size_t k = 0; k < other->route_count; k++) {
                    if (&other->routes[k] == route) {
                        return;
                    }
                    if (other->routes[k].problem == NULL && route_equals(&other->routes[k], route)) {
                        problem_add(problems, file, method->source.line,
                                    "method %s.%s: route %s %s is that of %s.%s (%s:%d): their paths are the same",
                                    service->proto->name, method->proto->name, route_method_name(route->method),
                                    route->text, other_service->proto->name, other->proto->name,
                                    other_file->proto->name, other->source.line);
                        return;
                    }
                }
            }
        }
    }
}

static void check_route(const struct model *model, const struct model_file *file, struct problems *problems,
                        const struct model_service *service, const struct model_method *method,
                        const struct route *route) {
    const char *scope = service->proto->name, *name = method->proto->name;
    if (route->problem == NULL) {
        check_unique(model, file, problems, service, method, route);
    } else if (route->text[0] == '\0') {
        problem_add(problems, file, method->source.line, "method %s.%s: a route cannot work: %s", scope, name,
                    route->problem);
    } else {
        problem_add(problems, file, method->source.line, "method %s.%s: route %s %s cannot work: %s", scope, name,
                    route_method_name(route->method), route->text, route->problem);
    }
}

static void check_http_status(const struct model_file *file, struct problems *problems,
                              const struct model_service *service, const struct model_method *method) {
    unsigned status = method->policy != NULL ? method->policy->http_status : 0;
    if (status == 0) {
        return;
    }
    if (status < STATUS_LEAST || status > STATUS_MOST) {
        problem_add(problems, file, method->source.line, "method %s.%s has http_status %u: allowed are %d..%d",
                    service->proto->name, method->proto->name, status, STATUS_LEAST, STATUS_MOST);
    }
    if (method->route_count == 0) {
        problem_add(problems, file, method->source.line, "method %s.%s has http_status %u, but no route",
                    service->proto->name, method->proto->name, status);
    }
}

static bool service_has_routes(const struct model_service *service) {
    for (size_t i = 0; i < service->method_count; i++) {
        if (service->methods[i].route_count > 0) {
            return true;
        }
    }
    return false;
}

static void check_method(const struct model *model, const struct model_file *file, struct problems *problems,
                         const struct model_service *service, const struct model_method *method) {
    if (method->http_unreadable) {
        problem_add(problems, file, method->source.line, "method %s.%s: option (google.api.http) cannot be read",
                    service->proto->name, method->proto->name);
    } else if (method->route_count == 0 && service_has_routes(service)) {
        problem_add(problems, file, method->source.line,
                    "method %s.%s has no route, and others of its service have: add option (google.api.http)",
                    service->proto->name, method->proto->name);
    }
    check_http_status(file, problems, service, method);
    for (size_t i = 0; i < method->route_count; i++) {
        check_route(model, file, problems, service, method, &method->routes[i]);
    }
}

void check_routes(const struct model *model, const struct model_file *file, struct problems *problems) {
    for (size_t i = 0; i < file->service_count; i++) {
        const struct model_service *service = &file->services[i];
        for (size_t j = 0; j < service->method_count; j++) {
            check_method(model, file, problems, service, &service->methods[j]);
        }
    }
}
