#include "tests/unit/rpc/cmocka_headers.h"
#include "tests/unit/rpc/fixture.h"
#include "tests/unit/rpc/hangup.h"
#include "tests/unit/transport/caller.h"
#include "tests/unit/transport/server_process.h"
#include "tests/unit/transport/stranger.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * Peers that lie about lengths and peers that stall, by the thousand, against a server in a process of its own: a
 * healthy client goes on calling, new ones are taken, memory stays bounded.
 */

#define LIARS       200u
#define STALLED_MAX 2000u
/* The default of rpc.max_connections: whoever has been silent the longest makes way for a new one. */
#define CONNECTIONS_MAX 1024u
#define OWN_DESCRIPTORS 200u
/* Who sends most of a large message, and those among them who send little and stay. */
#define LARGE_SENDERS 400u
#define LARGE_BYTES   (240u * 1024u)
#define ONE_STAYS_OF  10u

/* The default of rpc.max_message_bytes, and what the server reads beyond it to answer with an error. */
#define READ_LIMIT_BYTES (256u * 1024 + 1024u * 1024)

/* Memory that may come and go; sanitizers keep what is freed, and have shadows of it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GROWTH_MAX_KIB 600000
#else
#define GROWTH_MAX_KIB    64000
#define MEMORY_IS_TELLING 1
#endif

struct scene {
    struct server_process server;
    struct caller caller;
    int fds[STALLED_MAX];
    unsigned count;
    unsigned allowed; /* strangers that there are descriptors for */
    long resident_kib, virtual_kib;
};

static int set_up(void **state) {
    struct scene *scene = calloc(1, sizeof(*scene));
    unsigned descriptors = allow_descriptors(STALLED_MAX + OWN_DESCRIPTORS);
    scene->allowed = descriptors - OWN_DESCRIPTORS < STALLED_MAX ? descriptors - OWN_DESCRIPTORS : STALLED_MAX;
    server_process_start(&scene->server);
    caller_start(&scene->caller, scene->server.url);
    caller_expect_more(&scene->caller, 50); /* warm: pools are filled */
    scene->resident_kib = server_process_resident_kib(&scene->server);
    scene->virtual_kib = server_process_virtual_kib(&scene->server);
    *state = scene;
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;
    for (unsigned i = 0; i < scene->count; i++) {
        close(scene->fds[i]);
    }
    caller_stop(&scene->caller);
    server_process_stop(&scene->server);
    free(scene);
    return 0;
}

static int invite(struct scene *scene) {
    int fd = stranger_connect(scene->server.url);
    assert_true(fd >= 0);
    scene->fds[scene->count++] = fd;
    return fd;
}

static void invite_greeted(struct scene *scene, uint64_t claimed, size_t sent) {
    int fd = invite(scene);
    assert_true(stranger_greet(fd));
    stranger_send_frame(fd, scene->server.url, claimed, sent);
}

static bool is_answered(void *user) {
    struct scene *scene = user;
    return answers(scene->server.url, 10000);
}

/* The healthy go on, new ones are taken, soon at least, and memory has not grown. */
static void expect_health(struct scene *scene) {
    caller_expect_more(&scene->caller, 20);
    assert_true(eventually(is_answered, scene));
    long grown_kib = server_process_resident_kib(&scene->server) - scene->resident_kib;
    print_message("%u strangers: %ld KiB more\n", scene->count, grown_kib);
    if (grown_kib > GROWTH_MAX_KIB) {
        fail_msg("the server has grown by %ld KiB", grown_kib);
    }
}

static void expect_no_address_space_taken(struct scene *scene) {
#ifdef MEMORY_IS_TELLING
    long grown_kib = server_process_virtual_kib(&scene->server) - scene->virtual_kib;
    if (grown_kib > GROWTH_MAX_KIB * 4L) {
        fail_msg("the server has taken %ld KiB of address space for messages that never come", grown_kib);
    }
#else
    (void)scene;
#endif
}

static void expect_all_left(struct scene *scene) {
    for (unsigned i = 0; i < scene->count; i++) {
        if (!stranger_was_left(scene->fds[i], 20000)) {
            fail_msg("stranger %u still has its connection", i);
        }
    }
}

struct release {
    const struct server_process *server;
    unsigned descriptors;
};

static bool has_released(void *user) {
    struct release *release = user;
    return server_process_descriptors(release->server) <= release->descriptors;
}

static void test_strangers_claim_far_beyond_limit_are_cut_off(void **state) {
    struct scene *scene = *state;
    static const uint64_t CLAIMS[] = {UINT64_C(1) << 40, UINT64_C(1) << 63, UINT64_MAX, UINT64_C(64) << 20};
    for (unsigned i = 0; i < LIARS; i++) {
        invite_greeted(scene, CLAIMS[i % 4], 100);
    }
    expect_all_left(scene);
    expect_no_address_space_taken(scene);
    expect_health(scene);
}

static void test_strangers_claim_one_byte_beyond_limit_are_cut_off(void **state) {
    struct scene *scene = *state;
    for (unsigned i = 0; i < LIARS; i++) {
        invite_greeted(scene, READ_LIMIT_BYTES + 1, 4096);
    }
    expect_all_left(scene);
    expect_health(scene);
}

/* As long as they may be, and never sent: they cost what was sent of them. */
static void test_strangers_claim_the_limit_and_stall_cost_little(void **state) {
    struct scene *scene = *state;
    for (unsigned i = 0; i < LIARS; i++) {
        invite_greeted(scene, READ_LIMIT_BYTES, 4096);
    }
    expect_health(scene);
}

/* Memory that was claimed and given back is claimed again. */
static void test_strangers_claim_again_what_others_claimed_cost_little(void **state) {
    struct scene *scene = *state;
    struct release release = {&scene->server, server_process_descriptors(&scene->server) + 8};
    for (unsigned round = 0; round < 3; round++) {
        while (scene->count < LIARS) {
            invite_greeted(scene, READ_LIMIT_BYTES, 4096);
        }
        expect_health(scene);
        for (; scene->count > 0; scene->count--) {
            stranger_leave(scene->fds[scene->count - 1], STRANGER_RESETS);
        }
        assert_true(eventually(has_released, &release));
    }
}

/* nng closes them by itself after ten seconds. */
static void test_strangers_stall_in_greeting_by_the_thousand(void **state) {
    struct scene *scene = *state;
    while (scene->count < scene->allowed) {
        stranger_send(invite(scene), STRANGER_GREETING, 3);
    }
    expect_health(scene);
    expect_all_left(scene);
    expect_health(scene);
}

static void test_strangers_stall_in_message_by_the_thousand(void **state) {
    struct scene *scene = *state;
    while (scene->count < scene->allowed) {
        invite_greeted(scene, 1000, 500);
    }
    expect_health(scene);
    assert_true(server_process_descriptors(&scene->server) < CONNECTIONS_MAX + OWN_DESCRIPTORS);
}

static void test_strangers_say_nothing_by_the_thousand(void **state) {
    struct scene *scene = *state;
    while (scene->count < scene->allowed) {
        assert_true(stranger_greet(invite(scene)));
    }
    expect_health(scene);
}

static void test_strangers_that_leave_give_all_back(void **state) {
    struct scene *scene = *state;
    struct release release = {&scene->server, server_process_descriptors(&scene->server) + 8};
    while (scene->count < scene->allowed / 4) {
        invite_greeted(scene, 1000, 500);
    }
    for (; scene->count > 0; scene->count--) {
        stranger_leave(scene->fds[scene->count - 1], (enum stranger_leaving)(scene->count % STRANGER_LEAVINGS));
    }
    assert_true(eventually(has_released, &release));
    expect_health(scene);
}

/* Whole requests, whose senders are gone when they are read or answered. */
static void test_strangers_that_ask_and_leave_give_all_back(void **state) {
    static const char PROBE[] = "\x80\0\0\1herald.rpc.v1.Health/Check";
    struct scene *scene = *state;
    struct release release = {&scene->server, server_process_descriptors(&scene->server) + 8};
    for (unsigned i = 0; i < STALLED_MAX; i++) {
        uint8_t head[STRANGER_HEAD_MAX];
        int fd = stranger_connect(scene->server.url);
        assert_true(fd >= 0);
        assert_true(stranger_greet(fd));
        stranger_send(fd, head, stranger_frame_head(scene->server.url, sizeof(PROBE) - 1, head));
        stranger_send(fd, PROBE, sizeof(PROBE) - 1);
        stranger_leave(fd, (enum stranger_leaving)(i % STRANGER_LEAVINGS));
    }
    assert_true(eventually(has_released, &release));
    expect_health(scene);
}

#ifdef MEMORY_IS_TELLING
static bool has_taken_much(void *user) {
    struct scene *scene = user;
    return server_process_resident_kib(&scene->server) - scene->resident_kib >
           (long)(LARGE_SENDERS * LARGE_BYTES / 2048);
}

static bool has_shrunk(void *user) {
    struct scene *scene = user;
    return server_process_resident_kib(&scene->server) - scene->resident_kib <= GROWTH_MAX_KIB / 4;
}

/* What is freed between blocks that are kept goes back to the kernel, too. */
static void test_strangers_that_sent_much_and_left_give_memory_back(void **state) {
    static const uint8_t ZEROS[LARGE_BYTES];
    struct scene *scene = *state;
    while (scene->count < LARGE_SENDERS) {
        bool stays = scene->count % ONE_STAYS_OF == 0;
        invite_greeted(scene, LARGE_BYTES + 1000, 900);
        stranger_send(scene->fds[scene->count - 1], ZEROS, stays ? 2000 : LARGE_BYTES);
    }
    assert_true(eventually(has_taken_much, scene));
    for (unsigned i = 0; i < scene->count; i++) {
        if (i % ONE_STAYS_OF != 0) {
            stranger_leave(scene->fds[i], STRANGER_CLOSES);
            scene->fds[i] = -1;
        }
    }
    if (!eventually(has_shrunk, scene)) {
        fail_msg("the server keeps %ld KiB", server_process_resident_kib(&scene->server) - scene->resident_kib);
    }
}
#endif

static bool has_no_descriptors(void *user) {
    struct scene *scene = user;
    rewind(scene->server.log);
    for (char line[1024]; fgets(line, sizeof(line), scene->server.log);) {
        if (strstr(line, "descriptors.spent")) {
            return true;
        }
    }
    return false;
}

/* More strangers than the server has descriptors for: who is in stays in, and when they are gone everything is well. */
static void test_strangers_take_all_descriptors_until_they_leave(void **state) {
    struct scene *scene = *state;
    const struct rlimit few = {.rlim_cur = 200, .rlim_max = 200};
    assert_int_equal(prlimit(scene->server.pid, RLIMIT_NOFILE, &few, NULL), 0);
    while (scene->count < 250) {
        stranger_send(invite(scene), STRANGER_GREETING, 3);
    }
    assert_true(eventually(has_no_descriptors, scene));
    caller_expect_more(&scene->caller, 20);
    expect_all_left(scene); /* by nng, ten seconds later: the others were waiting for their turn */
    for (; scene->count > 0; scene->count--) {
        stranger_leave(scene->fds[scene->count - 1], STRANGER_CLOSES);
    }
    assert_true(answers(scene->server.url, 20000));
    expect_health(scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_strangers_claim_far_beyond_limit_are_cut_off),
        TEST(test_strangers_claim_one_byte_beyond_limit_are_cut_off),
        TEST(test_strangers_claim_the_limit_and_stall_cost_little),
        TEST(test_strangers_claim_again_what_others_claimed_cost_little),
        TEST(test_strangers_stall_in_greeting_by_the_thousand),
        TEST(test_strangers_stall_in_message_by_the_thousand),
        TEST(test_strangers_say_nothing_by_the_thousand),
        TEST(test_strangers_that_leave_give_all_back),
        TEST(test_strangers_that_ask_and_leave_give_all_back),
#ifdef MEMORY_IS_TELLING
        TEST(test_strangers_that_sent_much_and_left_give_memory_back),
#endif
        TEST(test_strangers_take_all_descriptors_until_they_leave),
    };
    return cmocka_run_group_tests_name("transport.strangers", tests, NULL, NULL);
}
