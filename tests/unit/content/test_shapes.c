/* Pictures in the shapes of channels: whole, of the exact size, made once, and only when somebody asks. */
#include "ordinary_event.h"
#include "server/content/encode.h"
#include "server/content/picture_server.h"
#include "server/content/picture_store.h"
#include "server/content/shape_maker.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jpeglib.h>

#define KEY  "7a7ab0184bf4b3bb89e685b90f7f9cdd"
#define SIDE RENDER_SIDE_PX

static struct render_picture pictures[RENDER_STYLE_COUNT];

static int render_all(void **state) {
    (void)state;
    for (int style = 0; style < RENDER_STYLE_COUNT; style++) {
        if (render_picture(&ORDINARY, (enum render_style)style, &pictures[style], NULL) != HERALD_OK) {
            return 1;
        }
    }
    return 0;
}

static int free_all(void **state) {
    (void)state;
    for (int style = 0; style < RENDER_STYLE_COUNT; style++) {
        render_picture_fini(&pictures[style]);
    }
    return 0;
}

/* A folder with the three pictures, and a server. */
struct shop {
    char folder[64];
    struct picture_server *server;
};

static void put_picture(const struct shop *shop, const char *file, const void *data, size_t bytes) {
    assert_int_equal(picture_store_write(shop->folder, KEY, file, data, bytes, NULL), HERALD_OK);
}

static int open_shop(void **state) {
    struct shop *shop = calloc(1, sizeof(*shop));
    strcpy(shop->folder, "/tmp/herald-shapes-XXXXXX");
    if (mkdtemp(shop->folder) == NULL) {
        return 1;
    }
    for (int style = 0; style < RENDER_STYLE_COUNT; style++) {
        char file[32];
        snprintf(file, sizeof(file), "%s.png", render_style_name((enum render_style)style));
        put_picture(shop, file, pictures[style].png, pictures[style].png_bytes);
        snprintf(file, sizeof(file), "%s.jpg", render_style_name((enum render_style)style));
        put_picture(shop, file, pictures[style].jpeg, pictures[style].jpeg_bytes);
    }
    *state = shop;
    return picture_server_start("http://127.0.0.1:0", shop->folder, false, &shop->server, NULL) != HERALD_OK;
}

static int close_shop(void **state) {
    struct shop *shop = *state;
    char command[128];
    picture_server_stop(shop->server);
    snprintf(command, sizeof(command), "rm -rf '%s'", shop->folder);
    free(shop);
    return system(command);
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

struct answer {
    long status;
    unsigned char *body;
    size_t bytes;
};

static size_t on_body(char *data, size_t size, size_t count, void *user) {
    struct answer *answer = user;
    unsigned char *grown = realloc(answer->body, answer->bytes + size * count);
    if (grown == NULL) {
        return 0;
    }
    memcpy(grown + answer->bytes, data, size * count);
    answer->body = grown;
    answer->bytes += size * count;
    return size * count;
}

static struct answer ask(const struct shop *shop, const char *file, bool head) {
    struct answer answer = {0};
    char url[256];
    CURL *easy = curl_easy_init();
    snprintf(url, sizeof(url), "%s/content/" KEY "/%s", picture_server_url(shop->server), file);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOBODY, head ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer);
    curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_easy_cleanup(easy);
    return answer;
}

struct pixels {
    int width, height;
    unsigned char *rgb; /* 3 bytes each */
};

/* Decodes a JPEG; asserts 8-bit YCbCr at full colour resolution, as sRGB without a profile. */
static struct pixels decode_jpeg(const unsigned char *data, size_t bytes) {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr manager;
    jpeg.err = jpeg_std_error(&manager);
    jpeg_create_decompress(&jpeg);
    jpeg_mem_src(&jpeg, data, bytes);
    assert_int_equal(jpeg_read_header(&jpeg, TRUE), JPEG_HEADER_OK);
    assert_int_equal(jpeg.jpeg_color_space, JCS_YCbCr);
    assert_int_equal(jpeg.data_precision, 8);
    assert_int_equal(jpeg.comp_info[0].h_samp_factor, 1);
    jpeg_start_decompress(&jpeg);
    struct pixels pixels = {(int)jpeg.output_width, (int)jpeg.output_height, NULL};
    size_t line = (size_t)pixels.width * 3;
    pixels.rgb = malloc(line * (size_t)pixels.height);
    while (jpeg.output_scanline < jpeg.output_height) {
        JSAMPROW row = pixels.rgb + line * jpeg.output_scanline;
        jpeg_read_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_decompress(&jpeg);
    assert_int_equal(manager.num_warnings, 0);
    jpeg_destroy_decompress(&jpeg);
    return pixels;
}

/* --- tests ------------------------------------------------------------------------------------------------------- */

static const unsigned char *pixel(const struct pixels *pixels, int x, int y) {
    return pixels->rgb + 3 * ((size_t)y * (size_t)pixels->width + (size_t)x);
}

/* Mean difference of the channels between the middle of @shape and the whole of @picture, 0..255. */
static double difference(const struct pixels *shape, const struct pixels *picture) {
    int side = shape->width < shape->height ? shape->width : shape->height;
    int left = (shape->width - side) / 2, top = (shape->height - side) / 2;
    double sum = 0;
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            const unsigned char *a = pixel(shape, left + x, top + y);
            const unsigned char *b = pixel(picture, x * SIDE / side, y * SIDE / side);
            sum += abs(a[0] - b[0]) + abs(a[1] - b[1]) + abs(a[2] - b[2]);
        }
    }
    return sum / (3.0 * side * side);
}

static void test_shapes_have_the_exact_size_and_hold_the_whole_picture(void **state) {
    struct shop *shop = *state;
    for (int style = 0; style < RENDER_STYLE_COUNT; style++) {
        struct pixels picture = decode_jpeg(pictures[style].jpeg, pictures[style].jpeg_bytes);
        for (int shape = 0; shape < PICTURE_SHAPE_COUNT; shape++) {
            char file[32];
            int width, height;
            shape_file_name(render_style_name((enum render_style)style), (enum picture_shape)shape, file);
            picture_shape_size((enum picture_shape)shape, &width, &height);
            struct answer answer = ask(shop, file, false);
            assert_int_equal(answer.status, 200);
            assert_true(answer.bytes <= RENDER_JPEG_MAX_BYTES);
            struct pixels pixels = decode_jpeg(answer.body, answer.bytes);
            assert_int_equal(pixels.width, width);
            assert_int_equal(pixels.height, height);
            assert_true(difference(&pixels, &picture) < (shape == PICTURE_WIDE ? 12 : 2));
            free(pixels.rgb);
            free(answer.body);
        }
        free(picture.rgb);
    }
}

/* Beyond the picture its ground goes on: no bar of another colour. */
static void test_shapes_beyond_the_picture_have_its_ground(void **state) {
    struct shop *shop = *state;
    for (int style = 0; style < RENDER_STYLE_COUNT; style++) {
        char file[32];
        shape_file_name(render_style_name((enum render_style)style), PICTURE_VIDEO, file);
        struct answer answer = ask(shop, file, false);
        struct pixels pixels = decode_jpeg(answer.body, answer.bytes);
        int edge = (pixels.width - pixels.height) / 2;
        double sum = 0;
        for (int y = 0; y < pixels.height; y++) {
            for (int i = 0; i < 3; i++) {
                sum += abs(pixel(&pixels, 0, y)[i] - pixel(&pixels, edge + 1, y)[i]);
            }
        }
        assert_true(sum / (3.0 * pixels.height) < 4);
        free(pixels.rgb);
        free(answer.body);
    }
}

static bool file_exists(const struct shop *shop, const char *file, struct stat *ret_found) {
    char path[160];
    snprintf(path, sizeof(path), "%s/" KEY "/%s", shop->folder, file);
    return stat(path, ret_found) == 0;
}

static void test_shape_is_made_at_the_first_request_and_kept(void **state) {
    struct shop *shop = *state;
    struct stat before, after;
    assert_false(file_exists(shop, "fancy.wide.jpg", &before));
    struct answer answer = ask(shop, "fancy.wide.jpg", true);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.bytes, 0);
    assert_true(file_exists(shop, "fancy.wide.jpg", &before));
    answer = ask(shop, "fancy.wide.jpg", false);
    assert_int_equal(answer.bytes, before.st_size);
    free(answer.body);
    assert_true(file_exists(shop, "fancy.wide.jpg", &after));
    assert_int_equal(before.st_ino, after.st_ino);
    answer = ask(shop, "fancy.square.jpg", false); /* the picture's own JPEG */
    assert_int_equal(answer.bytes, pictures[RENDER_FANCY].jpeg_bytes);
    assert_memory_equal(answer.body, pictures[RENDER_FANCY].jpeg, answer.bytes);
    assert_false(file_exists(shop, "fancy.square.jpg", &after));
    free(answer.body);
}

static void test_shape_of_a_broken_picture_is_unavailable(void **state) {
    struct shop *shop = *state;
    struct stat found;
    put_picture(shop, "simple.png", pictures[0].png, pictures[0].png_bytes / 2);
    struct answer answer = ask(shop, "simple.video.jpg", false);
    assert_int_equal(answer.status, 503);
    assert_false(file_exists(shop, "simple.video.jpg", &found));
    free(answer.body);
    put_picture(shop, "simple.png", pictures[0].png, pictures[0].png_bytes);
    answer = ask(shop, "simple.video.jpg", false);
    assert_int_equal(answer.status, 200);
    free(answer.body);
}

#define VISITORS 12

static void *visit(void *arg) {
    struct answer answer = ask(arg, "trendy.portrait.jpg", false);
    bool whole = answer.status == 200 && answer.bytes > 2 && answer.body[answer.bytes - 1] == 0xD9;
    free(answer.body);
    return whole ? arg : NULL;
}

static void test_shape_asked_for_by_many_is_whole_for_each(void **state) {
    pthread_t threads[VISITORS];
    for (int i = 0; i < VISITORS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, visit, *state), 0);
    }
    for (int i = 0; i < VISITORS; i++) {
        void *whole = NULL;
        pthread_join(threads[i], &whole);
        assert_non_null(whole);
    }
}

/* --- the maker --------------------------------------------------------------------------------------------------- */

struct waiting {
    struct shape_request request; /* first: on_shape is given its address */
    const struct shop *shop;
    pthread_mutex_t *lock;
    unsigned *answered;
    ino_t file; /* when it was answered; 0: there was none */
};

static void note_answer(struct shape_request *request) {
    struct waiting *waiting = (struct waiting *)(void *)request;
    struct stat found;
    waiting->file = request->made && file_exists(waiting->shop, "simple.wide.jpg", &found) ? found.st_ino : 0;
    pthread_mutex_lock(waiting->lock);
    (*waiting->answered)++;
    pthread_mutex_unlock(waiting->lock);
}

static struct shape_request request_for(const char *style, enum picture_shape shape) {
    return (struct shape_request){.key = KEY, .style = style, .shape = shape, .on_shape = note_answer};
}

/* More requests than may wait: some are refused, and all that were taken are answered, before the maker has stopped.
 * The first makes the file, and no other makes it anew. */
static void test_shape_maker_answers_all_that_it_took_and_makes_one_file(void **state) {
    struct shop *shop = *state;
    struct shape_maker *maker = NULL;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    unsigned answered = 0, taken = 0, before_stop = 0;
    static struct waiting all[SHAPE_MAKER_WAITING_MAX * 4];
    assert_int_equal(shape_maker_start(shop->folder, &maker, NULL), HERALD_OK);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        all[taken] = (struct waiting){request_for("simple", PICTURE_WIDE), shop, &lock, &answered, 0};
        taken += shape_maker_ask(maker, &all[taken].request);
    }
    assert_true(taken >= SHAPE_MAKER_WAITING_MAX && taken < sizeof(all) / sizeof(all[0]));
    while (before_stop < 5) {
        pthread_mutex_lock(&lock);
        before_stop = answered;
        pthread_mutex_unlock(&lock);
    }
    shape_maker_stop(maker);
    assert_int_equal(answered, taken);
    for (unsigned i = 0; i < taken; i++) {
        assert_true(all[i].file == all[0].file || (i >= before_stop && all[i].file == 0));
    }
    assert_true(all[0].file != 0);
    struct waiting late = {request_for("simple", PICTURE_WIDE), shop, &lock, &answered, 0};
    assert_false(shape_maker_ask(maker, &late.request));
    shape_maker_free(maker);
}

#define SHAPE_TEST(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int main(void) {
    const struct CMUnitTest tests[] = {
        SHAPE_TEST(test_shapes_have_the_exact_size_and_hold_the_whole_picture),
        SHAPE_TEST(test_shapes_beyond_the_picture_have_its_ground),
        SHAPE_TEST(test_shape_is_made_at_the_first_request_and_kept),
        SHAPE_TEST(test_shape_of_a_broken_picture_is_unavailable),
        SHAPE_TEST(test_shape_asked_for_by_many_is_whole_for_each),
        SHAPE_TEST(test_shape_maker_answers_all_that_it_took_and_makes_one_file),
    };
    curl_global_init(CURL_GLOBAL_ALL);
    int failed = cmocka_run_group_tests(tests, render_all, free_all);
    curl_global_cleanup();
    return failed;
}
