/*
 * The HTTP client: memory of a request that waits at a server which never answers, and posts a second.
 *
 *   bench_http wait COUNT                     memory a waiting request, and whether it is given back
 *   bench_http post SECONDS AT_ONCE [reuse]   posts a second and CPU a post; reuse: on kept-alive connections
 *
 * The server is a process of its own with one thread, so on two cores it runs beside the client.
 */
#include "server/outgoing/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n{\"id\":\"r-1\"}"

/* --- the server -------------------------------------------------------------------------------------------------- */

static int listen_here(int *ret_port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    if (bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        abort();
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

/* A request of this benchmark comes in one piece and ends with '}'. */
static void serve_readable(int fd, bool answers) {
    char request[8192];
    ssize_t got = read(fd, request, sizeof(request));
    if (got <= 0) {
        close(fd);
    } else if (answers && request[got - 1] == '}' && send(fd, ANSWER, strlen(ANSWER), MSG_NOSIGNAL) < 0) {
        close(fd);
    }
}

static void serve_forever(int listener, bool answers) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[256], added = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &added);
    for (;;) {
        int count = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                serve_readable(fd, answers);
            } else if ((added.data.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
                epoll_ctl(epoll, EPOLL_CTL_ADD, added.data.fd, &added);
            }
        }
    }
}

static pid_t start_server(bool answers, int *ret_port) {
    int listener = listen_here(ret_port);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve_forever(listener, answers);
    }
    close(listener);
    return pid;
}

/* --- the client -------------------------------------------------------------------------------------------------- */

struct bench {
    struct loop *loop;
    struct http *http;
    struct call call;
    char url[64];
    bool sends; /* false: the tasks only sleep, which shows what a task costs by itself */
    bool reuse;
    uint32_t timeout_ms;
    uint64_t end_us;
    unsigned tasks;
    uint64_t posts, failures;
    size_t before_bytes, waiting_bytes, after_bytes;
    size_t before_heap_bytes, waiting_heap_bytes;
};

static size_t resident_bytes(void) {
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%ld %ld", &pages, &resident) != 2) {
        abort();
    }
    fclose(file);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

static enum herald_code post_once(struct bench *bench) {
    static const char body[] = "{\"eventId\":\"0190c8f0-0000-7000-8000-000000000001\",\"title\":\"a title\"}";
    static const char *const headers[] = {
        "content-type: application/json", "webhook-id: evt_0123456789abcdef0123456789abcdef",
        "webhook-timestamp: 1700000000", "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", NULL};
    struct http_request request = {
        .method = "POST",
        .url = bench->url,
        .headers = headers,
        .body = body,
        .body_bytes = sizeof(body) - 1,
        .timeout_ms = bench->timeout_ms,
        .reuse = bench->reuse,
    };
    struct http_response response = {0};
    return http_send(bench->http, &request, &response, NULL);
}

static void wait_body(void *arg) {
    struct bench *bench = arg;
    if (bench->sends) {
        (void)post_once(bench);
    } else {
        (void)task_sleep(bench->timeout_ms, NULL);
    }
}

static void post_body(void *arg) {
    struct bench *bench = arg;
    while (clock_now_us() < bench->end_us) {
        if (post_once(bench) == HERALD_OK) {
            bench->posts++;
        } else {
            bench->failures++;
        }
    }
}

static void run_tasks(struct bench *bench, task_body_fn *body) {
    struct task_group group;
    task_group_init(&group);
    for (unsigned i = 0; i < bench->tasks; i++) {
        if (task_group_spawn(&group, "bench", body, bench, NULL) != HERALD_OK) {
            abort();
        }
        if (i % 100 == 99) {
            (void)task_sleep(5, NULL); /* the listener's queue is finite */
        }
    }
    if (body == wait_body) {
        (void)task_sleep(1000, NULL);
        bench->waiting_bytes = resident_bytes();
        bench->waiting_heap_bytes = mallinfo2().uordblks;
    }
    task_group_join(&group);
}

static void run_bench(struct bench *bench, task_body_fn *body) {
    if (body == wait_body) {
        unsigned all = bench->tasks;
        bench->tasks = 10; /* what the first use loads is not counted */
        uint32_t timeout_ms = bench->timeout_ms;
        bench->timeout_ms = 50;
        run_tasks(bench, body);
        bench->timeout_ms = timeout_ms;
        bench->tasks = all;
        bench->before_bytes = resident_bytes();
        bench->before_heap_bytes = mallinfo2().uordblks;
    }
    run_tasks(bench, body);
    malloc_trim(0);
    bench->after_bytes = resident_bytes();
    http_close(bench->http);
}

static void wait_main(void *arg) {
    run_bench(arg, wait_body);
}

static void post_main(void *arg) {
    run_bench(arg, post_body);
}

static void run_loop(struct bench *bench, task_body_fn *main_body) {
    if (loop_new(0, &bench->loop, NULL) != HERALD_OK || http_open(bench->loop, &bench->http, NULL) != HERALD_OK) {
        abort();
    }
    call_init(&bench->call, "bench", NULL, 0, (size_t)1 << 30);
    if (task_spawn(bench->loop, &bench->call, "bench", main_body, bench, NULL) != HERALD_OK) {
        abort();
    }
    loop_stop(bench->loop);
    loop_run(bench->loop);
    loop_free(bench->loop);
    call_fini(&bench->call);
}

static double per(size_t bytes, size_t less, unsigned count) {
    return ((double)bytes - (double)less) / 1024 / count;
}

static void bench_wait(unsigned count) {
    struct bench bench = {.tasks = count, .timeout_ms = 5000 + count / 2, .sends = false};
    run_loop(&bench, wait_main);
    double task_kib = per(bench.waiting_bytes, bench.before_bytes, count);
    int port;
    pid_t server = start_server(false, &port);
    bench = (struct bench){.tasks = count, .timeout_ms = 5000 + count / 2, .sends = true};
    snprintf(bench.url, sizeof(bench.url), "http://127.0.0.1:%d/posts", port);
    run_loop(&bench, wait_main);
    double all_kib = per(bench.waiting_bytes, bench.before_bytes, count);
    printf("%u waiting: %.1f KiB each (%.1f KiB from malloc), of which a task that only sleeps %.1f KiB; %.1f KiB each "
           "are kept afterwards\n",
           count, all_kib, per(bench.waiting_heap_bytes, bench.before_heap_bytes, count), task_kib,
           per(bench.after_bytes, bench.before_bytes, count));
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

static double cpu_us(int who) {
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void bench_post(unsigned seconds, unsigned at_once, bool reuse) {
    int port;
    pid_t server = start_server(true, &port);
    struct bench bench = {.tasks = at_once,
                          .timeout_ms = 10000,
                          .sends = true,
                          .reuse = reuse,
                          .end_us = clock_now_us() + (uint64_t)seconds * 1000000};
    snprintf(bench.url, sizeof(bench.url), "http://127.0.0.1:%d/posts", port);
    double begun_us = cpu_us(RUSAGE_SELF);
    run_loop(&bench, post_main);
    double used_us = cpu_us(RUSAGE_SELF) - begun_us;
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    printf("%u at once, %s: %.0f posts/s, %.1f us of the client's CPU and %.1f us of the server's each, %" PRIu64
           " failed\n",
           at_once, reuse ? "kept alive" : "a connection each", (double)bench.posts / seconds,
           used_us / (double)bench.posts, cpu_us(RUSAGE_CHILDREN) / (double)bench.posts, bench.failures);
}

static void raise_descriptor_limit(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv) {
    raise_descriptor_limit();
    if (argc == 3 && strcmp(argv[1], "wait") == 0) {
        bench_wait((unsigned)strtoul(argv[2], NULL, 10));
    } else if ((argc == 4 || argc == 5) && strcmp(argv[1], "post") == 0) {
        bench_post((unsigned)strtoul(argv[2], NULL, 10), (unsigned)strtoul(argv[3], NULL, 10), argc == 5);
    } else {
        fprintf(stderr, "usage: bench_http wait COUNT | post SECONDS AT_ONCE [reuse]\n");
        return 64;
    }
    return 0;
}
