/*
 * Draws and encodes one picture.
 *
 * One picture is drawn at a time; encoding, about half of the work, runs concurrently. The reason is a deadlock in
 * cairo up to 1.16 (Debian 12): it shares scaled fonts and their glyphs between threads and takes its locks in opposite
 * orders. A thread that evicts a page of glyphs locks the cache and then the font; one that adds a page locks the font
 * and then the cache.
 */
#include "server/content/render.h"

#include "server/content/canvas.h"
#include "server/content/encode.h"
#include "server/content/poster.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t drawing = PTHREAD_MUTEX_INITIALIZER;

/* For stores without a colour, and for titles of which no font shows a character. */
#define DEFAULT_BRAND "#E4483F"
#define DEFAULT_TITLE "EVENT"

static const struct {
    const char *name;
    poster_draw_fn *draw;
} STYLES[RENDER_STYLE_COUNT] = {
    [RENDER_SIMPLE] = {"simple", poster_draw_simple},
    [RENDER_FANCY] = {"fancy", poster_draw_fancy},
    [RENDER_TRENDY] = {"trendy", poster_draw_trendy},
};

const char *render_style_name(enum render_style style) {
    return STYLES[style].name;
}

static enum herald_code require_hangul(struct herald_error *reterr) {
    if (canvas_has_hangul()) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_NO_HANGUL_FONT,
                            "No installed font has Hangul, so no picture can be drawn: install one, on Debian with "
                            "'apt-get install fonts-nanum', and start again.");
}

enum herald_code render_check_fonts(struct herald_error *reterr) {
    pthread_mutex_lock(&drawing);
    enum herald_code code = require_hangul(reterr);
    pthread_mutex_unlock(&drawing);
    return code;
}

/* The poster's texts in the order of the input, cleaned; owned by the struct. */
struct texts {
    char *title, *prize, *store, *address, *phone;
};

static void texts_fini(struct texts *texts) {
    free(texts->title);
    free(texts->prize);
    free(texts->store);
    free(texts->address);
    free(texts->phone);
}

/* Cleans a text. @what  its name in errors; @role  as in the layout. */
static enum herald_code clean(struct render_missing *missing, const char *role, const char *what, const char *text,
                              char **ret_text, struct herald_error *reterr) {
    if (text == NULL) {
        text = "";
    }
    if (!g_utf8_validate(text, -1, NULL)) {
        return herald_error_set(reterr, HERALD_REASON_INVALID_UTF8, "The %s is not UTF-8, so it cannot be drawn.",
                                what);
    }
    missing->role = role;
    *ret_text = canvas_clean_text(text, missing);
    return *ret_text != NULL ? HERALD_OK : herald_error_no_memory(reterr, "the %s.", what);
}

static enum herald_code texts_init(struct texts *texts, struct canvas *canvas, const struct render_input *input,
                                   struct herald_error *reterr) {
    struct render_missing *missing = canvas->layout.missing;
    memset(texts, 0, sizeof(*texts));
    const struct {
        const char *role, *what, *text;
        char **cleaned;
    } all[RENDER_INPUT_TEXTS] = {
        {"title", "title", input->title, &texts->title},
        {"prize", "prize", input->prize, &texts->prize},
        {"store", "store's name", input->store_name, &texts->store},
        {"address", "store's address", input->store_address, &texts->address},
        {"phone", "store's phone number", input->store_phone, &texts->phone},
    };
    enum herald_code code = HERALD_OK;
    for (size_t i = 0; code == HERALD_OK && i < RENDER_INPUT_TEXTS; i++) {
        code = clean(&missing[i], all[i].role, all[i].what, all[i].text, all[i].cleaned, reterr);
    }
    if (code != HERALD_OK) {
        texts_fini(texts);
    }
    return code;
}

/* FNV-1a: ornaments differ between events and are the same each time for one event. */
static uint32_t seed_of(const struct texts *texts) {
    uint32_t hash = 2166136261u;
    const char *const parts[] = {texts->title, texts->prize, texts->store};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        for (const char *at = parts[i]; *at != '\0'; at++) {
            hash = (hash ^ (unsigned char)*at) * 16777619u;
        }
    }
    return hash;
}

static enum herald_code draw_picture(struct canvas *canvas, const struct render_input *input, enum render_style style,
                                     struct herald_error *reterr) {
    struct texts texts;
    enum herald_code code = texts_init(&texts, canvas, input, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct poster poster = {.canvas = canvas,
                            .title = texts.title[0] != '\0' ? texts.title : DEFAULT_TITLE,
                            .prize = texts.prize,
                            .store = texts.store,
                            .address = texts.address,
                            .phone = texts.phone,
                            .seed = seed_of(&texts)};
    if (!color_parse(input->brand_color, &poster.brand)) {
        color_parse(DEFAULT_BRAND, &poster.brand);
    }
    STYLES[style].draw(&poster);
    texts_fini(&texts);
    if (canvas->no_memory) {
        return herald_error_no_memory(reterr, "the texts of a picture");
    }
    cairo_status_t status = cairo_status(canvas->cr);
    if (status != CAIRO_STATUS_SUCCESS) {
        return herald_error_set(
            reterr, status == CAIRO_STATUS_NO_MEMORY ? HERALD_REASON_OUT_OF_MEMORY : HERALD_REASON_DRAWING,
            "The %s picture could not be drawn: %s.", STYLES[style].name, cairo_status_to_string(status));
    }
    return HERALD_OK;
}

/* Draws on a new surface, which the caller owns. */
static enum herald_code draw_surface(const struct render_input *input, enum render_style style,
                                     cairo_surface_t **ret_surface, struct render_layout *ret_layout,
                                     struct herald_error *reterr) {
    struct canvas canvas;
    enum herald_code code = canvas_init(&canvas, RENDER_SIDE_PX, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    code = require_hangul(reterr);
    if (code == HERALD_OK) {
        code = draw_picture(&canvas, input, style, reterr);
    }
    if (code == HERALD_OK) {
        *ret_surface = cairo_surface_reference(canvas.surface);
        *ret_layout = canvas.layout;
    }
    canvas_fini(&canvas);
    return code;
}

static enum herald_code encode(cairo_surface_t *surface, struct render_picture *picture, struct herald_error *reterr) {
    enum herald_code code = encode_png(surface, &picture->png, &picture->png_bytes, reterr);
    if (code == HERALD_OK) {
        code = encode_jpeg(surface, &picture->jpeg, &picture->jpeg_bytes, reterr);
    }
    if (code == HERALD_OK && picture->jpeg_bytes > RENDER_JPEG_MAX_BYTES) {
        code =
            herald_error_set(reterr, HERALD_REASON_PICTURE_TOO_BIG, "The JPEG has %zu bytes; channels take at most %u.",
                             picture->jpeg_bytes, RENDER_JPEG_MAX_BYTES);
    }
    return code;
}

enum herald_code render_picture(const struct render_input *input, enum render_style style,
                                struct render_picture *ret_picture, struct herald_error *reterr) {
    struct render_picture picture = {0};
    cairo_surface_t *surface = NULL;
    pthread_mutex_lock(&drawing);
    enum herald_code code = draw_surface(input, style, &surface, &picture.layout, reterr);
    pthread_mutex_unlock(&drawing);
    if (code != HERALD_OK) {
        return code;
    }
    code = encode(surface, &picture, reterr);
    cairo_surface_destroy(surface);
    if (code == HERALD_OK) {
        *ret_picture = picture;
    } else {
        render_picture_fini(&picture);
    }
    return code;
}

void render_picture_fini(struct render_picture *picture) {
    free(picture->png);
    free(picture->jpeg);
    picture->png = picture->jpeg = NULL;
}
