#include "server/auth/auth_settings.h"

#include "server/settings/settings_check.h"

void auth_settings_check(struct settings_reading *reading, const void *part) {
    const struct auth_settings *settings = part;
    if (*settings->auth_key_id && !*settings->auth_key_file) {
        settings_bad(reading, &settings->auth_key_id, HERALD_REASON_CONFLICT,
                     "is set and [auth] key_file is not: set both to sign calls, or none");
    }
    if (*settings->auth_key_file && !*settings->auth_key_id) {
        settings_bad(reading, &settings->auth_key_file, HERALD_REASON_CONFLICT,
                     "is set and [auth] key_id is not: set both to sign calls, or none");
    }
    if (*settings->tls_key_file && !*settings->tls_cert_file) {
        settings_bad(reading, &settings->tls_key_file, HERALD_REASON_CONFLICT,
                     "is set and [tls] cert_file is not: name the key's certificate");
    }
    settings_check_not_empty(reading, &settings->auth_audience);
}
