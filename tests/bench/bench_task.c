/*
 * What tasks cost: a switch there and back, a task from spawn to end, a wait with a deadline, and work posted from
 * another thread. Prints one JSON line for each measurement.
 *
 *   bench_task [rounds]
 */
#include "server/runtime/call.h"
#include "server/runtime/loop.h"
#include "server/runtime/task.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned rounds = 1000000;

static void report(const char *name, unsigned count, uint64_t start_us) {
    double seconds = (double)(clock_now_us() - start_us) / 1e6;
    printf("{\"bench\":\"task.%s\",\"count\":%u,\"ns_each\":%.1f,\"per_s\":%.0f}\n", name, count,
           seconds * 1e9 / (double)count, (double)count / seconds);
    (void)fflush(stdout);
}

static void must(enum herald_code code, const struct herald_error *error) {
    if (code == HERALD_OK) {
        return;
    }
    fprintf(stderr, "bench_task: %s: %s\n", herald_code_name((int)code), error->message);
    exit(1);
}

static void run(struct call *call, task_body_fn *body, void *arg) {
    struct herald_error error;
    struct loop *loop = NULL;
    must(loop_new(0, &loop, &error), &error);
    must(task_spawn(loop, call, "bench", body, arg, &error), &error);
    loop_stop(loop);
    loop_run(loop);
    loop_free(loop);
}

/* ---- switches ---- */

static void body_yield(void *arg) {
    (void)arg;
    uint64_t start_us = clock_now_us();
    for (unsigned i = 0; i < rounds; i++) {
        task_yield();
    }
    report("yield", rounds, start_us);
}

/* ---- spawn and end ---- */

static void body_nothing(void *arg) {
    (void)arg;
}

static void body_spawn_and_end(void *arg) {
    unsigned at_once = *(const unsigned *)arg;
    struct herald_error error;
    struct task_group group;
    uint64_t start_us = clock_now_us();
    for (unsigned i = 0; i < rounds / at_once; i++) {
        task_group_init(&group);
        for (unsigned j = 0; j < at_once; j++) {
            must(task_group_spawn(&group, "nothing", body_nothing, NULL, &error), &error);
        }
        task_group_join(&group);
    }
    char name[48];
    (void)snprintf(name, sizeof(name), "spawn_and_end_%u_at_once", at_once);
    report(name, rounds / at_once * at_once, start_us);
}

/* ---- waits ---- */

struct ping {
    struct completion completion;
    bool over;
};

static void body_completer(void *arg) {
    struct ping *ping = arg;
    while (!ping->over) {
        completion_complete(&ping->completion);
        task_yield();
    }
}

static void body_wait(void *arg) {
    struct ping ping = {.over = false};
    struct herald_error error;
    struct task_group group;
    task_group_init(&group);
    completion_init(&ping.completion);
    must(task_group_spawn(&group, "completer", body_completer, &ping, &error), &error);
    uint64_t start_us = clock_now_us();
    for (unsigned i = 0; i < rounds; i++) {
        completion_init(&ping.completion);
        must(completion_wait(&ping.completion, &error), &error);
    }
    report(arg, rounds, start_us);
    ping.over = true;
    task_group_join(&group);
}

/* ---- posted work ---- */

struct posts {
    struct loop *loop;
    unsigned done;
    uint64_t start_us;
    const char *name;
    bool spawn;
};
struct post {
    struct loop_work work;
    struct posts *posts;
};

static void count_post(struct posts *posts) {
    if (++posts->done == rounds) {
        report(posts->name, rounds, posts->start_us);
        loop_stop(posts->loop);
    }
}

static void body_posted(void *arg) {
    count_post(arg);
}

static void on_post(struct loop_work *work) {
    struct posts *posts = ((struct post *)work)->posts;
    struct herald_error error;
    if (posts->spawn) {
        must(task_spawn(posts->loop, NULL, "posted", body_posted, posts, &error), &error);
    } else {
        count_post(posts);
    }
}

/* At most so many under way, as the limit on calls has it. */
#define POSTS_AHEAD 4096
static atomic_uint posts_seen;

static void on_post_counted(struct loop_work *work) {
    on_post(work);
    atomic_fetch_add_explicit(&posts_seen, 1, memory_order_release); /* the work may be posted again */
}

static void *run_poster(void *arg) {
    struct posts *posts = arg;
    struct post *all = calloc(POSTS_AHEAD, sizeof(*all));
    if (all == NULL) {
        exit(1);
    }
    for (unsigned i = 0; i < rounds; i++) {
        while (i - atomic_load_explicit(&posts_seen, memory_order_acquire) >= POSTS_AHEAD) {
            sched_yield();
        }
        all[i % POSTS_AHEAD] = (struct post){{.run = on_post_counted}, posts};
        loop_post(posts->loop, &all[i % POSTS_AHEAD].work);
    }
    return all;
}

static void bench_posts(const char *name, bool spawn) {
    struct herald_error error;
    struct posts posts = {.name = name, .spawn = spawn};
    pthread_t thread;
    void *memory = NULL;
    must(loop_new(0, &posts.loop, &error), &error);
    atomic_store(&posts_seen, 0);
    posts.start_us = clock_now_us();
    if (pthread_create(&thread, NULL, run_poster, &posts) != 0) {
        exit(1);
    }
    loop_run(posts.loop);
    (void)pthread_join(thread, &memory);
    free(memory);
    loop_free(posts.loop);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        rounds = (unsigned)strtoul(argv[1], NULL, 10);
    }
    if (rounds < 1000) {
        fprintf(stderr, "usage: bench_task [rounds, at least 1000]\n");
        return 2;
    }
    static unsigned at_once[] = {1, 100, 1000};
    struct call call;
    call_init(&call, "bench", NULL, 600000, 0);
    run(NULL, body_yield, NULL);
    for (size_t i = 0; i < sizeof(at_once) / sizeof(at_once[0]); i++) {
        run(NULL, body_spawn_and_end, &at_once[i]);
    }
    run(NULL, body_wait, "complete_and_wait");
    run(&call, body_wait, "complete_and_wait_with_deadline");
    bench_posts("post", false);
    bench_posts("post_and_spawn", true);
    call_fini(&call);
    return 0;
}
