#include "server/runtime/coroutine.h"
#include "tests/unit/runtime/run.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEEP_BYTES (64u << 10)
#define KEPT_BYTES 3000u

struct diver {
    struct coroutine coroutine;
    bool kept;
};

static __attribute__((noinline)) void touch_deep_stack(void) {
    volatile char deep[DEEP_BYTES];
    for (size_t i = 0; i < sizeof(deep); i++) {
        deep[i] = (char)i;
    }
}

static void dive_and_suspend(void *arg) {
    struct diver *diver = arg;
    volatile char kept[KEPT_BYTES];
    for (size_t i = 0; i < sizeof(kept); i++) {
        kept[i] = (char)(i * 7);
    }
    touch_deep_stack();
    coroutine_suspend(&diver->coroutine);
    diver->kept = true;
    for (size_t i = 0; i < sizeof(kept); i++) {
        diver->kept = diver->kept && kept[i] == (char)(i * 7);
    }
    touch_deep_stack();
}

static size_t resident_pages(const struct coroutine *coroutine) {
    unsigned char pages[1024];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = coroutine->mapping_bytes / page, resident = 0;
    assert_in_range(count, 1, sizeof(pages));
    assert_int_equal(mincore(coroutine->mapping, coroutine->mapping_bytes, pages), 0);
    for (size_t i = 0; i < count; i++) {
        resident += pages[i] & 1u;
    }
    return resident;
}

static void test_coroutine_trim_keeps_its_frames_and_gives_back_the_rest(void **state) {
    (void)state;
    struct diver diver = {.kept = false};
    assert_true(coroutine_init(&diver.coroutine));
    coroutine_start(&diver.coroutine, dive_and_suspend, &diver);
    coroutine_resume(&diver.coroutine);
    size_t deep_pages = DEEP_BYTES / (size_t)sysconf(_SC_PAGESIZE), before = resident_pages(&diver.coroutine);
    assert_true(before >= deep_pages);
    coroutine_trim(&diver.coroutine);
    if (coroutine_stack_bytes() <= 256u << 10) { /* sanitizers have larger stacks, which are not trimmed */
        assert_true(resident_pages(&diver.coroutine) + deep_pages <= before + 1);
    }
    coroutine_resume(&diver.coroutine);
    assert_true(diver.coroutine.ended);
    assert_true(diver.kept);
    coroutine_fini(&diver.coroutine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coroutine_trim_keeps_its_frames_and_gives_back_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
