#include "server/content/picture_warnings.h"

#include "server/runtime/call.h"

#include <pango/pango.h>
#include <stdio.h>
#include <string.h>

/* A text of a picture, as the job's schema names it. Returns: NULL: a text of the style's own */
static const char *field_of(const char *role) {
    static const struct {
        const char *role, *field;
    } FIELDS[RENDER_INPUT_TEXTS] = {
        {"title", "title"},           {"prize", "prize"}, {"store", "storeInfo.name"}, {"address", "storeInfo.address"},
        {"phone", "storeInfo.phone"},
    };
    for (size_t i = 0; i < RENDER_INPUT_TEXTS; i++) {
        if (strcmp(role, FIELDS[i].role) == 0) {
            return FIELDS[i].field;
        }
    }
    return NULL;
}

static bool add_warning(struct picture_warnings *warnings, char *text) {
    for (size_t i = 0; text != NULL && i < warnings->count; i++) {
        if (strcmp(warnings->list[i], text) == 0) {
            return true;
        }
    }
    if (text != NULL && warnings->count < PICTURE_WARNINGS_MAX) {
        warnings->list[warnings->count++] = text;
    }
    return text != NULL;
}

/* "🎉 (U+1F389)"; a mark, and what has no look of its own, by its number alone. */
static size_t name_character(char *out, size_t bytes, gunichar c) {
    char shown[8] = "";
    bool alone = g_unichar_isgraph(c) && !g_unichar_ismark(c) && g_unichar_type(c) != G_UNICODE_PRIVATE_USE &&
                 g_unichar_type(c) != G_UNICODE_FORMAT;
    if (alone) {
        g_unichar_to_utf8(c, shown);
    }
    return (size_t)snprintf(out, bytes, alone ? "%s (U+%04X)" : "%sU+%04X", shown, (unsigned)c);
}

static bool add_missing(struct picture_warnings *warnings, const struct render_missing *missing) {
    char names[RENDER_MISSING_MAX * 32], more[32] = "";
    size_t length = 0;
    if (missing->character_count == 0) {
        return true;
    }
    for (unsigned i = 0; i < missing->character_count && i < RENDER_MISSING_MAX; i++) {
        length += (size_t)snprintf(names + length, sizeof(names) - length, "%s", i > 0 ? ", " : "");
        length += name_character(names + length, sizeof(names) - length, missing->characters[i]);
    }
    if (missing->character_count > RENDER_MISSING_MAX) {
        snprintf(more, sizeof(more), " and %u more", missing->character_count - RENDER_MISSING_MAX);
    }
    return add_warning(warnings, arena_printf(call_arena(), "%s: %s%s left out: no installed font has %s",
                                              field_of(missing->role), names, more,
                                              missing->character_count > 1 ? "them" : "it"));
}

static bool add_cut(struct picture_warnings *warnings, const struct render_text_box *text) {
    const char *field = text->ellipsised ? field_of(text->role) : NULL;
    return field == NULL ||
           add_warning(warnings, arena_printf(call_arena(), "%s: too long for a picture, its end is left out", field));
}

bool picture_warnings_add(struct picture_warnings *warnings, const struct render_layout *layout) {
    bool complete = true;
    for (size_t i = 0; complete && i < RENDER_INPUT_TEXTS; i++) {
        complete = add_missing(warnings, &layout->missing[i]);
    }
    for (unsigned i = 0; complete && i < layout->text_count; i++) {
        complete = add_cut(warnings, &layout->texts[i]);
    }
    return complete;
}
