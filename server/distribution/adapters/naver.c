/*
 * Naver Blog, which has no interface to write (it ended on 2020-05-06): assisted publishing. Herald makes a package of
 * HTML and pictures, a person pastes it into the blog's editor and reports the address with ConfirmAssistedPublish.
 */
#include "server/distribution/adapters/adapters.h"
#include "server/distribution/adapters/post_caption.h"
#include "server/distribution/adapters/previewing.h"
#include "server/runtime/proto_arena.h"
#include "server/text/post_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* There is nothing to configure: a person needs no key of Herald's. */
static bool naver_is_configured(const struct channel_setup *setup) {
    (void)setup;
    return true;
}

/* ---- the package ---- */

/* Writes text as HTML: what marks up is escaped, a line break is <br>. */
static void html_text(FILE *out, const char *text) {
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        case '\n':
            fputs("<br>\n", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

/* One element with a text; nothing for no text. */
static void html_element(FILE *out, const char *open, const char *text, const char *close) {
    if (text[0] != '\0') {
        fputs(open, out);
        html_text(out, text);
        fputs(close, out);
    }
}

/* Paragraphs of a cleaned text, which an empty line divides. */
static void html_paragraphs(FILE *out, char *text) {
    for (char *next = text; next != NULL && *next != '\0';) {
        char *paragraph = next, *end = strstr(next, "\n\n");
        next = end ? end + 2 + strspn(end + 2, "\n") : NULL;
        if (end) {
            *end = '\0';
        }
        html_element(out, "<p>", paragraph, "</p>\n");
    }
}

/* A picture that a browser may load; others are left out. */
static void html_picture(FILE *out, const char *url, const char *title) {
    if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0) {
        return;
    }
    fputs("<p><img src=\"", out);
    html_text(out, url);
    fputs("\" alt=\"", out);
    html_text(out, title);
    fputs("\"></p>\n", out);
}

/* The parts of the package in their one form; owned. */
struct package {
    char *title, *prize, *text, *store, *address, *phone;
};

static void package_fini(struct package *package) {
    free(package->title);
    free(package->prize);
    free(package->text);
    free(package->store);
    free(package->address);
    free(package->phone);
}

/* Cleans a part that follows others: does nothing after a failure. */
static void package_part(enum herald_code *code, const char *text, enum text_kind kind, char **ret_text,
                         struct herald_error *reterr) {
    if (*code == HERALD_OK) {
        *code = post_text_clean(text ? text : "", kind, ret_text, reterr);
    }
}

static enum herald_code package_init(struct package *package, const Herald__Distribution__V1__Content *content,
                                     struct herald_error *reterr) {
    const Herald__Job__V1__StoreInfo *store = content->store_info;
    enum herald_code code = HERALD_OK;
    *package = (struct package){0};
    package_part(&code, content->title, TEXT_LINE, &package->title, reterr);
    package_part(&code, content->prize, TEXT_LINE, &package->prize, reterr);
    package_part(&code, content->text, TEXT_PARAGRAPHS, &package->text, reterr);
    package_part(&code, store ? store->name : "", TEXT_LINE, &package->store, reterr);
    package_part(&code, store ? store->address : "", TEXT_LINE, &package->address, reterr);
    package_part(&code, store ? store->phone : "", TEXT_LINE, &package->phone, reterr);
    if (code != HERALD_OK) {
        package_fini(package);
    }
    return code;
}

static void write_package(FILE *out, struct package *package, const char *picture) {
    html_element(out, "<h2>", package->title, "</h2>\n");
    html_picture(out, picture, package->title);
    html_element(out, "<p><strong>경품: ", package->prize, "</strong></p>\n");
    html_paragraphs(out, package->text);
    if (package->store[0] != '\0' || package->address[0] != '\0' || package->phone[0] != '\0') {
        fputs("<address>\n", out);
        html_element(out, "<strong>", package->store, "</strong><br>\n");
        html_element(out, "", package->address, "<br>\n");
        html_element(out, "", package->phone, "<br>\n");
        fputs("</address>\n", out);
    }
}

/* The package as HTML, in the running call's arena. */
static enum herald_code make_package(const Herald__Distribution__V1__Content *content, char **ret_html,
                                     struct herald_error *reterr) {
    struct package package;
    char *written = NULL;
    size_t bytes = 0;
    enum herald_code code = package_init(&package, content, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    FILE *out = open_memstream(&written, &bytes);
    if (out) {
        write_package(out, &package, content->jpeg_url);
    }
    bool failed = !out || ferror(out) != 0;
    failed = (out && fclose(out) != 0) || failed;
    package_fini(&package);
    *ret_html = failed ? NULL : arena_strdup(call_arena(), written);
    free(written);
    return *ret_html ? HERALD_OK : arena_full(reterr, "the package for a blog");
}

static enum herald_code naver_preview(const struct adapter_delivery *delivery, struct preview *preview,
                                      struct herald_error *reterr) {
    const Herald__Distribution__V1__Content *content = delivery->content;
    const char *caption = NULL;
    char *html = NULL;
    enum herald_code code = make_package(content, &html, reterr);
    if (code == HERALD_OK) {
        code = post_caption(delivery, &caption, NULL, reterr);
    }
    if (code == HERALD_OK && content->jpeg_url[0] != '\0') {
        code = preview_add_picture(preview, content->jpeg_url, reterr);
    }
    if (code == HERALD_OK && content->png_url[0] != '\0') {
        code = preview_add_picture(preview, content->png_url, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    preview->response->html = html;
    return preview_check_content(delivery, preview, caption, strlen(html), reterr);
}

TASK_FN static struct channel_answer naver_commit(const struct adapter_delivery *delivery) {
    (void)delivery;
    return answer_plain(MEANS_HANDED, HERALD_REASON_AWAITING_OPERATOR,
                        "a person is to post it: GetDeliveryPreview has the package of HTML and pictures, and "
                        "ConfirmAssistedPublish takes the address of the post");
}

/* ---- the address of a post ---- */

/* A URL in its parts, which point into it. */
struct url_parts {
    size_t scheme_bytes;
    const char *host; /* with the port */
    size_t host_bytes;
    const char *path; /* with all behind it */
};

/* Where the host ends, without a port that the scheme implies. */
static size_t without_default_port(const struct url_parts *parts) {
    const char *port = parts->scheme_bytes == strlen("https") ? ":443" : ":80";
    size_t bytes = strlen(port);
    return parts->host_bytes > bytes && memcmp(parts->host + parts->host_bytes - bytes, port, bytes) == 0
               ? parts->host_bytes - bytes
               : parts->host_bytes;
}

/* Returns: false: it is no plain web address, or has a part that browsers and people read differently */
static bool url_split(const char *url, struct url_parts *ret_parts) {
    const char *mark = strstr(url, "://");
    if (mark == NULL || (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)) {
        return false;
    }
    for (const char *at = url; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || *at == 0x7F || *at == '\\') {
            return false;
        }
    }
    struct url_parts parts = {.scheme_bytes = (size_t)(mark - url), .host = mark + 3};
    parts.host_bytes = strcspn(parts.host, "/?#");
    parts.path = parts.host + parts.host_bytes;
    parts.host_bytes = without_default_port(&parts);
    *ret_parts = parts;
    return parts.host_bytes > 0;
}

/* Whether a path climbs: has a segment "..", also with encoded points. */
static bool path_climbs(const char *path) {
    size_t bytes = strcspn(path, "?#");
    for (size_t at = 0; at < bytes;) {
        size_t points = 0;
        while (at < bytes && (path[at] == '.' || strncasecmp(path + at, "%2e", 3) == 0)) {
            at += path[at] == '.' ? 1 : 3;
            points++;
        }
        if (points == 2 && (at == bytes || path[at] == '/')) {
            return true;
        }
        at += strcspn(path + at, "/?#");
        at += at < bytes ? 1 : 0;
    }
    return false;
}

/* An address of a post begins with that of the setting: scheme, host and whole segments of the path; more follows. */
static bool naver_accepts_url(const struct channel_setup *setup, const char *url) {
    struct url_parts site, post;
    if (!url_split(setup->url, &site) || !url_split(url, &post) || path_climbs(post.path)) {
        return false;
    }
    size_t path_bytes = strcspn(site.path, "?#");
    while (path_bytes > 0 && site.path[path_bytes - 1] == '/') {
        path_bytes--;
    }
    return site.scheme_bytes == post.scheme_bytes && site.host_bytes == post.host_bytes &&
           strncasecmp(site.host, post.host, site.host_bytes) == 0 && strncmp(site.path, post.path, path_bytes) == 0 &&
           post.path[path_bytes] == '/' && strcspn(post.path + path_bytes + 1, "?#") > 0;
}

const struct adapter naver_adapter = {
    .name = "naver",
    .is_configured = naver_is_configured,
    .preview = naver_preview,
    .commit = naver_commit,
    .accepts_url = naver_accepts_url,
};
