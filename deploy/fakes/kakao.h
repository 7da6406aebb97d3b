#ifndef HERALD_FAKES_KAKAO_H
#define HERALD_FAKES_KAKAO_H

/* Brand messages of Kakao through NAVER Cloud SENS. */
#include "deploy/fakes/fakes_private.h"

struct kakao *kakao_new(const struct fakes_options *options);
void kakao_free(struct kakao *kakao);

/** Reads {"kst": "21:00"}, or {"kst": null} for the real clock. Returns: NULL, or what is wrong (static) */
const char *kakao_set_clock(struct kakao *kakao, const json_t *json);
/** The time of day in Korea, minutes after 00:00, as the fake takes it. */
int kakao_minute(const struct kakao *kakao);
bool kakao_is_quiet(int minute);

/** Writes the base64 signature of a request: HMAC-SHA256 of "METHOD uri\ntimestamp\naccess key". @signature 64 bytes */
void kakao_sign(const char *secret, const char *method, const char *uri, const char *timestamp, const char *access_key,
                char *ret_signature);

/** Answers /kakao/brandmessage/…. @path  after "/kakao/" */
enum MHD_Result kakao_route(struct fakes_request *request, const char *method, const char *path);

#endif
