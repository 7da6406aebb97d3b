#include "server/process/notify.h"

#include "client/base/clock.h"
#include "server/runtime/loop.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The end may take as long beyond the drain: the outbox settles, loops and connections close. */
#define END_EXTRA_MS UINT64_C(15000)

/* ---- messages ---- */

/* The address of NOTIFY_SOCKET; 0: not set, or not such an address. */
static socklen_t notify_address(struct sockaddr_un *ret_address) {
    const char *path = getenv("NOTIFY_SOCKET");
    size_t length = path ? strlen(path) : 0;
    if (length < 2 || length >= sizeof(ret_address->sun_path) || (*path != '/' && *path != '@')) {
        return 0;
    }
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret_address->sun_path, path, length);
    if (*path == '@') {
        ret_address->sun_path[0] = '\0';
    }
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (*path == '/'));
}

/* Never waits: a service manager that does not read must not stop the server. */
static void send_notice(const char *text) {
    struct sockaddr_un address;
    socklen_t bytes = notify_address(&address);
    if (bytes == 0) {
        return;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        (void)sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&address, bytes);
        (void)close(fd);
    }
}

void notify_ready(void) {
    send_notice("READY=1\nSTATUS=Takes calls.");
}

void notify_reloading(void) {
    char text[96];
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reads its files again.",
             herald_monotonic_us());
    send_notice(text);
}

void notify_stopping(uint64_t most_ms) {
    char text[96];
    snprintf(text, sizeof(text), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=Ends its running calls.",
             (most_ms + END_EXTRA_MS) * 1000);
    send_notice(text);
}

/* ---- signs of life ---- */

/* A piece of work that shows that its loop runs. It is posted again once it has run. */
struct beat {
    struct loop_work work; /* first */
    atomic_bool has_run;
};

struct pulse {
    struct loop *const *loops;
    unsigned loop_count;
    uint64_t every_us;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ending;
    uint64_t stopping_until_us; /* 0: the loops run */
    struct beat beats[];
};

static void on_beat(struct loop_work *work) {
    struct beat *beat = (struct beat *)work;
    atomic_store(&beat->has_run, true);
}

/* True when every loop has run its beat; they are posted again then. */
static bool all_have_run(struct pulse *pulse) {
    for (unsigned i = 0; i < pulse->loop_count; i++) {
        if (!atomic_load(&pulse->beats[i].has_run)) {
            return false;
        }
    }
    for (unsigned i = 0; i < pulse->loop_count; i++) {
        atomic_store(&pulse->beats[i].has_run, false);
        loop_post(pulse->loops[i], &pulse->beats[i].work);
    }
    return true;
}

/* True when the process is alive, as far as anybody can tell. */
static bool is_alive_locked(struct pulse *pulse) {
    return pulse->stopping_until_us ? herald_monotonic_us() < pulse->stopping_until_us : all_have_run(pulse);
}

static void *run_pulse(void *arg) {
    struct pulse *pulse = arg;
    pthread_mutex_lock(&pulse->lock);
    while (!pulse->ending) {
        if (is_alive_locked(pulse)) {
            send_notice("WATCHDOG=1");
        }
        const struct timespec next = herald_timespec_of_us(herald_monotonic_us() + pulse->every_us);
        while (!pulse->ending && pthread_cond_timedwait(&pulse->changed, &pulse->lock, &next) == 0) {
            continue;
        }
    }
    pthread_mutex_unlock(&pulse->lock);
    return NULL;
}

/* The interval between two signs of life; 0: nobody wants them. */
static uint64_t wanted_every_us(void) {
    struct sockaddr_un address;
    const char *wanted = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (!wanted || notify_address(&address) == 0 || (pid && strtoll(pid, NULL, 10) != getpid())) {
        return 0;
    }
    return strtoull(wanted, NULL, 10) / 2;
}

static void init_pulse(struct pulse *pulse) {
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pulse->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&pulse->lock, NULL);
    for (unsigned i = 0; i < pulse->loop_count; i++) {
        pulse->beats[i].work.run = on_beat;
        atomic_init(&pulse->beats[i].has_run, true);
    }
}

static void free_pulse(struct pulse *pulse) {
    pthread_cond_destroy(&pulse->changed);
    pthread_mutex_destroy(&pulse->lock);
    free(pulse);
}

struct pulse *pulse_start(struct loop *const *loops, unsigned loop_count) {
    uint64_t every_us = wanted_every_us();
    struct pulse *pulse = every_us > 0 ? calloc(1, sizeof(*pulse) + loop_count * sizeof(struct beat)) : NULL;
    if (!pulse) {
        return NULL;
    }
    pulse->loops = loops;
    pulse->loop_count = loop_count;
    pulse->every_us = every_us;
    init_pulse(pulse);
    if (pthread_create(&pulse->thread, NULL, run_pulse, pulse) != 0) {
        free_pulse(pulse);
        return NULL;
    }
    return pulse;
}

void pulse_stopping(struct pulse *pulse) {
    if (pulse) {
        pthread_mutex_lock(&pulse->lock);
        pulse->stopping_until_us = herald_monotonic_us() + END_EXTRA_MS * 1000;
        pthread_mutex_unlock(&pulse->lock);
    }
}

void pulse_end(struct pulse *pulse) {
    if (!pulse) {
        return;
    }
    pthread_mutex_lock(&pulse->lock);
    pulse->ending = true;
    pthread_cond_signal(&pulse->changed);
    pthread_mutex_unlock(&pulse->lock);
    pthread_join(pulse->thread, NULL);
    free_pulse(pulse);
}
