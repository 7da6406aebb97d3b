/* A machine without a font for Hangul: refused with words that help, never a picture of empty boxes. */
#include "server/content/render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/herald-no-font-XXXXXX";

static void test_check_fonts_without_hangul_says_what_to_install(void **state) {
    (void)state;
    struct herald_error error;
    assert_int_equal(render_check_fonts(&error), HERALD_FAILED_PRECONDITION);
    assert_string_equal(error.reason, "NO_HANGUL_FONT");
    assert_non_null(strstr(error.message, "fonts-nanum"));
}

static void test_render_without_hangul_is_a_failed_precondition(void **state) {
    (void)state;
    const struct render_input input = {"event", "", "", "shop", "", ""};
    struct render_picture picture;
    struct herald_error error;
    assert_int_equal(render_picture(&input, RENDER_SIMPLE, &picture, &error), HERALD_FAILED_PRECONDITION);
    assert_string_equal(error.reason, "NO_HANGUL_FONT");
}

int main(void) {
    char path[128];
    if (mkdtemp(folder) == NULL) {
        return EXIT_FAILURE;
    }
    snprintf(path, sizeof(path), "%s/fonts.conf", folder);
    FILE *file = fopen(path, "w");
    fprintf(file, "<?xml version=\"1.0\"?><!DOCTYPE fontconfig SYSTEM \"urn:fontconfig:fonts.dtd\"><fontconfig>"
                  "<dir>/usr/share/fonts/truetype/dejavu</dir></fontconfig>");
    fclose(file);
    setenv("FONTCONFIG_FILE", path, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_fonts_without_hangul_says_what_to_install),
        cmocka_unit_test(test_render_without_hangul_is_a_failed_precondition),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(folder);
    return failed;
}
