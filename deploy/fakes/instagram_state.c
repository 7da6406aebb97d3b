/* What the fake Instagram remembers: containers, media and how many posts each account made; and which tokens it knows. */
#include "client/base/minimum.h"
#include "client/base/random.h"
#include "deploy/fakes/instagram.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUOTA_TOTAL       100
#define CONTAINER_MS      500
#define CONTAINER_SLOW_MS 60000
#define TOKEN_BEGIN       "IGAA"
#define TOKEN_NUMBER      16 /* digits of the number that each token has of its own */
#define TOKEN_MARK        32 /* digits of the signature of that number */

struct account {
    UT_hash_handle hh;
    int64_t *posted_ms; /* rising */
    size_t count, room, first;
    uint32_t told; /* posts that it is said to have made besides */
    char id[FAKES_KEY_BYTES];
};

struct instagram {
    struct container *containers; /* by id */
    struct container *media;      /* by media id */
    struct account *accounts;
    char token[256]; /* as configured; "": none */
    char fresh[sizeof(TOKEN_BEGIN) + TOKEN_NUMBER + TOKEN_MARK];
    uint32_t quota_total, container_ms;
};

void picture_fini(struct picture *picture) {
    free(picture->image_url);
    free(picture->caption);
    free(picture->alt_text);
    *picture = (struct picture){0};
}

struct instagram *instagram_new(const struct fakes_options *options) {
    struct instagram *instagram = calloc(1, sizeof(*instagram));
    if (instagram == NULL) {
        return NULL;
    }
    instagram->quota_total = options->instagram_quota > 0 ? options->instagram_quota : QUOTA_TOTAL;
    instagram->container_ms = options->container_ms > 0 ? options->container_ms : CONTAINER_MS;
    snprintf(instagram->token, sizeof(instagram->token), "%s",
             options->instagram_token != NULL ? options->instagram_token : "");
    return instagram;
}

void instagram_free(struct instagram *instagram) {
    if (instagram == NULL) {
        return;
    }
    struct container *container = instagram->containers;
    struct account *account = instagram->accounts;
    HASH_CLEAR(hh_media, instagram->media);
    HASH_CLEAR(hh, instagram->containers); /* leaves the items linked by hh.next */
    HASH_CLEAR(hh, instagram->accounts);
    while (container != NULL) {
        struct container *next = container->hh.next;
        free(container->image_url);
        free(container->caption);
        free(container->alt_text);
        free(container);
        container = next;
    }
    while (account != NULL) {
        struct account *next = account->hh.next;
        free(account->posted_ms);
        free(account);
        account = next;
    }
    free(instagram);
}

/* 17 digits that begin with @prefix, as real ones do. */
static void make_graph_id(char *id, size_t bytes, unsigned prefix) {
    snprintf(id, bytes, "%u%015" PRIu64, prefix, herald_random() % UINT64_C(1000000000000000));
}

/* --- containers -------------------------------------------------------------------------------------------------- */

static uint32_t time_of_container(const struct instagram *instagram, const struct fake_behaviour *behaviour) {
    if (behaviour->container_ms > 0) {
        return behaviour->container_ms;
    }
    if (behaviour->mode == FAKE_CONTAINER_SLOW) {
        return CONTAINER_SLOW_MS;
    }
    /* A channel that was told to be fast is fast in all that it does. */
    return behaviour->latency.kind == FAKE_LATENCY_FIXED
               ? herald_min_u32(behaviour->latency.low_ms, instagram->container_ms)
               : instagram->container_ms;
}

struct container *instagram_make(struct instagram *instagram, const char *account, struct picture *picture,
                                 const struct fake_behaviour *behaviour) {
    struct container *container = calloc(1, sizeof(*container));
    if (container == NULL) {
        return NULL;
    }
    make_graph_id(container->id, sizeof(container->id), 17);
    snprintf(container->account, sizeof(container->account), "%s", account);
    container->image_url = picture->image_url;
    container->caption = picture->caption;
    container->alt_text = picture->alt_text;
    *picture = (struct picture){0};
    container->made_ms = fakes_now_ms();
    container->ready_ms = container->made_ms + time_of_container(instagram, behaviour);
    container->ends = behaviour->mode == FAKE_CONTAINER_ERROR     ? CONTAINER_ERROR
                      : behaviour->mode == FAKE_CONTAINER_EXPIRED ? CONTAINER_EXPIRED
                                                                  : CONTAINER_FINISHED;
    HASH_ADD_STR(instagram->containers, id, container);
    return container;
}

struct container *instagram_find(struct instagram *instagram, const char *id) {
    struct container *container;
    HASH_FIND_STR(instagram->containers, id, container);
    return container;
}

struct container *instagram_find_media(struct instagram *instagram, const char *media_id) {
    struct container *container;
    HASH_FIND(hh_media, instagram->media, media_id, strlen(media_id), container);
    return container;
}

enum container_status container_status(const struct container *container) {
    int64_t now_ms = fakes_now_ms();
    if (container->media_id[0] != '\0') {
        return CONTAINER_PUBLISHED;
    }
    if (now_ms >= container->made_ms + INSTAGRAM_DAY_MS) {
        return CONTAINER_EXPIRED;
    }
    return now_ms < container->ready_ms ? CONTAINER_IN_PROGRESS : container->ends;
}

const char *container_status_name(enum container_status status) {
    static const char *const NAMES[] = {
        [CONTAINER_IN_PROGRESS] = "IN_PROGRESS", [CONTAINER_FINISHED] = "FINISHED",   [CONTAINER_ERROR] = "ERROR",
        [CONTAINER_EXPIRED] = "EXPIRED",         [CONTAINER_PUBLISHED] = "PUBLISHED",
    };
    return NAMES[status];
}

/* --- accounts ---------------------------------------------------------------------------------------------------- */

/* Returns: NULL: no memory */
static struct account *have_account(struct instagram *instagram, const char *id) {
    struct account *account;
    HASH_FIND_STR(instagram->accounts, id, account);
    if (account == NULL && (account = calloc(1, sizeof(*account))) != NULL) {
        snprintf(account->id, sizeof(account->id), "%s", id);
        HASH_ADD_STR(instagram->accounts, id, account);
    }
    return account;
}

static void count_post(struct account *account, int64_t now_ms) {
    if (account->count == account->room) {
        size_t room = account->room > 0 ? account->room * 2 : 64;
        int64_t *grown = realloc(account->posted_ms, room * sizeof(*grown));
        if (grown == NULL) {
            return;
        }
        account->posted_ms = grown;
        account->room = room;
    }
    account->posted_ms[account->count++] = now_ms;
}

void instagram_publish(struct instagram *instagram, struct container *container) {
    struct account *account = have_account(instagram, container->account);
    make_graph_id(container->media_id, sizeof(container->media_id), 18);
    HASH_ADD(hh_media, instagram->media, media_id, strlen(container->media_id), container);
    if (account != NULL) {
        count_post(account, fakes_now_ms());
    }
}

uint32_t instagram_usage(struct instagram *instagram, const char *account_id) {
    struct account *account = have_account(instagram, account_id);
    if (account == NULL) {
        return 0;
    }
    while (account->first < account->count && account->posted_ms[account->first] <= fakes_now_ms() - INSTAGRAM_DAY_MS) {
        account->first++;
    }
    return (uint32_t)(account->count - account->first) + account->told;
}

uint32_t instagram_quota(const struct instagram *instagram) {
    return instagram->quota_total;
}

/* --- tokens ------------------------------------------------------------------------------------------------------ */

/* Makes the token of a number, signed with the configured token: so a later process knows it too. */
static bool make_token(const char *configured, const char *number, char *ret_token, size_t bytes) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_bytes = 0;
    if (HMAC(EVP_sha256(), configured, (int)strlen(configured), (const unsigned char *)number, TOKEN_NUMBER, digest,
             &digest_bytes) == NULL) {
        return false;
    }
    int length = snprintf(ret_token, bytes, TOKEN_BEGIN "%.*s", TOKEN_NUMBER, number);
    for (size_t i = 0; i < TOKEN_MARK / 2; i++) {
        length += snprintf(ret_token + length, bytes - (size_t)length, "%02x", digest[i]);
    }
    return true;
}

bool instagram_knows(const struct instagram *instagram, const char *token) {
    char issued[sizeof(instagram->fresh)];
    if (token == NULL || token[0] == '\0') {
        return false;
    }
    if (instagram->token[0] == '\0' || strcmp(instagram->token, token) == 0) {
        return true;
    }
    return strlen(token) == sizeof(issued) - 1 &&
           make_token(instagram->token, token + strlen(TOKEN_BEGIN), issued, sizeof(issued)) &&
           strcmp(issued, token) == 0;
}

const char *instagram_new_token(struct instagram *instagram) {
    char number[TOKEN_NUMBER + 1];
    snprintf(number, sizeof(number), "%016" PRIx64, herald_random());
    return make_token(instagram->token, number, instagram->fresh, sizeof(instagram->fresh)) ? instagram->fresh : NULL;
}

/* --- for tests --------------------------------------------------------------------------------------------------- */

static json_t *show_container(const struct container *container) {
    return json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s?, s:I, s:s?}", "id", container->id, "ig_id", container->account,
                     "status", container_status_name(container_status(container)), "image_url", container->image_url,
                     "caption", container->caption, "alt_text", container->alt_text, "made_ms",
                     (json_int_t)container->made_ms, "media_id",
                     container->media_id[0] != '\0' ? container->media_id : NULL);
}

char *instagram_list(struct instagram *instagram) {
    char *text = NULL;
    size_t bytes = 0;
    struct container *container, *next;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL) {
        return NULL;
    }
    HASH_ITER (hh, instagram->containers, container, next) {
        json_t *shown = show_container(container);
        json_dumpf(shown, out, JSON_COMPACT);
        fputc('\n', out);
        json_decref(shown);
    }
    fclose(out);
    return text;
}

static bool read_count(const json_t *json, uint32_t min, uint32_t *count) {
    if (json == NULL) {
        return true;
    }
    if (!json_is_integer(json) || json_integer_value(json) < min || json_integer_value(json) > 100000000) {
        return false;
    }
    *count = (uint32_t)json_integer_value(json);
    return true;
}

const char *instagram_set(struct instagram *instagram, const json_t *json) {
    const json_t *total = json_object_get(json, "quotaTotal"), *usage = json_object_get(json, "quotaUsage");
    const json_t *container_ms = json_object_get(json, "containerMs");
    uint32_t told = 0, quota_total = instagram->quota_total, new_ms = instagram->container_ms;
    size_t known = 0u + (total != NULL) + (usage != NULL) + (container_ms != NULL);
    if (!json_is_object(json) || json_object_size(json) != known || !read_count(total, 0, &quota_total) ||
        !read_count(usage, 0, &told) || !read_count(container_ms, 0, &new_ms)) {
        return "quotaTotal, quotaUsage and containerMs are whole numbers, from 0 to 100000000";
    }
    instagram->quota_total = quota_total;
    instagram->container_ms = new_ms;
    struct account *account, *next;
    HASH_ITER (hh, instagram->accounts, account, next) {
        if (usage != NULL) {
            account->first = account->count;
            account->told = told;
        }
    }
    return NULL;
}

const char *instagram_set_container(struct instagram *instagram, const char *id, const json_t *json) {
    struct container *container = instagram_find(instagram, id);
    const char *status = json_string_value(json_object_get(json, "status"));
    if (container == NULL) {
        return "there is no container with this id";
    }
    for (int i = CONTAINER_FINISHED; status != NULL && i <= CONTAINER_EXPIRED; i++) {
        if (strcmp(status, container_status_name((enum container_status)i)) == 0) {
            container->ends = (enum container_status)i;
            container->ready_ms = container->made_ms;
            return NULL;
        }
    }
    return "status must be FINISHED, ERROR or EXPIRED";
}
