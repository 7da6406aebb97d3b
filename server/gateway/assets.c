#include "server/gateway/assets.h"

const struct asset *assets_find(const char *path) {
    for (size_t i = 0; i < asset_count; i++) {
        if (strcmp(assets[i].path, path) == 0) {
            return &assets[i];
        }
    }
    return NULL;
}
