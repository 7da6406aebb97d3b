#ifndef HERALD_CTL_URL_H
#define HERALD_CTL_URL_H

#include <stdbool.h>

/** The parts of "scheme://[[user]:password@]host[:port][/path]". */
struct url_parts {
    char scheme[16];
    char password[256]; /* empty: none */
    char host[256];     /* without the brackets of an IPv6 address */
    char port[8];       /* empty: none */
    char path[256];     /* without its first slash */
};

/** Splits a URL. Returns: false: it is no such URL, or a part is too long; *ret_parts is undefined then */
bool url_split(const char *url, struct url_parts *ret_parts);

#endif
