/* What the libraries under libpq do by themselves in each process, or on each connection, and Herald has them leave. */
#include "server/store/postgres/dsn.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *gssencmode_of(const char *dsn) {
    PQconninfoOption *parsed = PQconninfoParse(dsn, NULL);
    assert_non_null(parsed);
    const char *mode = db_dsn_gssencmode(parsed);
    PQconninfoFree(parsed);
    return mode;
}

static int forget_names(void **state) {
    (void)state;
    return unsetenv("PGSERVICE") || unsetenv("PGGSSENCMODE");
}

static void test_libpq_start_no_kerberos_unless_it_may_be_named(void **state) {
    (void)state;
    assert_string_equal(gssencmode_of("host=db user=herald"), "disable");
    assert_null(gssencmode_of("service=herald"));
    assert_int_equal(setenv("PGSERVICE", "herald", 1), 0);
    assert_null(gssencmode_of("host=db user=herald"));
    (void)forget_names(state);
    assert_int_equal(setenv("PGGSSENCMODE", "prefer", 1), 0);
    assert_null(gssencmode_of("host=db user=herald"));
}

/* GnuTLS calls the function of this name that the program shows it; without one, its own, which returns 0. */
static void test_libpq_start_gnutls_is_told_to_wait(void **state) {
    (void)state;
    union {
        void *symbol;
        int (*function)(void);
    } skip = {.symbol = dlsym(RTLD_DEFAULT, "_gnutls_global_init_skip")};
    assert_non_null(skip.symbol);
    assert_int_equal(skip.function(), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_libpq_start_no_kerberos_unless_it_may_be_named, forget_names,
                                        forget_names),
        cmocka_unit_test(test_libpq_start_gnutls_is_told_to_wait),
    };
    return cmocka_run_group_tests_name("unit.db.libpq_start", tests, NULL, NULL);
}
