#include "deploy/ctl/gateways.h"

#include "client/base/clock.h"

#include <curl/curl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_MS 3000 /* a gateway asks its servers for 1.5 s */
#define BODY_MAX           (1u << 20)
#define DEFAULT_LISTEN     "http://127.0.0.1:7100"

static void set_trouble(struct gateway_look *look, enum gateway_state state, const char *problem, const char *remedy) {
    look->state = state;
    snprintf(look->problem, sizeof(look->problem), "%s", problem);
    snprintf(look->remedy, sizeof(look->remedy), "%s", remedy);
}

size_t gateways_of(const struct settings *settings, struct gateway_look looks[CTL_GATEWAYS_MAX]) {
    const char *urls = settings->gateway_url[0] != '\0' ? settings->gateway_url : settings->gateway_listen;
    bool expected = strcmp(urls, DEFAULT_LISTEN) != 0 || settings->gateway_url[0] != '\0';
    size_t count = 0;
    for (const char *at = urls; *at != '\0' && count < CTL_GATEWAYS_MAX;) {
        at += strspn(at, ",");
        size_t bytes = strcspn(at, ",");
        size_t kept = bytes > 0 && at[bytes - 1] == '/' ? bytes - 1 : bytes;
        if (kept > 0 && kept < sizeof(looks->url)) {
            looks[count] = (struct gateway_look){.expected = expected};
            memcpy(looks[count++].url, at, kept);
        }
        at += bytes;
    }
    return count;
}

/* ---- HTTP ---- */

struct body {
    char *text;
    size_t bytes;
};

static size_t take_body(char *data, size_t size, size_t count, void *user) {
    struct body *body = user;
    size_t bytes = size * count;
    char *text = body->bytes + bytes < BODY_MAX ? realloc(body->text, body->bytes + bytes + 1) : NULL;
    if (text == NULL) {
        return 0; /* ends the transfer */
    }
    memcpy(text + body->bytes, data, bytes);
    body->text = text;
    body->bytes += bytes;
    text[body->bytes] = '\0';
    return bytes;
}

static void init_gateway_curl(void) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* @ret_text  free() it; NULL: no body. Returns: the status; 0: no answer, and @ret_problem says why */
static long get(const char *base, const char *path, uint32_t timeout_ms, char **ret_text, const char **ret_problem) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char url[sizeof((struct gateway_look *)0)->url + 16];
    struct body body = {NULL, 0};
    long status = 0;
    *ret_problem = "no memory";
    pthread_once(&once, init_gateway_curl);
    CURL *curl = curl_easy_init();
    if (curl != NULL) {
        snprintf(url, sizeof(url), "%s%s", base, path);
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
        CURLcode code = curl_easy_perform(curl);
        *ret_problem = curl_easy_strerror(code);
        if (code == CURLE_OK) {
            curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        }
        curl_easy_cleanup(curl);
    }
    *ret_text = body.text;
    return status;
}

/* ---- what it answers ---- */

static void copy_json_text(char *to, size_t bytes, const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    snprintf(to, bytes, "%s", text != NULL ? text : "");
}

static void take_backends(struct gateway_look *look, const json_t *dependencies) {
    const json_t *dependency;
    size_t i, used = 0;
    json_array_foreach(dependencies, i, dependency) {
        if (look->backend_count == GATEWAY_BACKENDS_MAX) {
            return;
        }
        struct gateway_backend_health *backend = &look->backends[look->backend_count++];
        copy_json_text(backend->name, sizeof(backend->name), dependency, "name");
        copy_json_text(backend->status, sizeof(backend->status), dependency, "status");
        if (strcmp(backend->status, "SERVING") != 0 && used < sizeof(look->problem)) {
            used += (size_t)snprintf(look->problem + used, sizeof(look->problem) - used, "%s%s: %s",
                                     used > 0 ? "; " : "", backend->name, backend->status);
        }
    }
}

static void take_readiness(struct gateway_look *look, long status, const char *text) {
    char problem[96];
    json_t *page = text != NULL ? json_loads(text, 0, NULL) : NULL;
    const json_t *dependencies = json_object_get(page, "dependencies");
    if ((status == 200 || status == 503) && json_is_array(dependencies)) {
        look->state = status == 200 ? GATEWAY_SERVING : GATEWAY_NOT_SERVING;
        copy_json_text(look->version, sizeof(look->version), page, "version");
        take_backends(look, dependencies);
        if (look->state == GATEWAY_NOT_SERVING) {
            snprintf(look->remedy, sizeof(look->remedy), "%s",
                     look->problem[0] != '\0'
                         ? "mend or start what is named here; the gateway recovers by itself"
                         : "it ends, or what it needs has come back just now: look again in a few seconds");
        }
    } else if (status == 421) {
        set_trouble(look, GATEWAY_STRANGE, "it does not take requests under this name",
                    "add the name to [gateway] hosts, or set [gateway] url (HERALD_GATEWAY_URL) to one of them");
    } else {
        snprintf(problem, sizeof(problem), "what answers there is no herald-gateway (HTTP %ld)", status);
        set_trouble(look, GATEWAY_STRANGE, problem, "set [gateway] url (HERALD_GATEWAY_URL) to where it runs");
    }
    json_decref(page);
}

static uint64_t metric_value(const char *line, size_t bytes) {
    const char *blank = memrchr(line, ' ', bytes);
    return blank != NULL ? strtoull(blank + 1, NULL, 10) : 0;
}

static bool begins(const char *line, const char *name) {
    return strncmp(line, name, strlen(name)) == 0;
}

/* Counts the requests and, as errors, those that were answered 5xx. */
static void take_metrics(struct gateway_look *look, const char *text) {
    for (const char *line = text; *line != '\0';) {
        size_t bytes = strcspn(line, "\n");
        if (begins(line, "herald_http_requests_total{")) {
            const char *status = memmem(line, bytes, "status=\"", 8);
            look->requests += metric_value(line, bytes);
            look->errors += status != NULL && status[8] == '5' ? metric_value(line, bytes) : 0;
        } else if (begins(line, "herald_http_connections ")) {
            look->connections = metric_value(line, bytes);
            look->counted = true;
        } else if (begins(line, "herald_http_requests_in_flight ")) {
            look->in_flight = metric_value(line, bytes);
        }
        line += bytes + (line[bytes] == '\n');
    }
}

void gateway_ask(struct gateway_look *look, uint32_t timeout_ms) {
    const char *problem;
    char *text = NULL;
    timeout_ms = timeout_ms > 0 ? timeout_ms : DEFAULT_TIMEOUT_MS;
    look->at_us = herald_monotonic_us();
    long status = get(look->url, "/readyz", timeout_ms, &text, &problem);
    if (status == 0) {
        set_trouble(look, GATEWAY_AWAY, problem,
                    "start herald-gateway, or set [gateway] url (HERALD_GATEWAY_URL) to where it runs");
    } else {
        take_readiness(look, status, text);
    }
    free(text);
    if (look->state != GATEWAY_SERVING && look->state != GATEWAY_NOT_SERVING) {
        return;
    }
    if (get(look->url, "/metrics", timeout_ms, &text, &problem) == 200 && text != NULL) { /* a proxy may keep it back */
        take_metrics(look, text);
    }
    free(text);
}

struct gateway_question {
    struct gateway_look *look;
    uint32_t timeout_ms;
};

static void *ask_in_thread(void *user) {
    struct gateway_question *question = user;
    gateway_ask(question->look, question->timeout_ms);
    return NULL;
}

void gateways_ask(struct gateway_look *looks, size_t count, uint32_t timeout_ms) {
    struct gateway_question questions[CTL_GATEWAYS_MAX];
    pthread_t threads[CTL_GATEWAYS_MAX];
    bool started[CTL_GATEWAYS_MAX];
    for (size_t i = 0; i < count; i++) {
        questions[i] = (struct gateway_question){&looks[i], timeout_ms};
        started[i] = pthread_create(&threads[i], NULL, ask_in_thread, &questions[i]) == 0;
        if (!started[i]) {
            (void)ask_in_thread(&questions[i]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (started[i]) {
            pthread_join(threads[i], NULL);
        }
    }
}

bool gateway_is_shown(const struct gateway_look *look) {
    return look->expected || look->state != GATEWAY_AWAY;
}

const char *gateway_state_name(enum gateway_state state) {
    static const char *const names[] = {[GATEWAY_AWAY] = "UNREACHABLE",
                                        [GATEWAY_STRANGE] = "UNKNOWN",
                                        [GATEWAY_NOT_SERVING] = "NOT_SERVING",
                                        [GATEWAY_SERVING] = "SERVING"};
    return names[state];
}
