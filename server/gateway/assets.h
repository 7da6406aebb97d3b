#ifndef HERALD_GATEWAY_ASSETS_H
#define HERALD_GATEWAY_ASSETS_H

/* The static files of the console and the documentation, embedded at build time: embed_assets.cmake makes the table. */
#include "server/gateway/span.h"

#include <stdbool.h>
#include <stddef.h>

struct asset {
    const char *path; /* of the URL: "/console/main.js" */
    const char *type; /* content type */
    const char *tag;  /* entity tag: W/"…" */
    const char *plain, *plain_end;
    const char *packed, *packed_end; /* gzip */
};

extern const struct asset assets[];
extern const size_t asset_count;

/** The file at a path, as decoded; NULL: there is none. Any thread. */
const struct asset *assets_find(const char *path);

#endif
