/* What the libraries under libpq do by themselves in each process, and Herald has them leave. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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
        cmocka_unit_test(test_libpq_start_gnutls_is_told_to_wait),
    };
    return cmocka_run_group_tests_name("unit.db.libpq_start", tests, NULL, NULL);
}
