#include "herald/utf8.h"
#include "server/runtime/arena.h"
#include "tests/unit/runtime/run.h"

#include <string.h>

static void test_arena_alloc_any_size_is_aligned_and_apart(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 0);
    unsigned char *previous = NULL;
    for (size_t bytes = 0; bytes < 5000; bytes += 7) {
        unsigned char *piece = arena_alloc(&arena, bytes);
        assert_non_null(piece);
        assert_int_equal((uintptr_t)piece % 16, 0);
        assert_ptr_not_equal(piece, previous);
        memset(piece, 0xa5, bytes);
        previous = piece;
    }
    arena_fini(&arena);
}

static void test_arena_alloc_up_to_cap_succeeds_beyond_fails_unchanged(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 1024);
    assert_non_null(arena_alloc(&arena, 1000)); /* counts 1008 */
    assert_int_equal(arena.used_bytes, 1008);
    assert_null(arena_alloc(&arena, 17));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_int_equal(arena.used_bytes, 1008);
    assert_non_null(arena_alloc(&arena, 16));
    assert_null(arena_alloc(&arena, 1));
    arena_fini(&arena);
}

static void test_arena_calloc_overflowing_product_fails(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    assert_null(arena_calloc(&arena, SIZE_MAX / 2, 3));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    unsigned char *zeros = arena_calloc(&arena, 100, 3);
    assert_non_null(zeros);
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(zeros[i], 0);
    }
    arena_fini(&arena);
}

static void test_arena_large_piece_leaves_room_in_first_block(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 0);
    char *small = arena_alloc(&arena, 16);
    assert_non_null(arena_alloc(&arena, 100000));
    char *next = arena_alloc(&arena, 16);
    assert_ptr_equal(next, small + 16);
    arena_fini(&arena);
}

static void test_arena_copies_text_and_formats(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 0);
    assert_null(arena_strdup(&arena, NULL));
    assert_null(arena_strndup(&arena, NULL, 3));
    assert_null(arena_memdup(&arena, NULL, 3));
    assert_string_equal(arena_strdup(&arena, "가게"), "가게");
    assert_string_equal(arena_strndup(&arena, "abcdef", 3), "abc");
    assert_string_equal(arena_strndup(&arena, "ab", 30), "ab");
    assert_string_equal(arena_printf(&arena, "%s-%d", "job", 7), "job-7");
    assert_memory_equal(arena_memdup(&arena, "a\0b", 3), "a\0b", 3);
    arena_fini(&arena);
}

static void test_arena_text_beyond_cap_fails(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 32);
    char text[64];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_null(arena_strdup(&arena, text));
    assert_null(arena_printf(&arena, "%s", text));
    assert_int_equal(arena.used_bytes, 0);
    arena_fini(&arena);
}

static void test_arena_protobuf_allocator_draws_on_arena_and_stops_at_cap(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 64);
    ProtobufCAllocator *allocator = &arena.protobuf;
    void *piece = allocator->alloc(allocator->allocator_data, 48);
    assert_non_null(piece);
    allocator->free(allocator->allocator_data, piece);
    assert_int_equal(arena.used_bytes, 48);
    assert_null(allocator->alloc(allocator->allocator_data, 32));
    arena_fini(&arena);
}

static void test_arena_fini_then_init_is_usable(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 64);
    assert_non_null(arena_alloc(&arena, 64));
    arena_fini(&arena);
    arena_init(&arena, 64);
    assert_non_null(arena_alloc(&arena, 64));
    arena_fini(&arena);
    arena_fini(&arena);
}

static void test_arena_full_names_the_setting(void **state) {
    (void)state;
    struct herald_error error;
    assert_int_equal(arena_full(&error, "a row of %d bytes", 9), HERALD_RESOURCE_EXHAUSTED);
    assert_string_equal(error.reason, "ARENA_FULL");
    assert_string_equal(error.message,
                        "the memory of the call (setting rpc.arena_bytes) does not suffice for a row of 9 bytes");
    assert_int_equal(arena_full(NULL, "a row"), HERALD_RESOURCE_EXHAUSTED);
    char text[1200];
    for (size_t i = 0; i + 1 < sizeof(text); i += 2) {
        memcpy(text + i, "\xc3\xa4", 2);
    }
    text[1198] = '\0';
    arena_full(&error, "%s", text);
    assert_true(herald_utf8_valid(error.message, strlen(error.message), NULL));
    arena_full(&error, "x%s", text);
    assert_true(herald_utf8_valid(error.message, strlen(error.message), NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_alloc_any_size_is_aligned_and_apart),
        cmocka_unit_test(test_arena_alloc_up_to_cap_succeeds_beyond_fails_unchanged),
        cmocka_unit_test(test_arena_calloc_overflowing_product_fails),
        cmocka_unit_test(test_arena_large_piece_leaves_room_in_first_block),
        cmocka_unit_test(test_arena_copies_text_and_formats),
        cmocka_unit_test(test_arena_text_beyond_cap_fails),
        cmocka_unit_test(test_arena_protobuf_allocator_draws_on_arena_and_stops_at_cap),
        cmocka_unit_test(test_arena_fini_then_init_is_usable),
        cmocka_unit_test(test_arena_full_names_the_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
