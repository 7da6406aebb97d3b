/* Errors of Instagram's Graph API. Source: Meta, "Error Codes" of the Instagram Platform (2026-06-02). */
#include "client/base/random.h"
#include "deploy/fakes/instagram.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct instagram_error_row {
    int code;
    int64_t subcode;
    bool transient;
    const char *title, *message;
} ERRORS[] = {
    {-2, 2207003, true, "Timeout downloading media", "It takes too long to download the media."},
    {-2, 2207020, false, "Media expired",
     "The media you are trying to access has expired. Please try to upload again."},
    {-1, 2207001, true, "Server error", "Instagram server error. Try again."},
    {-1, 2207032, false, "Create media failed", "Create media fail, please try to re-create media"},
    {2, 0, true, "Service unavailable", "Service temporarily unavailable"},
    {4, 0, true, "Application limit", "Application request limit reached"},
    {4, 2207051, false, "Action blocked", "We restrict certain activity to protect our community."},
    {9, 2207042, false, "Posts limit",
     "You reached maximum number of posts that is allowed to be published by Content "
     "Publishing API."},
    {17, 0, true, "User limit", "User request limit reached"},
    {24, 2207006, false, "Media not found", "The media with the id cannot be found."},
    {24, 2207008, true, "Media builder expired", "The media builder with the id does not exist or has expired."},
    {25, 2207050, false, "Account restricted", "The Instagram account is restricted."},
    {32, 0, true, "Page limit", "Page request limit reached"},
    {100, 0, false, "Invalid parameter", "Invalid parameter"},
    {100, 33, false, "Unsupported request", "Unsupported get request. Object with the id does not exist."},
    {190, 0, false, "Invalid token", "Invalid OAuth access token - Cannot parse access token"},
    {190, 463, false, "Session expired", "Error validating access token: Session has expired."},
    {613, 0, true, "Rate limit", "Calls to this api have exceeded the rate limit."},
    {9004, 2207052, false, "Media download failed", "The media could not be fetched from this uri."},
    {9007, 2207027, false, "Media not ready", "The media is not ready for publishing, please wait for a moment"},
    {36000, 2207004, false, "Image size too large",
     "The image is too large to download. It should be less than 8 MiB."},
    {36001, 2207005, false, "Image format not supported", "The image format is not supported."},
    {36003, 2207009, false, "Invalid aspect ratio", "The submitted image with aspect ratio cannot be published."},
    {36004, 2207010, false, "Caption too long", "The caption was too long: 2200 characters, 30 hashtags, 3 mentions."},
};

static const struct instagram_error_row *find_error_row(long code, int64_t subcode) {
    for (size_t i = 0; i < sizeof(ERRORS) / sizeof(ERRORS[0]); i++) {
        if (ERRORS[i].code == code && ERRORS[i].subcode == subcode) {
            return &ERRORS[i];
        }
    }
    return NULL;
}

struct fake_error instagram_error(int code, int64_t subcode) {
    const struct instagram_error_row *row = find_error_row(code, subcode);
    struct fake_error error = {.status = 400, .subcode = subcode};
    snprintf(error.code, sizeof(error.code), "%d", code);
    snprintf(error.message, sizeof(error.message), "%s", row != NULL ? row->message : "An error occurred");
    return error;
}

json_t *instagram_error_body(const struct fake_error *error) {
    char trace[16];
    long code = error->code[0] != '\0' ? strtol(error->code, NULL, 10) : 2; /* what is down says 2 */
    const struct instagram_error_row *row = find_error_row(code, error->subcode);
    bool transient = row != NULL ? row->transient : error->status >= 500;
    snprintf(trace, sizeof(trace), "A%011" PRIx64, herald_random() >> 20);
    json_t *body = json_pack("{s:s, s:s, s:I, s:b, s:s, s:s, s:s}", "message", error->message, "type", "OAuthException",
                             "code", (json_int_t)code, "is_transient", (int)transient, "error_user_title",
                             row != NULL ? row->title : "Error", "error_user_msg",
                             row != NULL ? row->message : error->message, "fbtrace_id", trace);
    if (error->subcode != 0) {
        json_object_set_new(body, "error_subcode", json_integer(error->subcode));
    }
    return json_pack("{s:o}", "error", body);
}
