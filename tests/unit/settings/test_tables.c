/* The tables of all rooms' settings and failpoints. */
#include "server/programs/failpoints.h"
#include "server/programs/settings.h"
#include "server/settings/table.h"
#include "tests/unit/runtime/run.h"

#include <stdio.h>
#include <string.h>

static bool is_one_of(const char *choices, const char *text) {
    char list[256], item[128];
    (void)snprintf(list, sizeof(list), "|%s|", choices);
    (void)snprintf(item, sizeof(item), "|%s|", text);
    return strchr(text, '|') == NULL && strstr(list, item) != NULL;
}

static bool default_is_good(const struct setting_row *row) {
    switch (row->kind) {
    case SETTING_IS_UINT:
        return (row->min <= row->default_ || row->min == SETTING_OR_AUTO) && row->default_ <= row->max;
    case SETTING_IS_BOOL:
        return row->default_ <= 1;
    case SETTING_IS_CHOICE:
        return is_one_of(row->choices, row->default_text);
    case SETTING_IS_STRING:
    case SETTING_IS_SECRET:
        return row->default_text != NULL;
    }
    return false;
}

static void test_tables_each_setting_has_a_good_default_and_help(void **state) {
    (void)state;
    assert_true(all_settings.row_count > 0);
    for (size_t i = 0; i < all_settings.row_count; i++) {
        const struct setting_row *row = &all_settings.rows[i];
        if (!default_is_good(row)) {
            fail_msg("[%s] %s: its default is out of its range or choices", row->section, row->key);
        }
        if (row->doc == NULL || row->doc[0] == '\0') {
            fail_msg("[%s] %s: no help", row->section, row->key);
        }
    }
}

static void test_tables_each_setting_is_there_once(void **state) {
    (void)state;
    for (size_t i = 0; i < all_settings.row_count; i++) {
        const struct setting_row *row = &all_settings.rows[i];
        for (size_t j = 0; j < i; j++) {
            const struct setting_row *other = &all_settings.rows[j];
            if (strcmp(row->section, other->section) == 0 && strcmp(row->key, other->key) == 0) {
                fail_msg("[%s] %s is there twice", row->section, row->key);
            }
        }
    }
}

static void test_tables_each_failpoint_has_a_name_of_its_own(void **state) {
    (void)state;
    const char *names[128];
    unsigned count = 0;
    for (struct failpoint *const *const *table = all_failpoints; *table != NULL; table++) {
        for (struct failpoint *const *point = *table; *point != NULL; point++) {
            assert_true(count < sizeof(names) / sizeof(names[0]));
            assert_true((*point)->about[0] != '\0' && (*point)->allowed != 0);
            for (unsigned i = 0; i < count; i++) {
                assert_string_not_equal((*point)->name, names[i]);
            }
            names[count++] = (*point)->name;
        }
    }
    assert_int_equal(count > 0, HERALD_FAILPOINTS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_each_setting_has_a_good_default_and_help),
        cmocka_unit_test(test_tables_each_setting_is_there_once),
        cmocka_unit_test(test_tables_each_failpoint_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests_name("settings.tables", tests, NULL, NULL);
}
