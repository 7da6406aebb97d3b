#include "cmocka_headers.h"
#include "server/transport/peers.h"

/* Who has a place among a listener's connections, who makes way, who is let in to be refused: on a clock of the test's
 * own. */

#define SECOND_US UINT64_C(1000000)
#define MS_US     UINT64_C(1000)
#define START_US  (100 * SECOND_US)
#define LIMIT     2u
#define DUE_MOST  64u

static int set_up(void **state) {
    static struct peers peers;
    peers_init(&peers, NULL);
    *state = &peers;
    return 0;
}

static int tear_down(void **state) {
    peers_fini(*state);
    return 0;
}

/* Nobody has to make way for it. */
static void add(struct peers *peers, uint32_t id, uint64_t now_us, enum peers_place expected) {
    uint32_t evicted = 99;
    assert_int_equal(peers_add(peers, id, LIMIT, now_us, &evicted), expected);
    assert_int_equal(evicted, 0);
}

static void ask(struct peers *peers, uint32_t id, uint64_t now_us, enum peers_answer expected) {
    uint32_t evicted = 99;
    assert_int_equal(peers_ask(peers, id, LIMIT, now_us, &evicted), expected);
    assert_int_equal(evicted, 0);
}

static void expect_due(struct peers *peers, uint64_t now_us, size_t expected, uint32_t first) {
    uint32_t ids[DUE_MOST] = {0};
    assert_int_equal(peers_take_due(peers, now_us, ids, DUE_MOST), expected);
    if (expected > 0) {
        assert_int_equal(ids[0], first);
    }
}

/* Two connections that have asked, 1 and 2. */
static void fill(struct peers *peers) {
    for (uint32_t id = 1; id <= LIMIT; id++) {
        add(peers, id, START_US, PEERS_TAKEN);
        peers_touch(peers, id, START_US);
    }
}

static void test_peers_beyond_limit_are_extra_then_turned_away(void **state) {
    struct peers *peers = *state;
    unsigned extras = peers_extra_limit(LIMIT);
    fill(peers);
    for (uint32_t id = 10; id < 10 + extras; id++) {
        add(peers, id, START_US, PEERS_EXTRA);
    }
    add(peers, 10 + extras, START_US, PEERS_TURNED_AWAY);
    peers_remove(peers, 10); /* an extra place is free again */
    add(peers, 11 + extras, START_US, PEERS_EXTRA);
    peers_remove(peers, 1); /* a place is, and a new one takes it */
    add(peers, 12 + extras, START_US, PEERS_TAKEN);
    assert_int_equal(peers->count, LIMIT);
}

static void test_peers_extra_limit_is_bounded(void **state) {
    (void)state;
    assert_int_equal(peers_extra_limit(1), 16);
    assert_int_equal(peers_extra_limit(1024), 144);
    assert_int_equal(peers_extra_limit(65536), 1024);
}

static void test_peers_extra_gets_place_when_it_asks_and_there_is_room(void **state) {
    struct peers *peers = *state;
    fill(peers);
    add(peers, 3, START_US, PEERS_EXTRA);
    add(peers, 4, START_US, PEERS_EXTRA);
    ask(peers, 3, START_US, PEERS_REFUSE);
    ask(peers, 1, START_US, PEERS_SERVE);
    peers_remove(peers, 2);
    ask(peers, 4, START_US, PEERS_SERVE);
    ask(peers, 3, START_US, PEERS_REFUSE);
    assert_int_equal(peers->count, LIMIT);
    expect_due(peers, START_US + 60 * SECOND_US, 1, 3); /* the other one is none any more */
    peers_remove(peers, 4);
    assert_int_equal(peers->count, 1);
}

static void test_peers_long_silent_makes_way_for_an_extra_that_asks(void **state) {
    struct peers *peers = *state;
    uint32_t evicted = 0;
    fill(peers);
    add(peers, 3, START_US + 9 * SECOND_US, PEERS_EXTRA);
    ask(peers, 3, START_US + 9 * SECOND_US, PEERS_REFUSE);
    assert_int_equal(peers_ask(peers, 3, LIMIT, START_US + 10 * SECOND_US, &evicted), PEERS_SERVE);
    assert_int_equal(evicted, 1);
    assert_int_equal(peers->count, LIMIT);
}

static void test_peers_refused_extra_is_due_soon_after_its_last_question(void **state) {
    struct peers *peers = *state;
    fill(peers);
    add(peers, 3, START_US, PEERS_EXTRA);
    ask(peers, 3, START_US + 100 * MS_US, PEERS_REFUSE);
    ask(peers, 3, START_US + 250 * MS_US, PEERS_REFUSE);
    expect_due(peers, START_US + 449 * MS_US, 0, 0);
    expect_due(peers, START_US + 450 * MS_US, 1, 3);
    expect_due(peers, START_US + 60 * SECOND_US, 0, 0);    /* once */
    ask(peers, 3, START_US + 60 * SECOND_US, PEERS_SERVE); /* nobody is looked at while there are none */
    peers_remove(peers, 3);
    assert_int_equal(peers->count, LIMIT);
    assert_int_equal(atomic_load(&peers->extra_count), 0);
}

static void test_peers_extra_that_asks_on_and_on_is_due_after_five_seconds(void **state) {
    struct peers *peers = *state;
    fill(peers);
    add(peers, 3, START_US, PEERS_EXTRA);
    for (uint64_t ms = 0; ms < 5000; ms += 10) {
        ask(peers, 3, START_US + ms * MS_US, PEERS_REFUSE);
        expect_due(peers, START_US + ms * MS_US + 9 * MS_US, 0, 0);
    }
    expect_due(peers, START_US + 5 * SECOND_US, 1, 3);
}

static void test_peers_extra_that_asks_nothing_is_due_after_two_seconds(void **state) {
    struct peers *peers = *state;
    fill(peers);
    add(peers, 3, START_US, PEERS_EXTRA);
    add(peers, 4, START_US + SECOND_US, PEERS_EXTRA);
    expect_due(peers, START_US + 2 * SECOND_US - 1, 0, 0);
    expect_due(peers, START_US + 2 * SECOND_US, 1, 3);
    expect_due(peers, START_US + 3 * SECOND_US, 1, 4);
}

static void test_peers_busy_one_never_makes_way(void **state) {
    struct peers *peers = *state;
    struct peer_call calls[LIMIT] = {{.ticket = 0}};
    fill(peers);
    for (unsigned i = 0; i < LIMIT; i++) {
        assert_int_equal(peers_join(peers, &calls[i], i + 1, 0, &(struct peers_limits){.calls = 0}), PEERS_JOINED);
    }
    add(peers, 3, START_US + 3600 * SECOND_US, PEERS_EXTRA);
    ask(peers, 3, START_US + 3600 * SECOND_US, PEERS_REFUSE);
    for (unsigned i = 0; i < LIMIT; i++) {
        assert_false(peers_leave(peers, &calls[i]));
    }
}

static void test_peers_stranger_makes_way_before_who_has_asked(void **state) {
    struct peers *peers = *state;
    uint32_t evicted = 0;
    add(peers, 1, START_US, PEERS_TAKEN);
    peers_touch(peers, 1, START_US);
    add(peers, 2, START_US + SECOND_US, PEERS_TAKEN);
    add(peers, 3, START_US + 2 * SECOND_US, PEERS_EXTRA);
    assert_int_equal(peers_add(peers, 4, LIMIT, START_US + 3 * SECOND_US, &evicted), PEERS_TAKEN);
    assert_int_equal(evicted, 2);
    add(peers, 5, START_US + 4 * SECOND_US, PEERS_EXTRA);
    peers_touch(peers, 4, START_US + 4 * SECOND_US);
    assert_int_equal(peers_add(peers, 6, LIMIT, START_US + 10 * SECOND_US, &evicted), PEERS_TAKEN);
    assert_int_equal(evicted, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_peers_beyond_limit_are_extra_then_turned_away),
        TEST(test_peers_extra_limit_is_bounded),
        TEST(test_peers_extra_gets_place_when_it_asks_and_there_is_room),
        TEST(test_peers_long_silent_makes_way_for_an_extra_that_asks),
        TEST(test_peers_refused_extra_is_due_soon_after_its_last_question),
        TEST(test_peers_extra_that_asks_on_and_on_is_due_after_five_seconds),
        TEST(test_peers_extra_that_asks_nothing_is_due_after_two_seconds),
        TEST(test_peers_busy_one_never_makes_way),
        TEST(test_peers_stranger_makes_way_before_who_has_asked),
    };
    return cmocka_run_group_tests_name("rpc.peers", tests, NULL, NULL);
}
