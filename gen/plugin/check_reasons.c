#include "gen/plugin/check.h"
#include "herald/reason.h"

#include <string.h>

/* Why no policy may name a reason of this stage; NULL: a policy may. */
static const char *why_not(enum herald_reason_stage stage) {
    switch (stage) {
    case HERALD_STAGE_HANDLER:
        return NULL;
    case HERALD_STAGE_REFUSED:
    case HERALD_STAGE_BEFORE:
        return "which no handler gives: a call ends with it before its handler begins";
    case HERALD_STAGE_BEGUN:
    case HERALD_STAGE_EITHER:
        return "which any method may answer: leave it out";
    case HERALD_STAGE_DETAIL:
        return "which is the word of a detail and ends no call";
    case HERALD_STAGE_NO_CALL:
        return "which ends no call";
    }
    return NULL;
}

static bool is_named_before(const Herald__Rpc__V1__MethodPolicy *policy, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (strcmp(policy->reasons[i], policy->reasons[index]) == 0) {
            return true;
        }
    }
    return false;
}

static void check_reason(const struct model_file *file, struct problems *problems, const struct model_service *service,
                         const struct model_method *method, size_t index) {
    const char *scope = service->proto->name, *name = method->proto->name, *word = method->policy->reasons[index];
    int line = method->source.line;
    enum herald_reason reason = herald_reason_find(word);
    const char *wrong =
        reason == HERALD_REASON_NONE ? "which is not in herald/reason.h" : why_not(herald_reason_stage(reason));
    if (wrong != NULL) {
        problem_add(problems, file, line, "method %s.%s names the reason \"%s\", %s", scope, name, word, wrong);
    }
    if (is_named_before(method->policy, index)) {
        problem_add(problems, file, line, "method %s.%s names the reason \"%s\" twice", scope, name, word);
    }
}

void check_reasons(const struct model_file *file, struct problems *problems) {
    for (size_t i = 0; i < file->service_count; i++) {
        const struct model_service *service = &file->services[i];
        for (size_t j = 0; j < service->method_count; j++) {
            const struct model_method *method = &service->methods[j];
            for (size_t k = 0; method->policy != NULL && k < method->policy->n_reasons; k++) {
                check_reason(file, problems, service, method, k);
            }
        }
    }
}
