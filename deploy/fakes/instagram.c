/*
 * Routes of Instagram's Graph API. Source: Meta, "Content Publishing", "IG User Media", "Content Publishing Limit" and
 * "Refresh Access Token" of the Instagram Platform.
 */
#include "deploy/fakes/instagram.h"

#include "deploy/fakes/form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CAPTION_MAX_CHARACTERS 2200
#define HASHTAGS_MAX           30
#define MENTIONS_MAX           3
#define TOKEN_LIFE_S           5184000

static const struct fakes_protocol GRAPH = {
    .id_member = "id",
    .error_body = instagram_error_body,
    .rejected = {.status = 400, .code = "36003", .subcode = 2207009, .message = "told to reject"},
    .token_expired = {.status = 400,
                      .code = "190",
                      .subcode = 463,
                      .message = "Error validating access token: Session has expired."},
    .quota_full = {.status = 400, .code = "9", .subcode = 2207042, .message = "told that the quota is full"},
};

/* --- what is refused --------------------------------------------------------------------------------------------- */

static void refuse_graph(struct fakes_request *request, int code, int64_t subcode) {
    struct fake_error error = instagram_error(code, subcode);
    fakes_refuse(request, &error);
}

static enum MHD_Result turn_away_graph(struct fakes_request *request, int code, int64_t subcode, const char *message) {
    struct fake_error error = instagram_error(code, subcode);
    if (message != NULL) {
        snprintf(error.message, sizeof(error.message), "%s", message);
    }
    return fakes_turn_away(request, FAKE_INSTAGRAM, &GRAPH, &error);
}

static size_t characters_of(const char *text) {
    size_t count = 0;
    for (; *text != '\0'; text++) {
        count += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return count;
}

/* Words that begin with a mark, '#' or '@', and have more. */
static unsigned count_marked(const char *text, char mark) {
    unsigned count = 0;
    for (const char *at = text; *at != '\0'; at++) {
        bool begins = at == text || strchr(" \t\r\n#@", at[-1]) != NULL;
        count += *at == mark && begins && strchr(" \t\r\n#@", at[1]) == NULL;
    }
    return count;
}

static bool ends_with(const char *text, size_t bytes, const char *end) {
    size_t end_bytes = strlen(end);
    return bytes > end_bytes && strncasecmp(text + bytes - end_bytes, end, end_bytes) == 0;
}

/* Whether the path of a URL has the ending of a picture that is no JPEG. */
static bool is_other_picture(const char *url) {
    static const char *const OTHERS[] = {".png", ".gif", ".webp", ".bmp", ".svg", ".heic", ".tiff"};
    size_t bytes = strcspn(url, "?#");
    for (size_t i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++) {
        if (ends_with(url, bytes, OTHERS[i])) {
            return true;
        }
    }
    return false;
}

/* Returns: false: the picture is refused, which has been answered */
static bool check_picture(struct fakes_request *request, const struct picture *picture) {
    const char *url = picture->image_url, *caption = picture->caption != NULL ? picture->caption : "";
    if (url == NULL || url[0] == '\0') {
        refuse_graph(request, 100, 0);
    } else if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        refuse_graph(request, 9004, 2207052);
    } else if (is_other_picture(url)) {
        refuse_graph(request, 36001, 2207005);
    } else if (characters_of(caption) > CAPTION_MAX_CHARACTERS || count_marked(caption, '#') > HASHTAGS_MAX ||
               count_marked(caption, '@') > MENTIONS_MAX) {
        refuse_graph(request, 36004, 2207010);
    } else {
        return true;
    }
    return false;
}

/* --- effects ----------------------------------------------------------------------------------------------------- */

static void make_container(struct fakes_request *request) {
    struct picture picture = {form_value(request, "image_url"), form_value(request, "caption"),
                              form_value(request, "alt_text")};
    if (check_picture(request, &picture)) {
        const struct container *container =
            instagram_make(request->fakes->instagram, request->subject, &picture, &request->taken.behaviour);
        fakes_reply(request, 200, json_pack("{s:s}", "id", container != NULL ? container->id : ""));
    }
    picture_fini(&picture);
}

static void show_object(struct fakes_request *request) {
    struct instagram *instagram = request->fakes->instagram;
    const struct container *container = instagram_find(instagram, request->subject);
    if (container == NULL) {
        refuse_graph(request, 100, 33);
        return;
    }
    enum container_status status = container_status(container);
    char text[96];
    if (status == CONTAINER_ERROR) {
        snprintf(text, sizeof(text), "Error: Media upload has failed with error code 2207032");
    } else {
        snprintf(text, sizeof(text), "%s: the container", container_status_name(status));
    }
    fakes_reply(request, 200,
                json_pack("{s:s, s:s, s:s}", "status_code", container_status_name(status), "status", text, "id",
                          container->id));
}

static void show_media(struct fakes_request *request) {
    const struct container *media = instagram_find_media(request->fakes->instagram, request->subject);
    char permalink[96];
    snprintf(permalink, sizeof(permalink), "https://www.instagram.com/p/%s/", media->media_id);
    fakes_reply(request, 200, json_pack("{s:s, s:s}", "permalink", permalink, "id", media->media_id));
}

static void publish_ready(struct fakes_request *request, struct container *container) {
    instagram_publish(request->fakes->instagram, container);
    fakes_accept(request, 200, container->media_id,
                 json_pack("{s:s, s:s, s:s, s:s?}", "container", container->id, "ig_id", container->account,
                           "image_url", container->image_url, "caption", container->caption),
                 json_pack("{s:s}", "id", container->media_id));
}

static void publish_container(struct fakes_request *request) {
    struct instagram *instagram = request->fakes->instagram;
    struct container *container = instagram_find(instagram, request->key);
    if (container == NULL || strcmp(container->account, request->subject) != 0) {
        refuse_graph(request, 24, 2207008);
        return;
    }
    switch (container_status(container)) {
    case CONTAINER_FINISHED:
        break;
    case CONTAINER_EXPIRED:
        refuse_graph(request, -2, 2207020);
        return;
    case CONTAINER_ERROR:
        refuse_graph(request, -1, 2207032);
        return;
    default: /* not ready, or published before */
        refuse_graph(request, 9007, 2207027);
        return;
    }
    if (instagram_usage(instagram, request->subject) >= instagram_quota(instagram)) {
        refuse_graph(request, 9, 2207042);
        return;
    }
    publish_ready(request, container);
}

static void show_limit(struct fakes_request *request) {
    struct instagram *instagram = request->fakes->instagram;
    json_int_t total = instagram_quota(instagram), usage = instagram_usage(instagram, request->subject);
    if (request->taken.behaviour.mode == FAKE_QUOTA_FULL) {
        usage = total;
    }
    fakes_reply(request, 200,
                json_pack("{s:[{s:I, s:{s:I, s:I}}]}", "data", "quota_usage", usage, "config", "quota_total", total,
                          "quota_duration", (json_int_t)(INSTAGRAM_DAY_MS / 1000)));
}

static void refresh_token(struct fakes_request *request) {
    fakes_reply(request, 200,
                json_pack("{s:s, s:s, s:i, s:s}", "access_token", instagram_new_token(request->fakes->instagram),
                          "token_type", "bearer", "expires_in", TOKEN_LIFE_S, "permissions",
                          "instagram_business_basic,instagram_business_content_publish"));
}

/* --- routes ------------------------------------------------------------------------------------------------------ */

static bool has_known_token(const struct fakes_request *request) {
    const struct instagram *instagram = request->fakes->instagram;
    const char *header = fakes_header(request, MHD_HTTP_HEADER_AUTHORIZATION);
    if (header != NULL) {
        return strncasecmp(header, "Bearer ", 7) == 0 && instagram_knows(instagram, header + 7);
    }
    char *parameter = form_value(request, "access_token");
    bool known = instagram_knows(instagram, parameter);
    free(parameter);
    return known;
}

static enum MHD_Result call_graph(struct fakes_request *request, enum fake_step step, fakes_effect *effect) {
    return fakes_call(request, FAKE_INSTAGRAM, step, &GRAPH, effect);
}

static enum MHD_Result route_refresh(struct fakes_request *request) {
    char *grant = form_value(request, "grant_type");
    bool right = grant != NULL && strcmp(grant, "ig_refresh_token") == 0;
    free(grant);
    return right ? call_graph(request, FAKE_STEP_REFRESH, refresh_token)
                 : turn_away_graph(request, 100, 0, "grant_type must be ig_refresh_token");
}

static enum MHD_Result route_edge(struct fakes_request *request, const char *method, const char *edge) {
    bool posts = strcmp(method, "POST") == 0;
    if (posts && strcmp(edge, "media") == 0) {
        return call_graph(request, FAKE_STEP_MEDIA, make_container);
    }
    if (posts && strcmp(edge, "media_publish") == 0) {
        char *creation_id = form_value(request, "creation_id");
        snprintf(request->key, sizeof(request->key), "%s", creation_id != NULL ? creation_id : "");
        free(creation_id);
        return request->key[0] != '\0' ? call_graph(request, FAKE_STEP_MEDIA_PUBLISH, publish_container)
                                       : turn_away_graph(request, 100, 0, "The parameter creation_id is required");
    }
    if (!posts && strcmp(edge, "content_publishing_limit") == 0) {
        return call_graph(request, FAKE_STEP_LIMIT, show_limit);
    }
    return turn_away_graph(request, 100, 0, "Unknown path components, or another method is needed");
}

/* Skips "v21.0/". */
static const char *skip_version(const char *path) {
    if (path[0] == 'v' && path[1] >= '0' && path[1] <= '9') {
        const char *slash = strchr(path, '/');
        return slash != NULL ? slash + 1 : "";
    }
    return path;
}

enum MHD_Result instagram_route(struct fakes_request *request, const char *method, const char *path) {
    const char *subject = skip_version(path);
    size_t bytes = strcspn(subject, "/");
    if (request->too_big || bytes >= sizeof(request->subject)) {
        return turn_away_graph(request, 100, 0, "The request is too long");
    }
    if (!has_known_token(request)) {
        return turn_away_graph(request, 190, 0, NULL);
    }
    memcpy(request->subject, subject, bytes);
    request->subject[bytes] = '\0';
    if (subject[bytes] == '/') {
        return route_edge(request, method, subject + bytes + 1);
    }
    if (strcmp(method, "GET") != 0) {
        return turn_away_graph(request, 100, 0, "Unsupported method");
    }
    if (strcmp(request->subject, "refresh_access_token") == 0) {
        return route_refresh(request);
    }
    bool is_media = instagram_find_media(request->fakes->instagram, request->subject) != NULL;
    return is_media ? call_graph(request, FAKE_STEP_PERMALINK, show_media)
                    : call_graph(request, FAKE_STEP_STATUS, show_object);
}
