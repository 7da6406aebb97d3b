/* heraldctl call: makes one call from JSON, or prints the nngcat command that makes it. */
#include "client/base/clock.h"
#include "deploy/ctl/clean.h"
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/input.h"
#include "deploy/ctl/methods.h"
#include "deploy/ctl/remote.h"
#include "deploy/ctl/report.h"
#include "deploy/ctl/shell.h"
#include "herald/json.h"

#include <jansson.h>
#include <stdlib.h>

static int usage_error(const struct ctl *ctl, const char *what, const struct herald_error *error) {
    report_error(stderr, ctl->arguments->format, what, error);
    return CTL_USAGE;
}

/* A probe's text: "METHOD JSON", or an object if the call has more than that. NULL: no memory. */
static char *probe_text(const struct ctl *ctl, const struct herald_method_schema *method, const char *json) {
    const struct ctl_arguments *arguments = ctl->arguments;
    char key[37];
    bool once = method->effect == HERALD_EFFECT_ONCE;
    if (arguments->timeout_ms == 0 && arguments->idempotency_key == NULL && !once) {
        const char *token = remote_token();
        char *text = NULL;
        return asprintf(&text, "%s%s%s%s %s", token != NULL ? "bearer " : "", token != NULL ? token : "",
                        token != NULL ? " " : "", method->full_name, json) < 0
                   ? NULL
                   : text;
    }
    json_t *probe = json_pack("{s:s, s:o}", "method", method->full_name, "request", json_loads(json, 0, NULL));
    if (remote_token() != NULL) {
        json_object_set_new(probe, "auth", json_pack("{s:s}", "bearer", remote_token()));
    }
    if (arguments->timeout_ms != 0) {
        json_object_set_new(probe, "timeoutMs", json_integer(arguments->timeout_ms));
    }
    if (arguments->idempotency_key == NULL && once) {
        herald_uuid7(key);
    }
    if (arguments->idempotency_key != NULL || once) {
        json_object_set_new(probe, "idempotencyKey",
                            json_string(arguments->idempotency_key != NULL ? arguments->idempotency_key : key));
    }
    char *text = clean_json(probe, JSON_COMPACT);
    json_decref(probe);
    return text;
}

static int print_nngcat(struct ctl *ctl, const struct herald_method_schema *method, const ProtobufCMessage *request) {
    struct herald_error error;
    char *json = NULL;
    enum herald_code code = herald_json_write(method->request, request, NULL, &json, &error);
    if (code != HERALD_OK) {
        return usage_error(ctl, "request", &error);
    }
    char *probe = probe_text(ctl, method, json);
    free(json);
    if (probe == NULL) {
        herald_error_no_memory(&error, "the probe");
        return usage_error(ctl, "request", &error);
    }
    uint32_t timeout_ms = ctl->arguments->timeout_ms != 0 ? ctl->arguments->timeout_ms : method->deadline_ms;
    const struct settings *settings = &ctl->settings;
    const struct shell_tls tls = {settings->tls_ca_file, settings->tls_cert_file,
                                  settings->tls_key_file[0] != '\0' ? settings->tls_key_file : settings->tls_cert_file};
    char *line = shell_nngcat(probe, methods_url(ctl->arguments, settings, method), &tls, timeout_ms);
    puts(line);
    if (settings->auth_key_id[0] != '\0' && remote_token() == NULL) {
        fputs("heraldctl: the printed command carries no signature: where a credential is asked for, give a token "
              "(--token \"$(heraldctl token --caller NAME)\")\n",
              stderr);
    }
    free(line);
    free(probe);
    return CTL_OK;
}

static int print_response(const struct ctl *ctl, const struct herald_method_schema *method,
                          const struct herald_reply *reply) {
    struct herald_json_write_options options = {.indent = ctl->arguments->format == CTL_TABLE, .with_defaults = true};
    struct herald_error error;
    char *json = NULL;
    if (herald_json_write(method->response, reply->message, &options, &json, &error) != HERALD_OK) {
        report_error(stderr, ctl->arguments->format, "response", &error);
        if (ctl->arguments->format == CTL_TABLE) {
            fputs("  the call was OK; only its output could not be written\n", stderr);
        }
        return CTL_UNWRITTEN;
    }
    puts(json);
    free(json);
    return CTL_OK;
}

/* The time outside the server: the network, both ends and connecting. */
static double network_ms(const struct herald_reply *reply, double elapsed_ms) {
    double rest_ms = elapsed_ms - (double)(reply->timings.queue_us + reply->timings.handler_us) / 1e3;
    return rest_ms > 0 ? rest_ms : 0;
}

static void print_timings(const struct herald_reply *reply, double elapsed_ms) {
    const struct herald_timings *timings = &reply->timings;
    if (timings->known) {
        fprintf(stderr, "  queue %.3f ms, handler %.3f ms (downstream %.3f ms), network and connecting %.3f ms\n",
                (double)timings->queue_us / 1e3, (double)timings->handler_us / 1e3,
                (double)timings->downstream_us / 1e3, network_ms(reply, elapsed_ms));
    } else if (reply->outcome == HERALD_EXECUTED) {
        fputs("  the server did not say where the time went\n", stderr);
    }
    if (reply->attempts > 0) {
        fprintf(stderr, "  %u attempt%s at %s\n", (unsigned)reply->attempts,
                reply->attempts > 1 ? "s, the last one" : "", reply->url != NULL ? reply->url : "no endpoint");
    }
}

static void print_verbose_json(const struct herald_method_schema *method, const struct herald_reply *reply,
                               double elapsed_ms) {
    const struct herald_timings *timings = &reply->timings;
    json_t *call =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:s?, s:f}", "method", method->full_name, "code",
                  herald_code_name((int)reply->error.code), "outcome", herald_outcome_name(reply->outcome), "callId",
                  reply->call_id, "attempts", (int)reply->attempts, "url", reply->url, "totalMs", elapsed_ms);
    if (timings->known) {
        json_object_set_new(call, "timings",
                            json_pack("{s:I, s:I, s:I, s:I}", "queueUs", (json_int_t)timings->queue_us, "handlerUs",
                                      (json_int_t)timings->handler_us, "downstreamUs",
                                      (json_int_t)timings->downstream_us, "networkUs",
                                      (json_int_t)(network_ms(reply, elapsed_ms) * 1e3)));
    }
    json_t *whole = json_pack("{s:o}", "call", call);
    clean_print_json(stderr, whole, JSON_COMPACT);
    json_decref(whole);
}

static void print_verbose(const struct herald_method_schema *method, const char *url, const struct herald_reply *reply,
                          double elapsed_ms) {
    fprintf(stderr, "%s on %s: %s, outcome %s, call id %s, %.1f ms\n", method->full_name, url,
            herald_code_name((int)reply->error.code), herald_outcome_name(reply->outcome),
            reply->call_id[0] != '\0' ? reply->call_id : "none", elapsed_ms);
    print_timings(reply, elapsed_ms);
}

static int finish_call(struct ctl *ctl, const struct herald_method_schema *method, const char *url,
                       const struct herald_reply *reply, double elapsed_ms) {
    int status = (int)report_status(reply);
    if (reply->error.code == HERALD_OK) {
        status = print_response(ctl, method, reply);
    } else {
        report_reply(stderr, ctl->arguments->format, method->full_name, reply);
    }
    if (ctl->arguments->verbose && ctl->arguments->format == CTL_JSON) {
        print_verbose_json(method, reply, elapsed_ms);
    } else if (ctl->arguments->verbose) {
        print_verbose(method, url, reply, elapsed_ms);
    }
    return status;
}

static int make_call(struct ctl *ctl, const struct herald_method_schema *method, const ProtobufCMessage *request) {
    const char *url = methods_url(ctl->arguments, &ctl->settings, method);
    struct herald_call_options options = {.timeout_ms = ctl->arguments->timeout_ms,
                                          .idempotency_key = ctl->arguments->idempotency_key,
                                          .want_timings = ctl->arguments->verbose};
    struct herald_reply reply = {0};
    struct herald_channel *channel = NULL;
    uint64_t start_us = herald_monotonic_us();
    if (ctl_remote_open(url, ctl->settings.rpc_max_message_bytes, NULL, &channel, &reply.error) == HERALD_OK) {
        (void)herald_call(channel, method, request, &options, &reply);
    }
    remote_explain(url, &reply);
    double elapsed_ms = (double)(herald_monotonic_us() - start_us) / 1e3;
    int status = finish_call(ctl, method, url, &reply, elapsed_ms);
    herald_reply_clear(&reply);
    herald_channel_close(channel);
    return status;
}

int ctl_call(struct ctl *ctl) {
    const struct herald_method_schema *method = NULL;
    ProtobufCMessage *request = NULL;
    struct herald_error error;
    if (methods_find(ctl->arguments->operands[0], &method, &error) != HERALD_OK) {
        return usage_error(ctl, "method", &error);
    }
    if (input_read_message(ctl->arguments->data, method->request, &request, &error) != HERALD_OK) {
        return usage_error(ctl, "request", &error);
    }
    int status = ctl->arguments->print_nngcat ? print_nngcat(ctl, method, request) : make_call(ctl, method, request);
    protobuf_c_message_free_unpacked(request, NULL);
    return status;
}
