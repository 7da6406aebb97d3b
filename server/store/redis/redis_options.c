#include "server/store/redis/redis_settings.h"

struct redis_options redis_settings_options(const struct redis_settings *settings) {
    return (struct redis_options){
        .url = settings->redis_url,
        .timeout_ms = settings->redis_timeout_ms,
        .tls = {.ca_file = settings->redis_ca_file,
                .cert_file = settings->redis_cert_file,
                .key_file = settings->redis_key_file,
                .server_name = settings->redis_server_name},
        .sentinel_user = settings->redis_sentinel_user,
        .sentinel_password = settings->redis_sentinel_password,
    };
}
