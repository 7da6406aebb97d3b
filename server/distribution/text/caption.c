#include "server/distribution/text/caption.h"

#include "server/text/post_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ELLIPSIS "…"

/* The cleaned parts; owned. */
struct parts {
    char *title, *prize, *text, *store, *address, *phone;
    char **hashtags; /* without '#'; the last is NULL */
};

static void parts_fini(struct parts *parts) {
    free(parts->title);
    free(parts->prize);
    free(parts->text);
    free(parts->store);
    free(parts->address);
    free(parts->phone);
    for (char **word = parts->hashtags; word != NULL && *word != NULL; word++) {
        free(*word);
    }
    free(parts->hashtags);
}

/* Cleans a part that follows others: does nothing after a failure. */
static void clean_part(enum herald_code *code, const char *text, enum text_kind kind, char **ret_text,
                       struct herald_error *reterr) {
    if (*code == HERALD_OK) {
        *code = post_text_clean(text != NULL ? text : "", kind, ret_text, reterr);
    }
}

static enum herald_code clean_hashtags(struct parts *parts, const struct caption *caption,
                                       struct herald_error *reterr) {
    enum herald_code code = HERALD_OK;
    parts->hashtags = calloc(caption->hashtag_count + 1, sizeof(*parts->hashtags));
    if (parts->hashtags == NULL) {
        return herald_error_no_memory(reterr, "the hashtags of a caption");
    }
    for (size_t i = 0; i < caption->hashtag_count && code == HERALD_OK; i++) {
        char *word = NULL;
        code = post_text_clean(caption->hashtags[i], TEXT_LINE, &word, reterr);
        if (code == HERALD_OK) {
            text_keep_hashtag(word);
            parts->hashtags[i] = word;
        }
    }
    return code;
}

static enum herald_code parts_init(struct parts *parts, const struct caption *caption, struct herald_error *reterr) {
    enum herald_code code = HERALD_OK;
    *parts = (struct parts){0};
    clean_part(&code, caption->title, TEXT_LINE, &parts->title, reterr);
    clean_part(&code, caption->prize, TEXT_LINE, &parts->prize, reterr);
    clean_part(&code, caption->text, TEXT_PARAGRAPHS, &parts->text, reterr);
    clean_part(&code, caption->store_name, TEXT_LINE, &parts->store, reterr);
    clean_part(&code, caption->store_address, TEXT_LINE, &parts->address, reterr);
    clean_part(&code, caption->store_phone, TEXT_LINE, &parts->phone, reterr);
    if (code == HERALD_OK) {
        code = clean_hashtags(parts, caption, reterr);
    }
    if (code != HERALD_OK) {
        parts_fini(parts);
    }
    return code;
}

/* A text that grows by paragraphs and lines. */
struct writer {
    FILE *out;
    bool begun; /* something was written */
    bool gap;   /* an empty line is due before the next text */
};

static void caption_line(struct writer *writer, const char *label, const char *text) {
    if (text[0] == '\0') {
        return;
    }
    fprintf(writer->out, "%s%s%s", !writer->begun ? "" : writer->gap ? "\n\n" : "\n", label, text);
    writer->begun = true;
    writer->gap = false;
}

static void caption_hashtags(struct writer *writer, const struct parts *parts, size_t max) {
    const char *before = !writer->begun ? "" : "\n\n";
    for (char **word = parts->hashtags; *word != NULL && max > 0; word++) {
        if (**word != '\0') {
            fprintf(writer->out, "%s#%s", before, *word);
            before = " ";
            max--;
        }
    }
}

/* Writes all parts, with @text in its place. Returns: the text, from malloc; NULL: no memory. */
static char *write_parts(const struct parts *parts, const char *text, size_t hashtags_max) {
    char *written = NULL;
    size_t bytes = 0;
    struct writer writer = {.out = open_memstream(&written, &bytes)};
    if (writer.out == NULL) {
        return NULL;
    }
    caption_line(&writer, "", parts->title);
    writer.gap = true;
    caption_line(&writer, "경품: ", parts->prize);
    writer.gap = true;
    caption_line(&writer, "", text);
    writer.gap = true;
    caption_line(&writer, "", parts->store);
    caption_line(&writer, "", parts->address);
    caption_line(&writer, "", parts->phone);
    caption_hashtags(&writer, parts, hashtags_max);
    bool failed = ferror(writer.out) != 0;
    if (fclose(writer.out) != 0 || failed) {
        free(written);
        return NULL;
    }
    return written;
}

/* Shortens @text, in place, to @max units, "…" included; to "" if no word of it has room. */
static char *cut_with_ellipsis(char *text, size_t max, enum text_unit unit) {
    size_t dots = text_count(ELLIPSIS, unit), bytes = max > dots ? text_cut(text, max - dots, unit) : 0;
    while (bytes > 0 && strchr(" \n\t", text[bytes - 1]) != NULL) {
        bytes--;
    }
    char *grown = realloc(text, bytes + sizeof(ELLIPSIS));
    if (grown != NULL) {
        strcpy(grown + bytes, bytes > 0 ? ELLIPSIS : "");
    }
    return grown != NULL ? grown : text;
}

/* How many hashtags of the list may follow those in the parts. */
static size_t hashtags_left(const struct content_limits *limits, const struct parts *parts) {
    if (limits->hashtags_max == 0 || !limits->may_cut) {
        return SIZE_MAX;
    }
    size_t used = text_count_hashtags(parts->title) + text_count_hashtags(parts->prize) +
                  text_count_hashtags(parts->text) + text_count_hashtags(parts->store);
    return used < limits->hashtags_max ? limits->hashtags_max - used : 0;
}

/* Writes the parts so that they fit, if the row allows cutting. Returns: as write_parts(). */
static char *write_fitting(const struct content_limits *limits, struct parts *parts, bool has_picture) {
    struct content_limit limit = content_limits_text(limits, has_picture);
    size_t hashtags = hashtags_left(limits, parts);
    char *written = write_parts(parts, parts->text, hashtags);
    size_t length = written != NULL && limit.max > 0 ? text_count(written, limit.unit) : 0;
    if (length <= limit.max || !limits->may_cut || parts->text[0] == '\0') {
        return written;
    }
    size_t rest = length - text_count(parts->text, limit.unit);
    parts->text = cut_with_ellipsis(parts->text, limit.max > rest ? limit.max - rest : 0, limit.unit);
    free(written);
    return write_parts(parts, parts->text, hashtags);
}

enum herald_code caption_compose(const struct content_limits *limits, const struct caption *caption, char **ret_text,
                                 struct content_problems *problems, struct herald_error *reterr) {
    struct parts parts;
    enum herald_code code = parts_init(&parts, caption, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    char *written = write_fitting(limits, &parts, caption->has_picture);
    parts_fini(&parts);
    if (written == NULL) {
        return herald_error_no_memory(reterr, "a caption");
    }
    content_check(limits, &(struct content){.text = written, .has_picture = caption->has_picture}, problems);
    *ret_text = written;
    return HERALD_OK;
}
