#include "server/gateway/http_problem.h"

const struct http_problem_row *http_problem_row(enum http_problem problem) {
    static const struct http_problem_row ROWS[] = {{"", 0, HERALD_OK, ""},
#define HTTP_PROBLEM_ROW(word, status, code, title) {#word, status, HERALD_##code, title},
                                                   HTTP_PROBLEMS(HTTP_PROBLEM_ROW)
#undef HTTP_PROBLEM_ROW
    };
    return &ROWS[problem];
}
