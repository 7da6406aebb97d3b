/* Finished pictures: stored whole, served exactly, and nothing else served. */
#include "server/content/picture_server.h"
#include "server/content/picture_store.h"

#include <curl/curl.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define JOB "0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e" /* as the folders of pictures made before keys */
#define KEY "7a7ab0184bf4b3bb89e685b90f7f9cdd"

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/herald-pictures-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

/* --- the store --------------------------------------------------------------------------------------------------- */

static void assert_holds(const char *file, const char *expected) {
    size_t bytes = 0;
    char text[64] = "";
    int fd = picture_store_open(folder, JOB, file, &bytes);
    assert_true(fd >= 0);
    assert_int_equal(bytes, strlen(expected));
    assert_int_equal(read(fd, text, sizeof(text) - 1), (ssize_t)bytes);
    assert_string_equal(text, expected);
    close(fd);
}

static int count_files(void) {
    char path[128];
    int count = 0;
    snprintf(path, sizeof(path), "%s/%s", folder, JOB);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(dir);
    return count;
}

static void test_store_write_replaces_and_leaves_nothing_beside(void **state) {
    (void)state;
    assert_int_equal(picture_store_write(folder, JOB, "simple.png", "one", 3, NULL), HERALD_OK);
    assert_holds("simple.png", "one");
    assert_int_equal(picture_store_write(folder, JOB, "simple.png", "other", 5, NULL), HERALD_OK);
    assert_holds("simple.png", "other");
    assert_int_equal(count_files(), 1);
}

static void test_store_write_without_folder_is_unavailable(void **state) {
    (void)state;
    struct herald_error error;
    char path[128];
    snprintf(path, sizeof(path), "%s/missing", folder);
    assert_int_equal(picture_store_write(path, JOB, "simple.png", "one", 3, &error), HERALD_UNAVAILABLE);
    assert_string_equal(error.reason, "PICTURE_NOT_STORED");
    assert_non_null(strstr(error.message, path));
}

static void test_store_write_that_fails_leaves_nothing_beside(void **state) {
    (void)state;
    char path[192];
    struct herald_error error;
    assert_int_equal(picture_store_write(folder, JOB, "simple.png", "one", 3, NULL), HERALD_OK);
    /* A name that cannot be replaced stands for any failure of the last step. */
    snprintf(path, sizeof(path), "%s/%s/fancy.png", folder, JOB);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(picture_store_write(folder, JOB, "fancy.png", "two", 3, &error), HERALD_UNAVAILABLE);
    assert_string_equal(error.reason, "PICTURE_NOT_STORED");
    assert_holds("simple.png", "one");
    assert_int_equal(count_files(), 2);
}

static void test_store_prepare_makes_parents(void **state) {
    (void)state;
    char path[128];
    struct stat found;
    snprintf(path, sizeof(path), "%s/a/b/c", folder);
    assert_int_equal(picture_store_prepare(path, NULL), HERALD_OK);
    assert_int_equal(picture_store_prepare(path, NULL), HERALD_OK);
    assert_int_equal(stat(path, &found), 0);
}

static void test_store_prepare_over_a_file_is_a_failed_precondition(void **state) {
    (void)state;
    char path[128];
    struct herald_error error;
    snprintf(path, sizeof(path), "%s/file", folder);
    close(open(path, O_CREAT | O_WRONLY, 0644));
    assert_int_equal(picture_store_prepare(path, &error), HERALD_FAILED_PRECONDITION);
    assert_non_null(strstr(error.message, "content.dir"));
    strcat(path, "/below");
    assert_int_equal(picture_store_prepare(path, &error), HERALD_FAILED_PRECONDITION);
    assert_int_equal(picture_store_prepare("", &error), HERALD_FAILED_PRECONDITION);
}

#define DAY_S INT64_C(86400)

/* Makes a folder of pictures, last written or wanted so many days ago. */
static void make_pictures_of(const char *key, int days) {
    char path[160];
    assert_int_equal(picture_store_write(folder, key, "simple.png", "one", 3, NULL), HERALD_OK);
    assert_int_equal(picture_store_write(folder, key, "simple.jpg", "two", 3, NULL), HERALD_OK);
    snprintf(path, sizeof(path), "%s/%s", folder, key);
    const struct timespec times[2] = {{.tv_sec = time(NULL) - days * DAY_S}, {.tv_sec = time(NULL) - days * DAY_S}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool has_pictures(const char *key) {
    size_t bytes;
    int fd = picture_store_open(folder, key, "simple.png", &bytes);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

/* Returns: how many folders have gone; @ret_batches in how many batches */
static unsigned prune_older_than(int days, unsigned *ret_batches) {
    struct picture_pruning pruning = {.path = folder, .before_s = time(NULL) - days * DAY_S};
    *ret_batches = 0;
    do {
        assert_int_equal(picture_store_prune(&pruning, NULL), HERALD_OK);
        (*ret_batches)++;
    } while (pruning.dir != NULL);
    return pruning.deleted;
}

static int count_entries(void) {
    int count = -2;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

static void test_store_prune_deletes_what_is_old_and_nothing_else(void **state) {
    (void)state;
    unsigned batches;
    make_pictures_of(KEY, 11);
    make_pictures_of(JOB, 9);
    make_pictures_of("not-of-herald", 11);
    make_pictures_of(".gone.8a7ab0184bf4b3bb89e685b90f7f9cdd", 11); /* of a process that died at it */
    assert_int_equal(prune_older_than(10, &batches), 2);
    assert_false(has_pictures(KEY));
    assert_true(has_pictures(JOB));
    assert_true(has_pictures("not-of-herald"));
    assert_int_equal(count_entries(), 2);
    assert_int_equal(prune_older_than(8, &batches), 1);
    assert_false(has_pictures(JOB));
}

static void test_store_prune_works_in_small_batches(void **state) {
    (void)state;
    unsigned batches;
    char key[33];
    for (unsigned i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "7a7ab0184bf4b3bb89e685b90f%06x", i);
        make_pictures_of(key, 11);
    }
    assert_int_equal(prune_older_than(10, &batches), 100);
    assert_true(batches >= 4);
    assert_int_equal(count_entries(), 0);
}

static void test_store_keeps_what_is_wanted_or_written_anew(void **state) {
    (void)state;
    unsigned batches;
    make_pictures_of(KEY, 11);
    make_pictures_of(JOB, 11);
    picture_store_note_use(folder, KEY);
    assert_int_equal(picture_store_write(folder, JOB, "fancy.png", "new", 3, NULL), HERALD_OK);
    assert_int_equal(prune_older_than(10, &batches), 0);
    assert_true(has_pictures(KEY));
    assert_true(has_pictures(JOB));
}

static void test_store_prune_without_folder_is_unavailable(void **state) {
    (void)state;
    struct herald_error error;
    char path[128];
    snprintf(path, sizeof(path), "%s/missing", folder);
    struct picture_pruning pruning = {.path = path};
    assert_int_equal(picture_store_prune(&pruning, &error), HERALD_UNAVAILABLE);
    assert_non_null(strstr(error.message, path));
    assert_null(pruning.dir);
}

/* What happens just before, and just after, a folder that was found old is taken away. */
static void (*before_taking)(void), (*after_taking)(void);

/* Stands in for the one of libc. */
int rename(const char *from, const char *to) { /* NOLINT: libc names its parameters otherwise */
    bool takes = strstr(to, "/.gone.") != NULL;
    if (takes && before_taking != NULL) {
        before_taking();
    }
    int status = renameat(AT_FDCWD, from, AT_FDCWD, to);
    if (takes && after_taking != NULL) {
        after_taking();
    }
    return status;
}

static void store_trendy(void) {
    assert_int_equal(picture_store_write(folder, JOB, "trendy.png", "new", 3, NULL), HERALD_OK);
}

static void store_fancy(void) {
    assert_int_equal(picture_store_write(folder, JOB, "fancy.png", "newer", 5, NULL), HERALD_OK);
}

static void want_pictures(void) {
    picture_store_note_use(folder, JOB);
}

static void test_store_prune_gives_back_what_was_stored_or_wanted_at_the_last_moment(void **state) {
    (void)state;
    static const struct {
        void (*before)(void), (*after)(void);
    } rows[] = {{store_trendy, NULL}, {want_pictures, NULL}, {store_trendy, store_fancy}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned batches;
        make_pictures_of(JOB, 11);
        before_taking = rows[i].before;
        after_taking = rows[i].after;
        unsigned deleted = prune_older_than(10, &batches);
        before_taking = after_taking = NULL;
        assert_int_equal(deleted, 0);
        assert_holds("simple.png", "one");
        assert_int_equal(count_entries(), 1);
    }
    assert_holds("trendy.png", "new");
    assert_holds("fancy.png", "newer");
}

/* A hand that stores a picture while its folder, which is old, is being deleted: it goes on until it is stored. */
#define RACES 100

struct hand {
    pthread_barrier_t begin, end;
};

static void *store_in_races(void *arg) {
    struct hand *hand = arg;
    for (int i = 0; i < RACES; i++) {
        pthread_barrier_wait(&hand->begin);
        while (picture_store_write(folder, KEY, "trendy.png", "new", 3, NULL) != HERALD_OK) {
        }
        pthread_barrier_wait(&hand->end);
    }
    return NULL;
}

static void test_store_prune_deletes_nothing_that_was_just_stored(void **state) {
    (void)state;
    struct hand hand;
    pthread_t thread;
    char path[160];
    unsigned batches;
    size_t bytes;
    pthread_barrier_init(&hand.begin, NULL, 2);
    pthread_barrier_init(&hand.end, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, store_in_races, &hand), 0);
    snprintf(path, sizeof(path), "%s/%s/trendy.png", folder, KEY);
    for (int i = 0; i < RACES; i++) {
        (void)unlink(path);
        make_pictures_of(KEY, 11);
        pthread_barrier_wait(&hand.begin);
        (void)prune_older_than(10, &batches);
        pthread_barrier_wait(&hand.end);
        int fd = picture_store_open(folder, KEY, "trendy.png", &bytes);
        assert_true(fd >= 0);
        close(fd);
    }
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&hand.begin);
    pthread_barrier_destroy(&hand.end);
    assert_int_equal(count_entries(), 1);
}

/* --- the server -------------------------------------------------------------------------------------------------- */

struct answer {
    long status;
    char type[64], headers[2048], body[256];
    size_t body_bytes;
};

static size_t on_body(char *data, size_t size, size_t count, void *user) {
    struct answer *answer = user;
    size_t bytes = size * count, room = sizeof(answer->body) - answer->body_bytes;
    memcpy(answer->body + answer->body_bytes, data, bytes < room ? bytes : room);
    answer->body_bytes += bytes;
    return bytes;
}

static size_t on_header(char *data, size_t size, size_t count, void *user) {
    struct answer *answer = user;
    size_t length = strlen(answer->headers), bytes = size * count;
    if (length + bytes < sizeof(answer->headers)) {
        memcpy(answer->headers + length, data, bytes);
    }
    return bytes;
}

static struct answer ask(struct picture_server *server, const char *method, const char *path) {
    struct answer answer = {0};
    char url[512];
    const char *type = NULL;
    CURL *easy = curl_easy_init();
    snprintf(url, sizeof(url), "%s%s", picture_server_url(server), path);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, 10L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(easy, CURLOPT_NOBODY, strcmp(method, "HEAD") == 0 ? 1L : 0L);
    if (strcmp(method, "POST") == 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "body");
    }
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &answer);
    curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
    snprintf(answer.type, sizeof(answer.type), "%s", type != NULL ? type : "");
    curl_easy_cleanup(easy);
    return answer;
}

static struct picture_server *serve(void) {
    struct picture_server *server = NULL;
    assert_int_equal(picture_store_write(folder, JOB, "simple.png", "a png", 5, NULL), HERALD_OK);
    assert_int_equal(picture_store_write(folder, JOB, "trendy.jpg", "a jpeg", 6, NULL), HERALD_OK);
    assert_int_equal(picture_store_write(folder, KEY, "simple.jpg", "jpeg of a key", 13, NULL), HERALD_OK);
    assert_int_equal(picture_server_start("http://127.0.0.1:0", folder, false, &server, NULL), HERALD_OK);
    return server;
}

static void test_server_get_and_head_answer_a_picture(void **state) {
    (void)state;
    struct picture_server *server = serve();
    struct answer answer = ask(server, "GET", "/content/" JOB "/simple.png");
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.type, "image/png");
    assert_int_equal(answer.body_bytes, 5);
    assert_memory_equal(answer.body, "a png", 5);
    assert_non_null(strcasestr(answer.headers, "x-content-type-options: nosniff"));
    answer = ask(server, "GET", "/content/" JOB "/trendy.jpg");
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.type, "image/jpeg");
    answer = ask(server, "GET", "/content/" KEY "/simple.jpg");
    assert_int_equal(answer.status, 200);
    assert_memory_equal(answer.body, "jpeg of a key", 13);
    answer = ask(server, "HEAD", "/content/" JOB "/simple.png");
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body_bytes, 0);
    assert_non_null(strcasestr(answer.headers, "content-length: 5"));
    picture_server_stop(server);
}

static void test_server_keeps_pictures_that_are_asked_for(void **state) {
    (void)state;
    unsigned batches;
    struct picture_server *server = serve();
    make_pictures_of(JOB, 11);
    make_pictures_of(KEY, 11);
    assert_int_equal(ask(server, "GET", "/content/" JOB "/simple.png").status, 200);
    assert_int_equal(prune_older_than(10, &batches), 1);
    assert_int_equal(ask(server, "GET", "/content/" JOB "/simple.png").status, 200);
    assert_int_equal(ask(server, "GET", "/content/" KEY "/simple.jpg").status, 404);
    picture_server_stop(server);
}

static void test_server_other_paths_are_not_found(void **state) {
    (void)state;
    static const char *const PATHS[] = {
        "/",
        "/content",
        "/content/",
        "/content/" JOB,
        "/content/" JOB "/",
        "/content/" JOB "/fancy.png", /* not there yet */
        "/content/" JOB "/simple.gif",
        "/content/" JOB "/simple.round.jpg",
        "/content/" JOB "/simple.wide.png",
        "/content/" JOB "/simple.wide.jpg.jpg",
        "/content/" JOB "/simplewide.jpg",
        "/content/" KEY "/fancy.wide.jpg", /* no PNG to make it from */
        "/content/" KEY "0/simple.jpg",
        "/content/7A7AB0184BF4B3BB89E685B90F7F9CDD/simple.jpg",
        "/content/" JOB "/simple.png/",
        "/content/" JOB "/.simple.png.1",
        "/content/" JOB "/../" JOB "/simple.png",
        "/content/../../../../../../etc/passwd",
        "/content/%2e%2e/%2e%2e/etc/passwd",
        "/content/" JOB "/%2e%2e/%2e%2e/etc/passwd",
        "/content/" JOB "%2fsimple.png%00.jpg",
        "/content//" JOB "/simple.png",
        "/content/0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5f/simple.png",
        "/content/................................../simple.png",
    };
    struct picture_server *server = serve();
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
        assert_int_equal(ask(server, "GET", PATHS[i]).status, 404);
    }
    picture_server_stop(server);
}

static void test_server_symbolic_link_is_not_followed(void **state) {
    (void)state;
    char path[192];
    struct picture_server *server = serve();
    snprintf(path, sizeof(path), "%s/%s/fancy.png", folder, JOB);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(ask(server, "GET", "/content/" JOB "/fancy.png").status, 404);
    picture_server_stop(server);
}

static void test_server_other_methods_are_refused(void **state) {
    (void)state;
    static const char *const METHODS[] = {"POST", "PUT", "DELETE", "OPTIONS"};
    struct picture_server *server = serve();
    for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++) {
        struct answer answer = ask(server, METHODS[i], "/content/" JOB "/simple.png");
        assert_int_equal(answer.status, 405);
        assert_non_null(strcasestr(answer.headers, "allow: GET, HEAD"));
    }
    assert_holds("simple.png", "a png");
    picture_server_stop(server);
}

static void test_server_bad_url_is_an_invalid_argument(void **state) {
    (void)state;
    static const char *const BAD[] = {"",
                                      "127.0.0.1:7104",
                                      "https://127.0.0.1:7104",
                                      "http://127.0.0.1",
                                      "http://127.0.0.1:",
                                      "http://:7104",
                                      "http://127.0.0.1:99999",
                                      "http://127.0.0.1:7104/pictures"};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct picture_server *server = NULL;
        struct herald_error error;
        assert_int_equal(picture_server_start(BAD[i], folder, false, &server, &error), HERALD_INVALID_ARGUMENT);
        assert_non_null(strstr(error.message, "content.url"));
        assert_null(server);
    }
}

static void test_server_beyond_loopback_needs_insecure(void **state) {
    (void)state;
    struct picture_server *server = NULL;
    struct herald_error error;
    assert_int_equal(picture_server_start("http://0.0.0.0:0", folder, false, &server, &error),
                     HERALD_PERMISSION_DENIED);
    assert_non_null(strstr(error.message, "insecure = true"));
    assert_int_equal(picture_server_start("http://0.0.0.0:0", folder, true, &server, &error), HERALD_OK);
    picture_server_stop(server);
}

static void test_server_port_in_use_is_unavailable(void **state) {
    (void)state;
    struct picture_server *server = serve(), *second = NULL;
    struct herald_error error;
    assert_int_equal(picture_server_start(picture_server_url(server), folder, false, &second, &error),
                     HERALD_UNAVAILABLE);
    assert_string_equal(error.reason, "CANNOT_LISTEN");
    assert_non_null(strstr(error.message, "content.url"));
    assert_null(second);
    picture_server_stop(server);
}

#define PICTURES_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        PICTURES_TEST(test_store_write_replaces_and_leaves_nothing_beside),
        PICTURES_TEST(test_store_write_without_folder_is_unavailable),
        PICTURES_TEST(test_store_write_that_fails_leaves_nothing_beside),
        PICTURES_TEST(test_store_prepare_makes_parents),
        PICTURES_TEST(test_store_prepare_over_a_file_is_a_failed_precondition),
        PICTURES_TEST(test_store_prune_deletes_what_is_old_and_nothing_else),
        PICTURES_TEST(test_store_prune_works_in_small_batches),
        PICTURES_TEST(test_store_keeps_what_is_wanted_or_written_anew),
        PICTURES_TEST(test_store_prune_without_folder_is_unavailable),
        PICTURES_TEST(test_store_prune_gives_back_what_was_stored_or_wanted_at_the_last_moment),
        PICTURES_TEST(test_store_prune_deletes_nothing_that_was_just_stored),
        PICTURES_TEST(test_server_get_and_head_answer_a_picture),
        PICTURES_TEST(test_server_keeps_pictures_that_are_asked_for),
        PICTURES_TEST(test_server_other_paths_are_not_found),
        PICTURES_TEST(test_server_symbolic_link_is_not_followed),
        PICTURES_TEST(test_server_other_methods_are_refused),
        PICTURES_TEST(test_server_bad_url_is_an_invalid_argument),
        PICTURES_TEST(test_server_beyond_loopback_needs_insecure),
        PICTURES_TEST(test_server_port_in_use_is_unavailable),
    };
    curl_global_init(CURL_GLOBAL_ALL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
