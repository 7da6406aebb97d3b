#include "server/gateway/gateway.h"

#include <stdio.h>
#include <stdlib.h>

const char *gateway_backend_name(enum gateway_backend backend) {
    static const char *const NAMES[] = {
#define GATEWAY_BACKEND_NAME(name, server, service) server,
        GATEWAY_BACKENDS(GATEWAY_BACKEND_NAME)
#undef GATEWAY_BACKEND_NAME
    };
    return NAMES[backend];
}

const char *gateway_backend_service(enum gateway_backend backend) {
    static const char *const SERVICES[] = {
#define GATEWAY_BACKEND_SERVICE(name, server, service) service,
        GATEWAY_BACKENDS(GATEWAY_BACKEND_SERVICE)
#undef GATEWAY_BACKEND_SERVICE
    };
    return SERVICES[backend];
}

/*
 * Requests are made with the credential of who asks, and with none if none was given: the gateway lends nobody its own
 * rights. Its certificate, if servers want one, says only that a Herald program calls.
 */
static enum herald_code open_backend_channel(const struct gateway *gateway, const char *url,
                                             struct herald_channel **ret_channel, struct herald_error *reterr) {
    struct auth_settings auth = *gateway->options.auth;
    struct channel_options outgoing = {0};
    auth.auth_key_id = auth.auth_key_file = (char[]){""};
    enum herald_code code = channel_options_init(&outgoing, &auth, gateway->options.max_message_bytes, reterr);
    if (code == HERALD_OK) {
        outgoing.calls = gateway->options.calls;
        code = channel_options_open(&outgoing, url, ret_channel, reterr);
    }
    channel_options_clear(&outgoing);
    return code;
}

static enum herald_code open_endpoint(struct gateway *gateway, enum gateway_backend backend, struct span url,
                                      struct herald_error *reterr) {
    if (gateway->endpoint_count == GATEWAY_ENDPOINTS_MAX) {
        return HERALD_OK; /* those beyond are called, and not looked at one by one */
    }
    struct gateway_endpoint *endpoint = &gateway->endpoints[gateway->endpoint_count];
    endpoint->backend = backend;
    endpoint->url = strndup(url.at, url.bytes);
    if (endpoint->url == NULL) {
        return herald_error_no_memory(reterr, "an endpoint");
    }
    gateway->endpoint_count++;
    return open_backend_channel(gateway, endpoint->url, &endpoint->channel, reterr);
}

static enum herald_code open_backend(struct gateway *gateway, enum gateway_backend backend,
                                     struct herald_error *reterr) {
    struct span rest = span_of(gateway->options.backend_urls[backend]), url;
    enum herald_code code = HERALD_OK;
    if (*gateway_backend_service(backend) != '\0') {
        code =
            open_backend_channel(gateway, gateway->options.backend_urls[backend], &gateway->backends[backend], reterr);
    }
    while (code == HERALD_OK && span_next(&rest, ',', &url)) {
        code = open_endpoint(gateway, backend, span_trim(url), reterr);
    }
    return code;
}

/* What a page may do: load from the gateway itself, and show the pictures of herald-content. */
static char *make_page_policy(const char *pictures_url) {
    char *policy = NULL;
    if (asprintf(
            &policy,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: %s; connect-src 'self'; "
            "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            pictures_url) < 0) {
        return NULL;
    }
    return policy;
}

static enum herald_code bind_server(struct gateway *gateway, struct herald_error *reterr) {
    const struct gateway_settings *settings = gateway->options.settings;
    const struct http_server_options options = {
        .url = settings->gateway_listen,
        .insecure = settings->gateway_insecure,
        .trusted_proxies = settings->gateway_trusted_proxies,
        .max_connections = settings->gateway_max_connections,
        .max_connections_per_address = settings->gateway_max_connections_per_address,
        .max_requests = settings->gateway_max_requests,
        .max_head_bytes = settings->gateway_max_head_bytes,
        .max_body_bytes = settings->gateway_max_body_bytes,
        .idle_ms = settings->gateway_idle_ms,
        .head_ms = settings->gateway_head_ms,
        .body_ms = settings->gateway_body_ms,
        .send_ms = settings->gateway_send_ms,
        .serve = serve_request,
        .wants_body = serve_wants_body,
        .user = gateway,
    };
    return http_server_bind(&options, &gateway->server, reterr);
}

enum herald_code gateway_open(const struct gateway_options *options, struct gateway **ret_gateway,
                              struct herald_error *reterr) {
    struct gateway *gateway = calloc(1, sizeof(*gateway));
    if (gateway == NULL) {
        return herald_error_no_memory(reterr, "the gateway");
    }
    gateway->options = *options;
    gateway->metrics = metrics_new(&gateway->options.routes);
    gateway->page_policy = make_page_policy(options->pictures_url);
    enum herald_code code = gateway->metrics != NULL && gateway->page_policy != NULL
                                ? bind_server(gateway, reterr)
                                : herald_error_no_memory(reterr, "the gateway");
    for (int backend = 0; code == HERALD_OK && backend < BACKEND_COUNT; backend++) {
        code = open_backend(gateway, (enum gateway_backend)backend, reterr);
    }
    if (code != HERALD_OK) {
        gateway_free(gateway);
        return code;
    }
    *ret_gateway = gateway;
    return HERALD_OK;
}

void gateway_free(struct gateway *gateway) {
    if (gateway == NULL) {
        return;
    }
    for (size_t i = 0; i < gateway->endpoint_count; i++) {
        herald_channel_close(gateway->endpoints[i].channel);
        free(gateway->endpoints[i].url);
    }
    for (int backend = 0; backend < BACKEND_COUNT; backend++) {
        herald_channel_close(gateway->backends[backend]);
    }
    http_server_free(gateway->server);
    metrics_free(gateway->metrics);
    free(gateway->page_policy);
    free(gateway);
}
