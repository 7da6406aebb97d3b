/* The calls of heraldctl. One credential and one set of TLS files serve the whole run: remote_prepare(). */
#include "deploy/ctl/remote.h"

#include "server/outgoing/channel_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Below the shortest deadline, so that an unreachable server is reported as such, and not as a missed deadline. */
#define CONNECT_TIMEOUT_MS 1500

/* One for the whole program, because all commands make their calls alike. */
static struct channel_options outgoing;
static char token[2048 + 1];

static enum herald_code read_token_file(const char *path, struct herald_error *reterr) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return herald_error_set(reterr, HERALD_REASON_UNREADABLE, "cannot open %s: %s", path, strerror(errno));
    }
    size_t count = fread(token, 1, sizeof(token) - 1, file);
    fclose(file);
    token[count] = '\0';
    token[strcspn(token, " \t\r\n")] = '\0';
    if (token[0] != '\0') {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_NO_TOKEN, "%s holds no token", path);
}

/* Sets `token`; empty if none is given. */
static enum herald_code find_token(const struct ctl_arguments *arguments, struct herald_error *reterr) {
    const char *given = arguments->token != NULL ? arguments->token : getenv("HERALD_TOKEN");
    token[0] = '\0';
    if (arguments->token == NULL && arguments->token_file != NULL) {
        return read_token_file(arguments->token_file, reterr);
    }
    if (given != NULL && strlen(given) >= sizeof(token)) {
        return herald_error_set(reterr, HERALD_REASON_INVALID_TOKEN, "a token has at most %zu characters",
                                sizeof(token) - 1);
    }
    if (given != NULL) {
        strcpy(token, given);
    }
    return HERALD_OK;
}

static enum herald_code use_token(struct herald_error *reterr) {
    struct herald_credential *bearer = NULL;
    enum herald_code code = herald_credential_bearer(token, &bearer, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    herald_credential_unref(outgoing.options.credential);
    outgoing.options.credential = bearer;
    return HERALD_OK;
}

enum herald_code remote_prepare(const struct ctl *ctl, struct herald_error *reterr) {
    enum herald_code code =
        channel_options_init(&outgoing, &ctl->settings.auth, ctl->settings.rpc_max_message_bytes, reterr);
    outgoing.options.connect_timeout_ms = CONNECT_TIMEOUT_MS;
    if (code == HERALD_OK) {
        code = find_token(ctl->arguments, reterr);
    }
    return code == HERALD_OK && token[0] != '\0' ? use_token(reterr) : code;
}

void remote_forget(void) {
    channel_options_clear(&outgoing);
    memset(token, 0, sizeof(token));
}

const struct herald_channel_options *remote_options(void) {
    return &outgoing.options;
}

const char *remote_token(void) {
    return token[0] != '\0' ? token : NULL;
}

/* Replaces the client library's message about its options by one about the settings. */
static void speak_of_settings(struct herald_error *error) {
    if (!herald_error_is(error, HERALD_REASON_TLS_OPTIONS_MISSING)) {
        return;
    }
    if (outgoing.options.tls == NULL) {
        herald_error_set(error, HERALD_REASON_TLS_OPTIONS_MISSING,
                         "a tls+tcp:// URL needs [tls] ca_file (HERALD_TLS_CA_FILE): whom to trust");
    } else {
        herald_error_set(error, HERALD_REASON_TLS_OPTIONS_MISSING,
                         "[tls] key_file is set and cert_file (HERALD_TLS_CERT_FILE) is not: name the key's "
                         "certificate");
    }
}

enum herald_code ctl_remote_open(const char *url, uint32_t max_message_bytes,
                                 const struct herald_channel_options *options, struct herald_channel **ret_channel,
                                 struct herald_error *reterr) {
    struct herald_channel_options all = options != NULL ? *options : outgoing.options;
    all.credential = outgoing.options.credential;
    all.tls = outgoing.options.tls;
    all.max_message_bytes = max_message_bytes;
    if (all.connect_timeout_ms == 0) {
        all.connect_timeout_ms = CONNECT_TIMEOUT_MS;
    }
    enum herald_code code = herald_channel_open(url, &all, ret_channel, reterr);
    if (code != HERALD_OK) {
        speak_of_settings(reterr);
    }
    return code;
}

bool remote_lacks_certificate(const char *url, const struct herald_reply *reply) {
    return herald_error_is(&reply->error, HERALD_REASON_NOT_CONNECTED) && strstr(url, "tls+tcp://") != NULL &&
           outgoing.options.tls != NULL && outgoing.options.tls->cert_file == NULL;
}

void remote_explain(const char *url, struct herald_reply *reply) {
    if (remote_lacks_certificate(url, reply)) {
        herald_error_add_detail(&reply->error, "[tls] cert_file", HERALD_REASON_NOT_SET,
                                "the server may want a client's certificate: set it (HERALD_TLS_CERT_FILE), and its "
                                "key_file");
    }
}

enum herald_code ctl_remote_call(const char *url, uint32_t max_message_bytes, const struct herald_method_schema *method,
                                 const ProtobufCMessage *request, const struct herald_call_options *options,
                                 struct herald_reply *ret_reply) {
    struct herald_channel *channel = NULL;
    enum herald_code code = ctl_remote_open(url, max_message_bytes, NULL, &channel, &ret_reply->error);
    if (code != HERALD_OK) {
        ret_reply->outcome = HERALD_NOT_SENT;
        return code;
    }
    code = herald_call(channel, method, request, options, ret_reply);
    remote_explain(url, ret_reply);
    herald_channel_close(channel);
    ret_reply->url = NULL; /* the channel owned it */
    return code;
}
