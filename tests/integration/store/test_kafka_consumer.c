#include "server/store/kafka/kafka.h"
#include "tests/integration/flows/forwarder.h"
#include "tests/integration/store/kafka_fixture.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORDS_MOST    512
#define COMMIT_BOUND_MS 20000

/* Numbers of requests in Kafka's protocol, and more refusals of them than a test lasts. */
#define FIND_COORDINATOR 10
#define SYNC_GROUP       14
#define REFUSALS         1000

/* A consumer and what it was given. */
struct reader {
    struct health health; /* first: on_health and on_record get the same address */
    struct kafka_consumer *consumer;
    bool keep; /* records stay out until the test gives them back */
    struct kafka_record *kept[RECORDS_MOST];
    unsigned kept_count;
    unsigned seen;
    unsigned seen_by_number[RECORDS_MOST]; /* "value-<n>" */
    unsigned awaited;                      /* for reader_has_seen() */
};

static unsigned number_of(const struct kafka_record *record) {
    char text[32];
    assert_true(record->value_bytes < sizeof(text));
    memcpy(text, record->value, record->value_bytes);
    text[record->value_bytes] = '\0';
    assert_int_equal(strncmp(text, "value-", 6), 0);
    unsigned number = (unsigned)atoi(text + 6);
    assert_true(number < RECORDS_MOST);
    return number;
}

static void on_record(void *user, struct kafka_record *record) {
    struct reader *reader = user;
    reader->seen++;
    reader->seen_by_number[number_of(record)]++;
    if (reader->keep) {
        reader->kept[reader->kept_count++] = record;
    } else {
        kafka_record_done(reader->consumer, record);
    }
}

static bool reader_has_seen(void *arg) {
    struct reader *reader = arg;
    return reader->seen >= reader->awaited;
}

static bool await_seen(struct reader *reader, unsigned count) {
    reader->awaited = count;
    return eventually(reader_has_seen, reader);
}

struct setup {
    const char *bootstrap;
    char topic[64], group[96];
    uint32_t stall_ms;
    struct mock mock;
};

static void open_reader(const struct setup *setup, unsigned max_in_flight, struct reader *reader) {
    struct herald_error error = {0};
    health_init(&reader->health);
    struct kafka_consumer_options options = {
        .bootstrap = setup->bootstrap,
        .client_id = "test",
        .group = setup->group,
        .topic = setup->topic,
        .max_in_flight = max_in_flight,
        .stall_ms = setup->stall_ms,
        .loop = loop_current(),
        .on_record = on_record,
        .on_health = health_note,
        .user = reader,
    };
    if (kafka_consumer_open(&options, &reader->consumer, &error) != HERALD_OK) {
        fail_msg("%s", error.message);
    }
}

static struct kafka_consumer_view view_of(const struct reader *reader) {
    struct kafka_consumer_view view;
    kafka_consumer_look(reader->consumer, &view);
    return view;
}

static void close_now(void *consumer) {
    kafka_consumer_close(consumer);
}

/* On another thread: the loop must go on, since closing may wait for it. */
static TASK_FN void close_reader(struct reader *reader) {
    assert_int_equal(task_offload(close_now, reader->consumer, NULL), HERALD_OK);
    reader->consumer = NULL;
}

static void give_back_kept(struct reader *reader, bool done) {
    for (unsigned i = 0; i < reader->kept_count; i++) {
        if (reader->kept[i] && done) {
            kafka_record_done(reader->consumer, reader->kept[i]);
        } else if (reader->kept[i]) {
            kafka_record_abandon(reader->consumer, reader->kept[i]);
        }
    }
    reader->kept_count = 0;
}

static void run_setup(struct setup *setup, task_body_fn *body) {
    new_topic(setup->topic);
    snprintf(setup->group, sizeof(setup->group), "group-%s", setup->topic);
    run_body(body, setup);
}

static void run_with_cluster(task_body_fn *body) {
    struct setup setup = {.bootstrap = need_env("HERALD_KAFKA_BOOTSTRAP")};
    run_setup(&setup, body);
}

static void run_with_mock(task_body_fn *body) {
    struct setup setup = {0};
    mock_start(&setup.mock);
    setup.bootstrap = setup.mock.bootstrap;
    run_setup(&setup, body);
    mock_stop(&setup.mock);
}

/* --- Against the cluster --- */

static void done_body(void *arg) {
    struct setup *setup = arg;
    static struct reader first, second;
    memset(&first, 0, sizeof(first));
    memset(&second, 0, sizeof(second));
    raw_produce(setup->bootstrap, setup->topic, 0, 0, 5);
    open_reader(setup, 10, &first);
    assert_true(await_seen(&first, 5));
    close_reader(&first);
    raw_produce(setup->bootstrap, setup->topic, 0, 5, 1);
    open_reader(setup, 10, &second);
    assert_true(await_seen(&second, 1));
    assert_int_equal(second.seen, 1);
    assert_int_equal(second.seen_by_number[5], 1);
    assert_true(eventually(health_is_up, &second.health));
    close_reader(&second);
}

static void test_kafka_consumer_done_records_do_not_come_again(void **state) {
    (void)state;
    run_with_cluster(done_body);
}

static void out_of_order_body(void *arg) {
    struct setup *setup = arg;
    static struct reader first, second;
    memset(&first, 0, sizeof(first));
    memset(&second, 0, sizeof(second));
    raw_produce(setup->bootstrap, setup->topic, 0, 0, 4);
    first.keep = true;
    open_reader(setup, 10, &first);
    assert_true(await_seen(&first, 4));
    /* 0 done, 1 not, 2 and 3 done: only 0 may be committed. */
    assert_int_equal(number_of(first.kept[1]), 1);
    kafka_record_done(first.consumer, first.kept[3]);
    kafka_record_done(first.consumer, first.kept[2]);
    kafka_record_done(first.consumer, first.kept[0]);
    kafka_record_abandon(first.consumer, first.kept[1]);
    close_reader(&first);
    open_reader(setup, 10, &second);
    assert_true(await_seen(&second, 3));
    assert_int_equal(second.seen_by_number[0], 0);
    for (unsigned number = 1; number < 4; number++) {
        assert_int_equal(second.seen_by_number[number], 1);
    }
    close_reader(&second);
}

static void test_kafka_consumer_undone_record_comes_again_with_what_follows(void **state) {
    (void)state;
    run_with_cluster(out_of_order_body);
}

static void in_flight_body(void *arg) {
    struct setup *setup = arg;
    enum { RECORDS = 60, IN_FLIGHT = 3 };
    static struct reader reader;
    memset(&reader, 0, sizeof(reader));
    raw_produce(setup->bootstrap, setup->topic, RD_KAFKA_PARTITION_UA, 0, RECORDS);
    reader.keep = true;
    open_reader(setup, IN_FLIGHT, &reader);
    for (unsigned total = IN_FLIGHT; total <= RECORDS; total += IN_FLIGHT) {
        assert_true(await_seen(&reader, total));
        if (total <= 2 * IN_FLIGHT) { /* long enough for the partitions to be paused */
            assert_int_equal(task_sleep(400, NULL), HERALD_OK);
        }
        assert_int_equal(reader.seen, total);
        give_back_kept(&reader, true);
    }
    for (unsigned number = 0; number < RECORDS; number++) {
        assert_int_equal(reader.seen_by_number[number], 1);
    }
    close_reader(&reader);
}

static void test_kafka_consumer_hands_out_no_more_than_max_in_flight(void **state) {
    (void)state;
    run_with_cluster(in_flight_body);
}

static void stop_body(void *arg) {
    struct setup *setup = arg;
    static struct reader first, second;
    memset(&first, 0, sizeof(first));
    memset(&second, 0, sizeof(second));
    raw_produce(setup->bootstrap, setup->topic, 0, 0, 50);
    first.keep = true;
    open_reader(setup, 2, &first);
    assert_true(await_seen(&first, 2));
    kafka_consumer_stop(first.consumer);
    give_back_kept(&first, false);
    assert_int_equal(task_sleep(500, NULL), HERALD_OK);
    assert_int_equal(first.seen, 2);
    close_reader(&first);
    open_reader(setup, 100, &second);
    assert_true(await_seen(&second, 50));
    close_reader(&second);
}

static void test_kafka_consumer_stopped_hands_out_nothing(void **state) {
    (void)state;
    run_with_cluster(stop_body);
}

static void close_on_loop_body(void *arg) {
    struct setup *setup = arg;
    static struct reader reader;
    memset(&reader, 0, sizeof(reader));
    raw_produce(setup->bootstrap, setup->topic, 0, 0, 20);
    reader.keep = true;
    open_reader(setup, 5, &reader);
    assert_true(await_seen(&reader, 5));
    give_back_kept(&reader, true); /* more may be on their way to this loop now */
    kafka_consumer_close(reader.consumer);
    unsigned seen = reader.seen;
    assert_int_equal(task_sleep(100, NULL), HERALD_OK);
    assert_int_equal(reader.seen, seen);
}

static void test_kafka_consumer_close_on_the_loop_drops_what_is_on_its_way(void **state) {
    (void)state;
    run_with_cluster(close_on_loop_body);
}

static void late_topic_body(void *arg) {
    struct setup *setup = arg;
    static struct reader reader;
    memset(&reader, 0, sizeof(reader));
    open_reader(setup, 10, &reader);
    raw_produce(setup->bootstrap, setup->topic, 0, 0, 3);
    assert_true(await_seen(&reader, 3));
    assert_true(eventually(health_is_up, &reader.health));
    close_reader(&reader);
}

static void test_kafka_consumer_topic_made_later_is_read(void **state) {
    (void)state;
    run_with_cluster(late_topic_body);
}

struct pair {
    struct reader *one, *two;
    unsigned total;
};

static bool pair_has_seen_all(void *arg) {
    const struct pair *pair = arg;
    for (unsigned number = 0; number < pair->total; number++) {
        if (pair->one->seen_by_number[number] + pair->two->seen_by_number[number] == 0) {
            return false;
        }
    }
    return true;
}

static void two_members_body(void *arg) {
    struct setup *setup = arg;
    static struct reader one, two;
    memset(&one, 0, sizeof(one));
    memset(&two, 0, sizeof(two));
    raw_produce(setup->bootstrap, setup->topic, RD_KAFKA_PARTITION_UA, 0, 20);
    one.keep = true;
    open_reader(setup, 100, &one);
    assert_true(await_seen(&one, 20));
    open_reader(setup, 100, &two);
    /* Records keep coming until the new member has its part of the partitions. */
    struct pair pair = {&one, &two, 20};
    while (two.seen == 0 && pair.total + 20 < RECORDS_MOST) {
        raw_produce(setup->bootstrap, setup->topic, RD_KAFKA_PARTITION_UA, (int)pair.total, 20);
        pair.total += 20;
        one.keep = false;
        assert_true(eventually(pair_has_seen_all, &pair));
        assert_int_equal(task_sleep(200, NULL), HERALD_OK);
    }
    assert_true(two.seen > 0);
    give_back_kept(&one, true); /* those of partitions that have moved are forgotten */
    close_reader(&one);
    raw_produce(setup->bootstrap, setup->topic, RD_KAFKA_PARTITION_UA, (int)pair.total, 20);
    pair.total += 20;
    assert_true(eventually(pair_has_seen_all, &pair));
    close_reader(&two);
}

static void test_kafka_consumer_second_member_takes_its_part_and_all_are_read(void **state) {
    (void)state;
    run_with_cluster(two_members_body);
}

/* --- Faults --- */

static void away_body(void *arg) {
    struct setup *setup = arg;
    static struct reader reader;
    memset(&reader, 0, sizeof(reader));
    raw_produce(setup->bootstrap, setup->topic, 0, 0, 2);
    open_reader(setup, 10, &reader);
    assert_true(await_seen(&reader, 2));
    assert_true(eventually(health_is_up, &reader.health));
    rd_kafka_mock_broker_set_down(setup->mock.cluster, MOCK_BROKER);
    assert_true(eventually(health_is_down, &reader.health));
    assert_string_equal(health_last(&reader.health).reason, "KAFKA_UNAVAILABLE");
    rd_kafka_mock_broker_set_up(setup->mock.cluster, MOCK_BROKER);
    assert_true(eventually(health_is_up, &reader.health));
    raw_produce(setup->bootstrap, setup->topic, 0, 2, 2);
    assert_true(await_seen(&reader, 4));
    close_reader(&reader);
}

static void test_kafka_consumer_goes_on_after_the_broker_was_away(void **state) {
    (void)state;
    run_with_mock(away_body);
}

static void close_away_body(void *arg) {
    struct setup *setup = arg;
    static struct reader reader;
    memset(&reader, 0, sizeof(reader));
    raw_produce(setup->bootstrap, setup->topic, 0, 0, 2);
    reader.keep = true;
    open_reader(setup, 10, &reader);
    assert_true(await_seen(&reader, 2));
    rd_kafka_mock_broker_set_down(setup->mock.cluster, MOCK_BROKER);
    give_back_kept(&reader, true);
    uint64_t start_us = clock_now_us();
    close_reader(&reader);
    assert_true(clock_now_us() - start_us < COMMIT_BOUND_MS * UINT64_C(1000));
}

static void test_kafka_consumer_close_ends_while_the_broker_is_away(void **state) {
    (void)state;
    run_with_mock(close_away_body);
}

/* The broker dies while consumers are at different moments of their looks at it; then they are closed. */
#define CLOSERS         12
#define CLOSER_PHASE_MS 130
struct closer {
    struct reader reader;
    atomic_bool closed;
};

static void *close_on_own_thread(void *arg) {
    struct closer *closer = arg;
    kafka_consumer_close(closer->reader.consumer);
    closer->closed = true;
    return NULL;
}

static bool closer_has_place(void *arg) {
    struct closer *closer = arg;
    return view_of(&closer->reader).lag >= 0;
}

static bool all_have_closed(void *arg) {
    struct closer *closers = arg;
    bool all = true;
    for (int i = 0; i < CLOSERS; i++) {
        all = all && closers[i].closed;
    }
    return all;
}

static void died_body(void *arg) {
    struct setup *setup = arg;
    static struct closer closers[CLOSERS];
    pthread_t threads[CLOSERS];
    memset(closers, 0, sizeof(closers));
    raw_produce(setup->bootstrap, setup->topic, RD_KAFKA_PARTITION_UA, 0, 4);
    setup->stall_ms = 4000; /* a look each second */
    for (int i = 0; i < CLOSERS; i++) {
        snprintf(setup->group, sizeof(setup->group), "group-%d-%s", i, setup->topic);
        open_reader(setup, 10, &closers[i].reader);
        assert_int_equal(task_sleep(CLOSER_PHASE_MS, NULL), HERALD_OK);
    }
    for (int i = 0; i < CLOSERS; i++) {
        assert_true(eventually(closer_has_place, &closers[i]));
    }
    rd_kafka_mock_broker_set_down(setup->mock.cluster, MOCK_BROKER);
    for (int i = 0; i < CLOSERS; i++) {
        assert_int_equal(task_sleep(CLOSER_PHASE_MS, NULL), HERALD_OK);
        assert_int_equal(pthread_create(&threads[i], NULL, close_on_own_thread, &closers[i]), 0);
    }
    assert_true(eventually(all_have_closed, closers));
    for (int i = 0; i < CLOSERS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void test_kafka_consumer_close_ends_whenever_the_broker_has_died(void **state) {
    (void)state;
    run_with_mock(died_body);
}

/* --- The consumer gets on --- */

static bool reader_has_none(void *arg) {
    return view_of(arg).partitions == 0;
}

static bool reader_has_no_lag(void *arg) {
    return view_of(arg).lag == 0;
}

static bool reader_was_reopened(void *arg) {
    return view_of(arg).reopened > 0;
}

/* Paused, then its partitions are taken away, then there is room again, then they come back. */
static void paused_body(void *arg) {
    struct setup *setup = arg;
    enum { RECORDS = 40, IN_FLIGHT = 2 };
    static struct reader reader;
    memset(&reader, 0, sizeof(reader));
    raw_produce(setup->bootstrap, setup->topic, RD_KAFKA_PARTITION_UA, 0, RECORDS);
    reader.keep = true;
    open_reader(setup, IN_FLIGHT, &reader);
    assert_true(await_seen(&reader, IN_FLIGHT));
    assert_int_equal(task_sleep(400, NULL), HERALD_OK); /* long enough for the partitions to be paused */
    rd_kafka_mock_broker_set_down(setup->mock.cluster, MOCK_BROKER);
    assert_true(eventually(reader_has_none, &reader)); /* its session is over */
    give_back_kept(&reader, true);
    reader.keep = false;
    assert_int_equal(task_sleep(400, NULL), HERALD_OK); /* and for the thread to see that there is room */
    rd_kafka_mock_broker_set_up(setup->mock.cluster, MOCK_BROKER);
    assert_true(await_seen(&reader, IN_FLIGHT + RECORDS)); /* the first ones come again */
    close_reader(&reader);
}

static void test_kafka_consumer_pause_does_not_outlive_its_assignment(void **state) {
    (void)state;
    run_with_mock(paused_body);
}

static int port_of(const char *bootstrap) {
    return atoi(strrchr(bootstrap, ':') + 1);
}

/* A broker of the same id comes back empty at another address: clients find it by the same bootstrap address. */
static void move_broker(struct setup *setup, struct forwarder *way) {
    struct mock old = setup->mock;
    mock_start(&setup->mock);
    forwarder_shut(way);
    forwarder_aim(way, port_of(setup->mock.bootstrap));
    mock_stop(&old);
    forwarder_open(way);
}

static void moved_body(void *arg) {
    struct setup *setup = arg;
    static struct reader reader;
    struct forwarder *way = forwarder_new("127.0.0.1", port_of(setup->mock.bootstrap));
    char bootstrap[32];
    snprintf(bootstrap, sizeof(bootstrap), "127.0.0.1:%d", forwarder_port(way));
    memset(&reader, 0, sizeof(reader));
    raw_produce(setup->mock.bootstrap, setup->topic, RD_KAFKA_PARTITION_UA, 0, 20);
    forwarder_open(way);
    setup->bootstrap = bootstrap;
    setup->stall_ms = 4000;
    open_reader(setup, 10, &reader);
    assert_true(await_seen(&reader, 20));
    move_broker(setup, way);
    raw_produce(setup->mock.bootstrap, setup->topic, RD_KAFKA_PARTITION_UA, 20, 20);
    assert_true(await_seen(&reader, 40));
    assert_true(eventually(reader_has_no_lag, &reader));
    close_reader(&reader);
    forwarder_free(way);
}

static void test_kafka_consumer_follows_a_broker_to_another_address(void **state) {
    (void)state;
    run_with_mock(moved_body);
}

/* The cluster serves, but nobody coordinates the group; a consumer notices soon. */
static void refuse_group(struct setup *setup) {
    setup->stall_ms = 3000;
    for (unsigned i = 0; i < REFUSALS; i++) {
        rd_kafka_mock_push_request_errors(setup->mock.cluster, FIND_COORDINATOR, 1,
                                          RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE);
    }
}

static void stalled_body(void *arg) {
    struct setup *setup = arg;
    static struct reader reader;
    memset(&reader, 0, sizeof(reader));
    raw_produce(setup->bootstrap, setup->topic, 0, 0, 2);
    refuse_group(setup);
    open_reader(setup, 10, &reader);
    assert_true(eventually(health_is_down, &reader.health));
    assert_string_equal(health_last(&reader.health).reason, "KAFKA_STALLED");
    assert_true(eventually(reader_was_reopened, &reader));
    rd_kafka_mock_clear_request_errors(setup->mock.cluster, FIND_COORDINATOR);
    assert_true(await_seen(&reader, 2));
    assert_true(eventually(health_is_up, &reader.health));
    close_reader(&reader);
}

/* The group has answered that it joins, and has not told it its partitions. */
static void joining_body(void *arg) {
    struct setup *setup = arg;
    static struct reader first, second;
    memset(&first, 0, sizeof(first));
    memset(&second, 0, sizeof(second));
    raw_produce(setup->bootstrap, setup->topic, 0, 0, 2);
    open_reader(setup, 10, &first);
    for (unsigned i = 0; i < REFUSALS; i++) {
        rd_kafka_mock_push_request_errors(setup->mock.cluster, SYNC_GROUP, 1, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS);
    }
    assert_int_equal(task_sleep(5000, NULL), HERALD_OK); /* the mock's first join takes 3 s */
    close_reader(&first);
    rd_kafka_mock_clear_request_errors(setup->mock.cluster, SYNC_GROUP);
    open_reader(setup, 10, &second);
    assert_true(await_seen(&second, 2));
    close_reader(&second);
}

static void test_kafka_consumer_closed_while_it_joins_ends(void **state) {
    (void)state;
    run_with_mock(joining_body);
}

static void test_kafka_consumer_without_a_place_is_noticed_and_opened_anew(void **state) {
    (void)state;
    run_with_mock(stalled_body);
}

/* librdkafka 2.0.2 may wait for ever in it. */
static pthread_mutex_t hanging_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t hanging_ends = PTHREAD_COND_INITIALIZER;
static bool destroying_hangs; /* hanging_lock */
static atomic_uint destroys_begun, destroys_ended;

static void let_destroying_hang(bool hangs) {
    pthread_mutex_lock(&hanging_lock);
    destroying_hangs = hangs;
    pthread_cond_broadcast(&hanging_ends);
    pthread_mutex_unlock(&hanging_lock);
}

void rd_kafka_destroy_flags(rd_kafka_t *rk, int flags) {
    void (*destroy)(rd_kafka_t *, int) = NULL;
    *(void **)&destroy = dlsym(RTLD_NEXT, "rd_kafka_destroy_flags");
    atomic_fetch_add(&destroys_begun, 1);
    pthread_mutex_lock(&hanging_lock);
    while (destroying_hangs) {
        pthread_cond_wait(&hanging_ends, &hanging_lock);
    }
    pthread_mutex_unlock(&hanging_lock);
    destroy(rk, flags);
    atomic_fetch_add(&destroys_ended, 1);
}

static bool all_are_destroyed(void *arg) {
    (void)arg;
    return atomic_load(&destroys_ended) == atomic_load(&destroys_begun);
}

/* The client is replaced, and cannot be destroyed. */
static void hanging_body(void *arg) {
    struct setup *setup = arg;
    static struct reader reader;
    unsigned before = atomic_load(&destroys_begun);
    memset(&reader, 0, sizeof(reader));
    raw_produce(setup->bootstrap, setup->topic, 0, 0, 2);
    refuse_group(setup);
    let_destroying_hang(true);
    open_reader(setup, 10, &reader);
    assert_true(eventually(reader_was_reopened, &reader));
    rd_kafka_mock_clear_request_errors(setup->mock.cluster, FIND_COORDINATOR);
    assert_true(await_seen(&reader, 2));
    assert_true(atomic_load(&destroys_begun) > before);
    close_reader(&reader); /* the last client may hang too, and the end does not */
    let_destroying_hang(false);
    assert_true(eventually(all_are_destroyed, NULL));
}

static void test_kafka_consumer_gets_on_beside_a_client_that_cannot_be_destroyed(void **state) {
    (void)state;
    run_with_mock(hanging_body);
}

/* The group's offset of a partition. */
static int64_t group_offset(const struct setup *setup, int32_t partition) {
    return raw_committed(setup->bootstrap, setup->group, setup->topic, partition);
}

static void out_of_range_body(void *arg) {
    struct setup *setup = arg;
    static struct reader reader;
    memset(&reader, 0, sizeof(reader));
    raw_produce(setup->bootstrap, setup->topic, 0, 0, 10);
    raw_commit(setup->bootstrap, setup->group, setup->topic, 0, 99999);
    open_reader(setup, 10, &reader);
    assert_true(await_seen(&reader, 10));
    close_reader(&reader);
    assert_int_equal(group_offset(setup, 0), 10);
}

static void test_kafka_consumer_offset_out_of_range_is_committed_over(void **state) {
    (void)state;
    run_with_cluster(out_of_range_body);
}

static void aside_body(void *arg) {
    struct setup *setup = arg;
    enum { RECORDS = 6 };
    static struct reader first, second;
    memset(&first, 0, sizeof(first));
    memset(&second, 0, sizeof(second));
    raw_produce(setup->bootstrap, setup->topic, 0, 0, RECORDS);
    first.keep = true;
    open_reader(setup, 1, &first);
    for (unsigned number = 0; number < RECORDS; number++) {
        assert_true(await_seen(&first, number + 1));
        if (number == 0) {
            kafka_record_set_aside(first.consumer, first.kept[0]);
        } else {
            kafka_record_done(first.consumer, first.kept[number]);
        }
    }
    assert_int_equal(view_of(&first).aside, 1);
    assert_false(kafka_record_is_revoked(first.consumer, first.kept[0]));
    kafka_record_abandon(first.consumer, first.kept[0]);
    close_reader(&first);
    open_reader(setup, 10, &second); /* nothing was committed beyond it */
    assert_true(await_seen(&second, RECORDS));
    close_reader(&second);
}

static void test_kafka_consumer_record_set_aside_makes_room_and_holds_the_offset(void **state) {
    (void)state;
    run_with_cluster(aside_body);
}

static void absent_body(void *arg) {
    struct setup *setup = arg;
    static struct reader reader;
    memset(&reader, 0, sizeof(reader));
    open_reader(setup, 10, &reader);
    assert_true(eventually(health_is_down, &reader.health));
    assert_int_equal(reader.health.ups, 0);
    close_reader(&reader);
}

static void test_kafka_consumer_no_cluster_from_the_start_is_not_healthy(void **state) {
    (void)state;
    struct setup setup = {.bootstrap = "127.0.0.1:1"};
    run_setup(&setup, absent_body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kafka_consumer_done_records_do_not_come_again),
        cmocka_unit_test(test_kafka_consumer_undone_record_comes_again_with_what_follows),
        cmocka_unit_test(test_kafka_consumer_hands_out_no_more_than_max_in_flight),
        cmocka_unit_test(test_kafka_consumer_stopped_hands_out_nothing),
        cmocka_unit_test(test_kafka_consumer_close_on_the_loop_drops_what_is_on_its_way),
        cmocka_unit_test(test_kafka_consumer_topic_made_later_is_read),
        cmocka_unit_test(test_kafka_consumer_second_member_takes_its_part_and_all_are_read),
        cmocka_unit_test(test_kafka_consumer_goes_on_after_the_broker_was_away),
        cmocka_unit_test(test_kafka_consumer_close_ends_while_the_broker_is_away),
        cmocka_unit_test(test_kafka_consumer_close_ends_whenever_the_broker_has_died),
        cmocka_unit_test(test_kafka_consumer_pause_does_not_outlive_its_assignment),
        cmocka_unit_test(test_kafka_consumer_follows_a_broker_to_another_address),
        cmocka_unit_test(test_kafka_consumer_closed_while_it_joins_ends),
        cmocka_unit_test(test_kafka_consumer_without_a_place_is_noticed_and_opened_anew),
        cmocka_unit_test(test_kafka_consumer_gets_on_beside_a_client_that_cannot_be_destroyed),
        cmocka_unit_test(test_kafka_consumer_offset_out_of_range_is_committed_over),
        cmocka_unit_test(test_kafka_consumer_record_set_aside_makes_room_and_holds_the_offset),
        cmocka_unit_test(test_kafka_consumer_no_cluster_from_the_start_is_not_healthy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
