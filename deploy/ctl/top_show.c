/* Makes the text and the JSON of heraldctl top from two successive looks. */
#include "deploy/ctl/clean.h"
#include "deploy/ctl/report.h"
#include "deploy/ctl/table.h"
#include "deploy/ctl/top.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define METHODS_MAX    512
#define CODES_MAX      32
#define WIDE_COLUMNS   120
#define LEAST_COLUMNS  8
#define ERRORS_COLUMNS 20

static const char own_package[] = "herald.rpc.v1.";

/* ---- comparing two looks ---- */

static uint64_t count_of_code(const Herald__Rpc__V1__MethodStats *stats, int code) {
    for (size_t i = 0; stats != NULL && i < stats->n_codes; i++) {
        if ((int)stats->codes[i]->code == code) {
            return stats->codes[i]->count;
        }
    }
    return 0;
}

static uint64_t count_of_bucket(const Herald__Rpc__V1__MethodStats *stats, uint64_t le_us) {
    for (size_t i = 0; stats != NULL && i < stats->n_latency; i++) {
        if (stats->latency[i]->le_us == le_us) {
            return stats->latency[i]->count;
        }
    }
    return 0;
}

/* The growth of a counter. One that has shrunk belongs to a restarted server, and began at 0. */
static uint64_t grown(uint64_t before, uint64_t now) {
    return now >= before ? now - before : now;
}

static uint64_t quantile_us(const Herald__Rpc__V1__MethodStats *before, const Herald__Rpc__V1__MethodStats *now,
                            double quantile) {
    uint64_t all = 0, seen = 0;
    for (size_t i = 0; i < now->n_latency; i++) {
        all += grown(count_of_bucket(before, now->latency[i]->le_us), now->latency[i]->count);
    }
    for (size_t i = 0; i < now->n_latency; i++) {
        seen += grown(count_of_bucket(before, now->latency[i]->le_us), now->latency[i]->count);
        if (all > 0 && (double)seen >= quantile * (double)all) {
            return now->latency[i]->le_us;
        }
    }
    return 0;
}

void top_compare(const Herald__Rpc__V1__MethodStats *before, const Herald__Rpc__V1__MethodStats *now,
                 struct top_method *ret_method) {
    for (size_t i = 0; i < now->n_codes; i++) {
        int code = (int)now->codes[i]->code;
        uint64_t count = grown(count_of_code(before, code), now->codes[i]->count);
        ret_method->total += now->codes[i]->count;
        ret_method->calls += count;
        if (code != HERALD_OK) {
            ret_method->failed += count;
        }
        if (code >= 0 && code < CODES_MAX) {
            ret_method->codes[code] = count;
        }
    }
    ret_method->method = now->method;
    ret_method->in_flight = now->in_flight;
    ret_method->p50_us = quantile_us(before, now, 0.5);
    ret_method->p99_us = quantile_us(before, now, 0.99);
}

static const Herald__Rpc__V1__MethodStats *find_stats(const struct top_look *look, const char *method) {
    for (size_t i = 0; look->stats != NULL && i < look->stats->n_methods; i++) {
        if (strcmp(look->stats->methods[i]->method, method) == 0) {
            return look->stats->methods[i];
        }
    }
    return NULL;
}

static bool is_same_process(const struct top_server *server) {
    return server->before.answered && server->before.info->pid == server->now.info->pid;
}

static size_t add_methods(const struct top *top, const struct top_server *server, struct top_method *methods,
                          size_t count) {
    const struct top_look *now = &server->now;
    for (size_t i = 0; i < now->stats->n_methods && count < METHODS_MAX; i++) {
        const Herald__Rpc__V1__MethodStats *stats = now->stats->methods[i];
        bool own = strncmp(stats->method, own_package, sizeof(own_package) - 1) == 0;
        if (own && !top->own_methods) {
            continue;
        }
        struct top_method *method = &methods[count++];
        memset(method, 0, sizeof(*method));
        method->server = server->server.name;
        method->seconds = server->before.answered ? (double)(now->at_us - server->before.at_us) / 1e6 : 0;
        top_compare(is_same_process(server) ? find_stats(&server->before, stats->method) : NULL, stats, method);
    }
    return count;
}

static int busiest_first(const void *a, const void *b) {
    const struct top_method *one = a, *other = b;
    if (one->calls != other->calls) {
        return one->calls < other->calls ? 1 : -1;
    }
    if (one->in_flight != other->in_flight) {
        return one->in_flight < other->in_flight ? 1 : -1;
    }
    return (one->total < other->total) - (one->total > other->total);
}

static size_t all_methods(const struct top *top, struct top_method *methods) {
    size_t count = 0;
    for (size_t i = 0; i < top->count; i++) {
        if (top->servers[i].now.answered) {
            count = add_methods(top, &top->servers[i], methods, count);
        }
    }
    qsort(methods, count, sizeof(*methods), busiest_first);
    return count;
}

int top_status(const struct top *top) {
    int status = CTL_OK;
    for (size_t i = 0; i < top->count; i++) {
        if (top->servers[i].now.answered) {
            return CTL_OK;
        }
        status = report_worse(status, top->servers[i].now.status);
    }
    return status;
}

static bool any_error(const struct top *top) {
    for (size_t i = 0; i < top->count; i++) {
        if (!top->servers[i].now.answered && top->servers[i].now.outcome == HERALD_EXECUTED) {
            return true;
        }
    }
    return false;
}

/* ---- text ---- */

static void format_us(uint64_t us, char *ret_text, size_t bytes) {
    if (us < 10000) {
        snprintf(ret_text, bytes, "%llu us", (unsigned long long)us);
    } else if (us < 10000000) {
        snprintf(ret_text, bytes, "%.1f ms", (double)us / 1e3);
    } else {
        snprintf(ret_text, bytes, "%.1f s", (double)us / 1e6);
    }
}

static double per_second(uint64_t count, const struct top_method *method) {
    return method->seconds > 0 ? (double)count / method->seconds : 0;
}

/* Writes "UNAVAILABLE 3.0/s, NOT_FOUND 1.0/s"; empty when there are no errors. */
static void format_errors(const struct top_method *method, char *ret_text, size_t bytes) {
    ret_text[0] = '\0';
    for (int code = 1; code < CODES_MAX; code++) {
        size_t length = strlen(ret_text);
        if (method->codes[code] > 0) {
            snprintf(ret_text + length, bytes - length, "%s%s %.1f/s", length > 0 ? ", " : "", herald_code_name(code),
                     per_second(method->codes[code], method));
        }
    }
}

/* Cuts a column to the width that the others leave of the screen. */
static void fit(struct table *table, const struct top_room *room, size_t column,
                char *(*cut)(const char *text, size_t columns)) {
    size_t others = table_width_without(table, column);
    table_cut(table, column, room->columns > others + LEAST_COLUMNS ? room->columns - others : LEAST_COLUMNS, cut);
}

static bool is_narrow(const struct top_room *room) {
    return room->columns < WIDE_COLUMNS;
}

static const char *state_of(const struct top_look *look) {
    static const char *const words[] = {
        [HERALD_NOT_SENT] = "away", [HERALD_EXECUTED] = "error", [HERALD_MAYBE_EXECUTED] = "silent"};
    return words[look->outcome];
}

static void add_server_row(struct table *table, const struct top_server *server) {
    const Herald__Rpc__V1__GetInfoResponse *info = server->now.info;
    char pid[16] = "", up[24] = "", calls[32] = "", loops[16] = "", tasks[16] = "";
    if (server->now.answered) {
        snprintf(pid, sizeof(pid), "%u", (unsigned)info->pid);
        snprintf(up, sizeof(up), "%lld s",
                 info->started_at != NULL ? (long long)(time(NULL) - (time_t)info->started_at->seconds) : 0LL);
        snprintf(calls, sizeof(calls), "%u of %u", (unsigned)info->calls_in_flight,
                 (unsigned)info->calls_in_flight_limit);
        snprintf(loops, sizeof(loops), "%u", (unsigned)info->loops);
        snprintf(tasks, sizeof(tasks), "%u", (unsigned)info->tasks);
    } else {
        snprintf(up, sizeof(up), "%s", state_of(&server->now));
    }
    const char *cells[] = {server->server.name, server->server.url, pid, up, calls, loops, tasks, server->now.problem};
    table_add(table, cells);
}

/* Prints the servers. Returns: the number of lines */
static size_t show_servers(const struct top *top, const struct top_room *room, FILE *out) {
    enum { SERVER, URL, PID, UP, CALLS, LOOPS, TASKS, PROBLEM, COLUMNS };
    static const char *const heading[] = {"SERVER", "URL", "PID", "UP", "CALLS", "LOOPS", "TASKS", ""};
    struct table table = {.columns = COLUMNS};
    size_t lines = 1 + top->count;
    table_add(&table, heading);
    for (size_t i = 0; i < top->count; i++) {
        add_server_row(&table, &top->servers[i]);
    }
    if (room != NULL) {
        table_drop(&table, PROBLEM);
        fit(&table, room, URL, top_cut);
    }
    table_print(&table, out);
    for (size_t i = 0; room != NULL && i < top->count; i++) {
        if (top->servers[i].now.problem[0] != '\0') {
            char *problem = strdup(top->servers[i].now.problem);
            fprintf(out, "%s: %s\n", top->servers[i].server.name, problem != NULL ? clean_text(problem) : "");
            free(problem);
            lines++;
        }
    }
    table_fini(&table);
    return lines;
}

/* What happens at a gateway each second between two looks. -1: not known */
static double gateway_rate(const struct top_gateway *gateway, uint64_t before, uint64_t now) {
    bool known = gateway->before.counted && gateway->now.counted;
    return known ? (double)grown(before, now) * 1e6 / (double)(gateway->now.at_us - gateway->before.at_us) : -1;
}

static void add_gateway_row(struct table *table, const struct top_gateway *gateway) {
    const struct gateway_look *now = &gateway->now;
    char requests[24] = "-", errors[24] = "-", in_flight[24] = "-", connections[24] = "-", total[24] = "-";
    double rate = gateway_rate(gateway, gateway->before.requests, now->requests);
    if (rate >= 0) {
        snprintf(requests, sizeof(requests), "%.1f", rate);
        snprintf(errors, sizeof(errors), "%.1f", gateway_rate(gateway, gateway->before.errors, now->errors));
    }
    if (now->counted) {
        snprintf(in_flight, sizeof(in_flight), "%llu", (unsigned long long)now->in_flight);
        snprintf(connections, sizeof(connections), "%llu", (unsigned long long)now->connections);
        snprintf(total, sizeof(total), "%llu", (unsigned long long)now->requests);
    }
    const char *cells[] = {
        now->url,    gateway_state_name(now->state), now->version, requests, errors, in_flight, connections, total,
        now->problem};
    table_add(table, cells);
}

/* Prints the gateways. Returns: the number of lines */
static size_t show_gateways(const struct top *top, const struct top_room *room, FILE *out) {
    enum { URL, STATE, VERSION, REQUESTS, ERRORS, IN_FLIGHT, CONNECTIONS, TOTAL, PROBLEM, COLUMNS };
    static const char *const heading[] = {"GATEWAY",     "STATE", "VERSION", "REQUESTS/S", "5XX/S", "IN FLIGHT",
                                          "CONNECTIONS", "TOTAL", ""};
    struct table table = {.columns = COLUMNS};
    table_add(&table, heading);
    for (size_t i = 0; i < top->gateway_count; i++) {
        if (gateway_is_shown(&top->gateways[i].now)) {
            add_gateway_row(&table, &top->gateways[i]);
        }
    }
    size_t lines = table_rows(&table) > 1 ? 1 + table_rows(&table) : 0;
    if (room != NULL) {
        if (is_narrow(room)) {
            table_drop(&table, PROBLEM);
            table_drop(&table, VERSION);
            fit(&table, room, URL, top_cut);
        } else {
            fit(&table, room, PROBLEM, top_cut);
        }
    }
    if (lines > 0) {
        fputc('\n', out);
        table_print(&table, out);
    }
    table_fini(&table);
    return lines;
}

static void add_method_row(struct table *table, const struct top_method *method) {
    char calls[24], errors[256], p50[24] = "-", p99[24] = "-", in_flight[16], total[24];
    snprintf(calls, sizeof(calls), "%.1f", per_second(method->calls, method));
    format_errors(method, errors, sizeof(errors));
    if (method->calls > 0) {
        format_us(method->p50_us, p50, sizeof(p50));
        format_us(method->p99_us, p99, sizeof(p99));
    }
    snprintf(in_flight, sizeof(in_flight), "%u", (unsigned)method->in_flight);
    snprintf(total, sizeof(total), "%llu", (unsigned long long)method->total);
    const char *cells[] = {method->server, method->method, calls, p50, p99, in_flight, total, errors};
    table_add(table, cells);
}

static void list_methods(const struct top *top, struct table *table) {
    static const char *const heading[] = {"SERVER", "METHOD", "CALLS/S", "P50", "P99", "IN FLIGHT", "TOTAL", "ERRORS"};
    struct top_method *methods = calloc(METHODS_MAX, sizeof(*methods));
    size_t count = methods != NULL ? all_methods(top, methods) : 0;
    table_add(table, heading);
    for (size_t i = 0; i < count; i++) {
        add_method_row(table, &methods[i]);
    }
    free(methods);
}

/* Fits the methods to the screen. Their server is left out first: all but the common services are on one server. */
static void fit_methods(const struct top *top, struct table *table, const struct top_room *room) {
    enum { SERVER, METHOD, CALLS, P50, P99, IN_FLIGHT, TOTAL, ERRORS };
    size_t method = METHOD;
    table_cut(table, SERVER, room->columns, top_cut_server);
    table_cut(table, METHOD, room->columns, top_cut_method);
    if (is_narrow(room)) {
        table_cut(table, ERRORS, ERRORS_COLUMNS, top_cut);
        table_drop(table, TOTAL);
        if (!top->own_methods) {
            table_drop(table, SERVER);
            method--;
        }
    }
    fit(table, room, method, top_cut_method);
}

static void show_methods(const struct top *top, const struct table *table, bool none, FILE *out) {
    fputc('\n', out);
    if (!none) {
        table_print(table, out);
    } else {
        fputs(top_status(top) == CTL_OK ? "no method was called yet\n"
              : any_error(top)          ? "no server answers but with errors\n"
                                        : "no server answers\n",
              out);
    }
}

static bool is_own_task(const struct top_look *look, const Herald__Rpc__V1__TaskInfo *task) {
    return strcmp(task->call_id, look->tasks_reply.call_id) == 0;
}

static void list_tasks(const struct top *top, struct table *table) {
    static const char *const heading[] = {"SERVER", "LOOP", "TASK", "WAITS FOR", "SINCE", "CALL ID"};
    table_add(table, heading);
    for (size_t i = 0; i < top->count; i++) {
        const struct top_look *now = &top->servers[i].now;
        for (size_t k = 0; now->tasks != NULL && k < now->tasks->n_tasks; k++) {
            const Herald__Rpc__V1__TaskInfo *task = now->tasks->tasks[k];
            char loop[16], since[24];
            if (is_own_task(now, task)) {
                continue;
            }
            snprintf(loop, sizeof(loop), "%u", (unsigned)task->loop);
            format_us(task->waiting_us, since, sizeof(since));
            const char *cells[] = {
                top->servers[i].server.name, loop, task->name, task->waits_for, since, task->call_id};
            table_add(table, cells);
        }
    }
}

static void fit_tasks(struct table *table, const struct top_room *room) {
    enum { SERVER, LOOP, TASK, WAITS_FOR, SINCE, CALL_ID };
    table_cut(table, SERVER, room->columns, top_cut_server);
    table_cut(table, TASK, room->columns / 3, top_cut_method);
    if (!is_narrow(room)) {
        fit(table, room, WAITS_FOR, top_cut);
        return;
    }
    table_drop(table, CALL_ID);
    table_drop(table, LOOP);
    fit(table, room, WAITS_FOR - 1, top_cut);
}

static void add_failure_row(struct table *table, const char *server, const Herald__Rpc__V1__RecentCall *call) {
    time_t at = call->ended_at != NULL ? (time_t)call->ended_at->seconds : 0;
    char ended[16] = "", total[24];
    struct tm local;
    if (localtime_r(&at, &local) != NULL) {
        strftime(ended, sizeof(ended), "%H:%M:%S", &local);
    }
    format_us(call->total_us, total, sizeof(total));
    const char *cells[] = {server,       ended, call->method, herald_code_name((int)call->code),
                           call->reason, total, call->message};
    table_add(table, cells);
}

static void list_failures(const struct top *top, struct table *table) {
    static const char *const heading[] = {"SERVER", "ENDED", "METHOD", "CODE", "REASON", "TIME", "MESSAGE"};
    table_add(table, heading);
    for (size_t i = 0; i < top->count; i++) {
        const Herald__Rpc__V1__ListRecentCallsResponse *failures = top->servers[i].now.failures;
        for (size_t k = 0; failures != NULL && k < failures->n_calls; k++) {
            add_failure_row(table, top->servers[i].server.name, failures->calls[k]);
        }
    }
}

static void fit_failures(struct table *table, const struct top_room *room) {
    enum { SERVER, ENDED, METHOD, CODE, REASON, TIME, MESSAGE };
    table_cut(table, SERVER, room->columns, top_cut_server);
    table_cut(table, METHOD, room->columns / 4, top_cut_method);
    if (!is_narrow(room)) {
        fit(table, room, MESSAGE, top_cut);
        return;
    }
    table_drop(table, MESSAGE);
    table_drop(table, SERVER);
    fit(table, room, REASON - 1, top_cut);
}

/* ---- gauges: one row for all that are of the same thing ---- */

/* A gauge that says nothing new: it is left out on a screen. */
static bool is_quiet(const Herald__Rpc__V1__Gauge *gauge) {
    return gauge->value == 0 ? gauge->text[0] == '\0' : gauge->value < 0;
}

static void write_gauge(const Herald__Rpc__V1__Gauge *gauge, bool first, FILE *out) {
    fprintf(out, "%s%s ", first ? "" : ", ", gauge->name);
    if (gauge->text[0] == '\0') {
        fprintf(out, "%.10g", gauge->value);
    } else {
        fputs(gauge->text, out);
    }
}

/* Writes the gauges from @from on that have its label. Returns: the index of the first that has another */
static size_t write_gauges(const Herald__Rpc__V1__GetStatsResponse *stats, size_t from, bool all, FILE *out) {
    size_t i = from;
    for (bool first = true; i < stats->n_gauges && strcmp(stats->gauges[i]->label, stats->gauges[from]->label) == 0;
         i++) {
        if (all || !is_quiet(stats->gauges[i])) {
            write_gauge(stats->gauges[i], first, out);
            first = false;
        }
    }
    return i;
}

static void list_gauges_of(const struct top_server *server, bool all, struct table *table) {
    const Herald__Rpc__V1__GetStatsResponse *stats = server->now.stats;
    for (size_t i = 0; stats != NULL && i < stats->n_gauges;) {
        char *text = NULL;
        size_t bytes = 0;
        FILE *memory = open_memstream(&text, &bytes);
        if (memory == NULL) {
            return;
        }
        const char *label = stats->gauges[i]->label;
        i = write_gauges(stats, i, all, memory);
        if (fclose(memory) == 0 && bytes > 0) {
            const char *cells[] = {server->server.name, label, text};
            table_add(table, cells);
        }
        free(text);
    }
}

/* Lists the gauges. @all  also those that say nothing new */
static void list_gauges(const struct top *top, bool all, struct table *table) {
    static const char *const heading[] = {"SERVER", "OF", "GAUGES"};
    table_add(table, heading);
    for (size_t i = 0; i < top->count; i++) {
        list_gauges_of(&top->servers[i], all, table);
    }
}

static void fit_gauges(struct table *table, const struct top_room *room) {
    enum { SERVER, OF, GAUGES };
    table_cut(table, SERVER, room->columns, top_cut_server);
    if (!is_narrow(room)) {
        fit(table, room, GAUGES, top_cut);
        return;
    }
    table_drop(table, SERVER);
    fit(table, room, GAUGES - 1, top_cut);
}

static void show_section(const char *title, const struct table *table, FILE *out) {
    if (table_rows(table) < 2) {
        return;
    }
    fprintf(out, "\n%s\n", title);
    table_print(table, out);
}

enum { METHODS, GAUGES, TASKS, FAILURES, SECTIONS };

/* Divides the rows below @lines_before among the sections' tables, and cuts these to the screen. */
static void make_fit(const struct top *top, const struct top_room *room, size_t lines_before, struct table *tables) {
    struct top_section sections[SECTIONS];
    for (size_t i = 0; i < SECTIONS; i++) {
        size_t around = i == METHODS ? 2 : 3; /* blank line, heading, and a title of all but the first */
        sections[i] = (struct top_section){.wanted = table_rows(&tables[i]) - 1, .around = around};
    }
    top_divide(room->rows > lines_before ? room->rows - lines_before : 0, sections, SECTIONS);
    for (size_t i = 0; i < SECTIONS; i++) {
        table_keep(&tables[i], 1 + sections[i].rows);
    }
    fit_methods(top, &tables[METHODS], room);
    fit_gauges(&tables[GAUGES], room);
    fit_tasks(&tables[TASKS], room);
    fit_failures(&tables[FAILURES], room);
}

void top_show_text(const struct top *top, const struct top_room *room, FILE *out) {
    struct table tables[SECTIONS] = {{.columns = 8}, {.columns = 3}, {.columns = 6}, {.columns = 7}};
    size_t server_lines = show_servers(top, room, out);
    server_lines += show_gateways(top, room, out);
    list_methods(top, &tables[METHODS]);
    list_gauges(top, room == NULL, &tables[GAUGES]);
    list_tasks(top, &tables[TASKS]);
    list_failures(top, &tables[FAILURES]);
    bool no_methods = table_rows(&tables[METHODS]) < 2;
    if (room != NULL) {
        make_fit(top, room, server_lines + (no_methods ? 2 : 0), tables);
    }
    show_methods(top, &tables[METHODS], no_methods, out);
    show_section("Gauges", &tables[GAUGES], out);
    show_section("Tasks that wait longest", &tables[TASKS], out);
    show_section("Last failed calls", &tables[FAILURES], out);
    for (size_t i = 0; i < SECTIONS; i++) {
        table_fini(&tables[i]);
    }
}

/* ---- JSON ---- */

static json_t *method_json(const struct top_method *method) {
    json_t *errors = json_object();
    for (int code = 1; code < CODES_MAX; code++) {
        if (method->codes[code] > 0) {
            json_object_set_new(errors, herald_code_name(code), json_real(per_second(method->codes[code], method)));
        }
    }
    return json_pack("{s:s, s:s, s:f, s:f, s:o, s:I, s:I, s:i, s:I}", "server", method->server, "method",
                     method->method, "callsPerS", per_second(method->calls, method), "errorsPerS",
                     per_second(method->failed, method), "errorsByCode", errors, "p50Us", (json_int_t)method->p50_us,
                     "p99Us", (json_int_t)method->p99_us, "inFlight", (int)method->in_flight, "total",
                     (json_int_t)method->total);
}

static json_t *tasks_json(const struct top_look *look) {
    json_t *tasks = json_array();
    for (size_t i = 0; look->tasks != NULL && i < look->tasks->n_tasks; i++) {
        const Herald__Rpc__V1__TaskInfo *task = look->tasks->tasks[i];
        if (!is_own_task(look, task)) {
            json_array_append_new(tasks, json_pack("{s:i, s:s, s:s, s:I, s:s}", "loop", (int)task->loop, "name",
                                                   task->name, "waitsFor", task->waits_for, "waitingUs",
                                                   (json_int_t)task->waiting_us, "callId", task->call_id));
        }
    }
    return tasks;
}

static json_t *failures_json(const struct top_look *look) {
    json_t *failures = json_array();
    for (size_t i = 0; look->failures != NULL && i < look->failures->n_calls; i++) {
        const Herald__Rpc__V1__RecentCall *call = look->failures->calls[i];
        json_array_append_new(failures,
                              json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "method", call->method, "callId",
                                        call->call_id, "code", herald_code_name((int)call->code), "reason",
                                        call->reason, "message", call->message, "totalUs", (json_int_t)call->total_us));
    }
    return failures;
}

static json_t *gauges_json(const struct top_look *look) {
    json_t *gauges = json_array();
    for (size_t i = 0; i < look->stats->n_gauges; i++) {
        const Herald__Rpc__V1__Gauge *gauge = look->stats->gauges[i];
        json_array_append_new(gauges, json_pack("{s:s, s:s, s:f, s:s}", "name", gauge->name, "label", gauge->label,
                                                "value", gauge->value, "text", gauge->text));
    }
    return gauges;
}

static json_t *server_json(const struct top_server *server) {
    const struct top_look *now = &server->now;
    json_t *shown = json_pack("{s:s, s:s, s:b}", "server", server->server.name, "url", server->server.url, "answers",
                              (int)now->answered);
    if (now->problem[0] != '\0') {
        json_object_set_new(shown, "problem", json_string(now->problem));
    }
    if (!now->answered) {
        json_object_set_new(shown, "state", json_string(state_of(now)));
        return shown;
    }
    json_object_set_new(shown, "pid", json_integer(now->info->pid));
    json_object_set_new(shown, "callsInFlight", json_integer(now->info->calls_in_flight));
    json_object_set_new(shown, "callsInFlightLimit", json_integer(now->info->calls_in_flight_limit));
    json_object_set_new(shown, "loops", json_integer(now->info->loops));
    json_object_set_new(shown, "tasks", json_integer(now->info->tasks));
    json_object_set_new(shown, "gauges", gauges_json(now));
    json_object_set_new(shown, "longestWaiting", tasks_json(now));
    json_object_set_new(shown, "lastFailures", failures_json(now));
    return shown;
}

static json_t *gateway_json(const struct top_gateway *gateway) {
    const struct gateway_look *now = &gateway->now;
    json_t *shown =
        json_pack("{s:s, s:s, s:s}", "url", now->url, "state", gateway_state_name(now->state), "version", now->version);
    json_t *backends = json_object();
    for (size_t i = 0; i < now->backend_count; i++) {
        json_object_set_new(backends, now->backends[i].name, json_string(now->backends[i].status));
    }
    json_object_set_new(shown, "backends", backends);
    if (now->problem[0] != '\0') {
        json_object_set_new(shown, "problem", json_string(now->problem));
        json_object_set_new(shown, "remedy", json_string(now->remedy));
    }
    if (now->counted) {
        json_object_set_new(shown, "requests", json_integer((json_int_t)now->requests));
        json_object_set_new(shown, "errors", json_integer((json_int_t)now->errors));
        json_object_set_new(shown, "connections", json_integer((json_int_t)now->connections));
        json_object_set_new(shown, "inFlight", json_integer((json_int_t)now->in_flight));
    }
    double rate = gateway_rate(gateway, gateway->before.requests, now->requests);
    if (rate >= 0) {
        json_object_set_new(shown, "requestsPerS", json_real(rate));
        json_object_set_new(shown, "errorsPerS", json_real(gateway_rate(gateway, gateway->before.errors, now->errors)));
    }
    return shown;
}

void top_show_json(const struct top *top, FILE *out) {
    struct top_method *methods = calloc(METHODS_MAX, sizeof(*methods));
    size_t count = methods != NULL ? all_methods(top, methods) : 0;
    json_t *servers = json_array(), *gateways = json_array(), *shown = json_array();
    for (size_t i = 0; i < top->count; i++) {
        json_array_append_new(servers, server_json(&top->servers[i]));
    }
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(shown, method_json(&methods[i]));
    }
    for (size_t i = 0; i < top->gateway_count; i++) {
        if (gateway_is_shown(&top->gateways[i].now)) {
            json_array_append_new(gateways, gateway_json(&top->gateways[i]));
        }
    }
    json_t *whole = json_pack("{s:o, s:o, s:o}", "servers", servers, "gateways", gateways, "methods", shown);
    clean_print_json(out, whole, JSON_COMPACT);
    json_decref(whole);
    free(methods);
}
