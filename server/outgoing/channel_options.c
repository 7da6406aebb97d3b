#include "server/outgoing/channel_options.h"

#include "client/src/channel.h"

#include <string.h>

static const char *text_or_null(const char *text) {
    return *text ? text : NULL;
}

static enum herald_code make_credential(const struct auth_settings *settings, struct herald_credential **ret_credential,
                                        struct herald_error *reterr) {
    const char *key_id = settings->auth_key_id, *key_file = settings->auth_key_file;
    if (!*key_id && !*key_file) {
        return HERALD_OK;
    }
    if (!*key_id || !*key_file) {
        return herald_error_set(reterr, HERALD_REASON_BAD_CREDENTIAL_SETTINGS,
                                "[auth] %s is set and %s is not: calls are signed with both, or not at all",
                                *key_id ? "key_id" : "key_file", *key_id ? "key_file" : "key_id");
    }
    return herald_credential_hmac_file(key_id, key_file, ret_credential, reterr);
}

enum herald_code channel_options_init(struct channel_options *made, const struct auth_settings *settings,
                                      uint32_t max_message_bytes, struct herald_error *reterr) {
    memset(made, 0, sizeof(*made));
    made->options.max_message_bytes = max_message_bytes;
    if (*settings->tls_ca_file) {
        made->tls = (struct herald_tls_options){.ca_file = settings->tls_ca_file,
                                                .cert_file = text_or_null(settings->tls_cert_file),
                                                .key_file = text_or_null(settings->tls_key_file)};
        made->options.tls = &made->tls;
    }
    return make_credential(settings, &made->options.credential, reterr);
}

enum herald_code channel_options_open(const struct channel_options *made, const char *url,
                                      struct herald_channel **ret_channel, struct herald_error *reterr) {
    const struct herald_engine *engine =
        made->calls != NULL && native_calls_can(url) ? native_calls_engine(made->calls) : &herald_engine_nng;
    return herald_channel_open_on(engine, url, &made->options, ret_channel, reterr);
}

void channel_options_clear(struct channel_options *made) {
    herald_credential_unref(made->options.credential);
    memset(made, 0, sizeof(*made));
}
