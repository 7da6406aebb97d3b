/* Checks of heraldctl doctor: the health that each server reports, and the URLs of channels and pictures. */
#include "deploy/ctl/doctor.h"
#include "deploy/ctl/gateways.h"
#include "deploy/ctl/remote.h"
#include "deploy/ctl/url.h"
#include "herald/rpc/v1/health.pb-c.h"
#include "herald/rpc/v1/health.schema.h"
#include "herald/rpc/v1/introspection.pb-c.h"
#include "herald/rpc/v1/introspection.schema.h"
#include "server/outgoing/http_knock.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_WAIT_MS 2000

/* Lists the components that are not healthy, or, while they serve, say that somebody should look: "database: …; kafka: …",
 * each once. */
static void list_troubles(const Herald__Rpc__V1__HealthCheckResponse *response, bool serving, char *ret_text,
                          size_t bytes) {
    size_t length = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < response->n_services; i++) {
        const Herald__Rpc__V1__ServiceHealth *service = response->services[i];
        for (size_t j = 0; j < service->n_components && length < bytes; j++) {
            const Herald__Rpc__V1__ComponentHealth *component = service->components[j];
            bool serves = component->status == HERALD__RPC__V1__SERVING_STATUS__SERVING;
            bool is_meant = serves == serving && (!serves || component->message[0]);
            if (!is_meant || strstr(ret_text, component->name) != NULL) {
                continue;
            }
            length += (size_t)snprintf(ret_text + length, bytes - length, "%s%s: %s", length > 0 ? "; " : "",
                                       component->name, component->message);
        }
    }
}

/* What a server that serves has to warn of. */
static const struct {
    const char *gauge, *remedy;
} gauge_warnings[] = {
    {"log_lines_dropped", "see to what reads its stderr, or make room on the disk of its log"},
    {"callers_refused", "its log says what is wrong (auth.callers_refused); write the callers file anew"},
    {"certificate_refused", "its log says what is wrong (tls.refused); replace certificate and key together"},
};

static void warn_of_gauge(const char *url, const Herald__Rpc__V1__Gauge *gauge, struct finding *finding) {
    for (size_t i = 0; i < sizeof(gauge_warnings) / sizeof(gauge_warnings[0]); i++) {
        if (strcmp(gauge->name, gauge_warnings[i].gauge) == 0) {
            finding_warning(finding, "%s: %s: %.0f (%s)", url, gauge->name, gauge->value, gauge->text);
            finding_remedy(finding, "%s", gauge_warnings[i].remedy);
        }
    }
}

/* Turns a good finding into a warning if one of the server's gauges asks for it. */
static void look_at_gauges(const struct settings *settings, const char *url, struct finding *finding) {
    Herald__Rpc__V1__GetStatsRequest request = HERALD__RPC__V1__GET_STATS_REQUEST__INIT;
    struct herald_reply reply = {0};
    if (ctl_remote_call(url, settings->rpc_max_message_bytes, herald_rpc_v1_introspection_get_stats_method,
                        &request.base, NULL, &reply) == HERALD_OK) {
        const Herald__Rpc__V1__GetStatsResponse *stats = (const Herald__Rpc__V1__GetStatsResponse *)reply.message;
        for (size_t i = 0; i < stats->n_gauges; i++) {
            warn_of_gauge(url, stats->gauges[i], finding);
        }
    }
    herald_reply_clear(&reply);
}

/* The client library's advice, if TLS is what is wrong. */
static bool set_tls_remedy(const struct herald_error *error, struct finding *finding) {
    for (uint32_t i = 0; i < error->detail_count; i++) {
        if (strcmp(error->details[i].field, "tls") == 0) {
            finding_remedy(finding, "%s", error->details[i].message);
            return true;
        }
    }
    return false;
}

static void check_server(const struct settings *settings, size_t index, struct finding *finding) {
    struct ctl_server servers[CTL_SERVER_COUNT];
    ctl_servers(settings, servers);
    const struct ctl_server *server = &servers[index];
    Herald__Rpc__V1__HealthCheckRequest request = HERALD__RPC__V1__HEALTH_CHECK_REQUEST__INIT;
    struct herald_reply reply = {0};
    char troubles[400];
    enum herald_code code = ctl_remote_call(server->url, settings->rpc_max_message_bytes,
                                            herald_rpc_v1_health_check_method, &request.base, NULL, &reply);
    const Herald__Rpc__V1__HealthCheckResponse *response = (const Herald__Rpc__V1__HealthCheckResponse *)reply.message;
    if (code != HERALD_OK) {
        finding_wrong(finding, "%s: %s", server->url, reply.error.message);
        if (set_tls_remedy(&reply.error, finding)) {
            herald_reply_clear(&reply);
            return;
        }
        finding_remedy(finding, "start %s, or set [%s] url%s", server->name, server->section,
                       remote_lacks_certificate(server->url, &reply)
                           ? ", or [tls] cert_file and key_file if it wants a client's certificate"
                           : "");
    } else if (response->status != HERALD__RPC__V1__SERVING_STATUS__SERVING) {
        list_troubles(response, false, troubles, sizeof(troubles));
        finding_wrong(finding, "%s: NOT_SERVING: %s", server->url, troubles);
        finding_remedy(finding, "mend what it needs; it recovers by itself");
    } else {
        finding_good(finding, "%s: SERVING", server->url);
        list_troubles(response, true, troubles, sizeof(troubles));
        if (troubles[0]) {
            finding_warning(finding, "%s: %s", server->url, troubles);
        }
        look_at_gauges(settings, server->url, finding);
    }
    herald_reply_clear(&reply);
}

void doctor_event_server(const struct settings *settings, struct finding *ret_finding) {
    check_server(settings, 0, ret_finding);
}

void doctor_job_server(const struct settings *settings, struct finding *ret_finding) {
    check_server(settings, 1, ret_finding);
}

void doctor_distribution_server(const struct settings *settings, struct finding *ret_finding) {
    check_server(settings, 2, ret_finding);
}

void doctor_content_server(const struct settings *settings, struct finding *ret_finding) {
    check_server(settings, 3, ret_finding);
}

static void judge_gateway(const struct gateway_look *look, struct finding *finding) {
    if (!gateway_is_shown(look)) {
        finding_good(finding, "%s: none, so nothing is served over HTTP", look->url);
        finding_remedy(finding, "%s", look->remedy);
    } else if (look->state != GATEWAY_SERVING) {
        finding_wrong(finding, "%s: %s: %s", look->url, gateway_state_name(look->state), look->problem);
        finding_remedy(finding, "%s", look->remedy);
    } else if (look->problem[0] != '\0') { /* a server that no request needs */
        finding_warning(finding, "%s: SERVING, but %s", look->url, look->problem);
        finding_remedy(finding, "mend or start what is named here; the gateway recovers by itself");
    } else if (!look->counted) {
        finding_good(finding, "%s: SERVING, version %s", look->url, look->version);
    } else {
        finding_good(finding, "%s: SERVING, version %s, %llu requests, %llu of them answered 5xx, %llu connection%s",
                     look->url, look->version, (unsigned long long)look->requests, (unsigned long long)look->errors,
                     (unsigned long long)look->connections, look->connections == 1 ? "" : "s");
    }
}

bool doctor_gateways(const struct settings *settings, doctor_show *show, void *user) {
    struct gateway_look looks[CTL_GATEWAYS_MAX];
    size_t count = gateways_of(settings, looks);
    bool good = true;
    gateways_ask(looks, count, 0);
    for (size_t i = 0; i < count; i++) {
        struct finding finding = {0};
        judge_gateway(&looks[i], &finding);
        show(user, "herald-gateway", &finding);
        good = good && finding.good;
    }
    return good;
}

static int connect_address(const struct addrinfo *address) {
    int error = 0;
    socklen_t error_bytes = sizeof(error);
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0) {
        return errno;
    }
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
        error = errno;
    }
    if (error == EINPROGRESS) {
        struct pollfd pollfd = {.fd = fd, .events = POLLOUT};
        if (poll(&pollfd, 1, CONNECT_WAIT_MS) != 1) {
            error = ETIMEDOUT;
        } else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_bytes) != 0) {
            error = errno;
        }
    }
    close(fd);
    return error;
}

int doctor_connect(const char *host, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    if (getaddrinfo(host, port, &hints, &addresses) != 0) {
        return EHOSTUNREACH;
    }
    int error = EHOSTUNREACH;
    for (const struct addrinfo *address = addresses; address != NULL && error != 0; address = address->ai_next) {
        error = connect_address(address);
    }
    freeaddrinfo(addresses);
    return error;
}

/* @answers  the server must answer, not only let in; with https it need not */
static void check_http(bool answers, const char *url, const char *key, const char *remedy, struct finding *finding) {
    struct url_parts parts;
    if (!url_split(url, &parts) || (strcmp(parts.scheme, "http") != 0 && strcmp(parts.scheme, "https") != 0)) {
        finding_wrong(finding, "%s is not http://host:port/…: %s", key, url);
        finding_remedy(finding, "correct it");
        return;
    }
    if (parts.port[0] == '\0') {
        snprintf(parts.port, sizeof(parts.port), "%s", strcmp(parts.scheme, "https") == 0 ? "443" : "80");
    }
    bool asks = answers && strcmp(parts.scheme, "http") == 0;
    int error = asks ? http_knock(parts.host, parts.port, CONNECT_WAIT_MS) : doctor_connect(parts.host, parts.port);
    if (error == 0) {
        finding_good(finding, asks ? "%s: answers" : "%s: reachable", url);
        return;
    }
    finding_wrong(finding, "%s: %s", url, strerror(error));
    finding_remedy(finding, "%s", remedy);
}

void doctor_channels(const struct settings *settings, struct finding *ret_finding) {
    check_http(false, settings->channels_url, "[channels] url",
               "start herald-fakes (a try-out), or set [channels] url (HERALD_CHANNELS_URL) to the real channels",
               ret_finding);
}

void doctor_content_url(const struct settings *settings, struct finding *ret_finding) {
    check_http(true, settings->content_url, "[content] url",
               "start herald-content, or set [content] url (HERALD_CONTENT_URL)", ret_finding);
}
