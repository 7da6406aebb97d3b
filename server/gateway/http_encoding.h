#ifndef HERALD_GATEWAY_HTTP_ENCODING_H
#define HERALD_GATEWAY_HTTP_ENCODING_H

/* Compression and tags of bodies. Pure functions; any thread. */
#include "server/gateway/request_head.h"

/** A shorter body is not compressed: one packet takes it as it is. */
#define HTTP_GZIP_LEAST 1024u
/** Room for a tag with its mark, quotes and terminator. */
#define HTTP_TAG_BYTES 24

/** Whether Accept-Encoding allows gzip (RFC 9110, 12.5.3). */
bool http_accepts_gzip(const struct request_head *head);
/** Compresses. @ret_packed  in the memory that is returned. Returns: NULL: no memory, or it would not be smaller. */
char *http_gzip(struct span body, struct span *ret_packed);
/** The entity tag of a body, W/"…": weak, since it is the same for the packed body and the plain one. */
void http_tag(struct span body, char ret_tag[HTTP_TAG_BYTES]);
/** Whether If-None-Match names a tag, by the weak comparison. @list  at NULL: not given */
bool http_tag_matches(struct span list, const char *tag);

#endif
