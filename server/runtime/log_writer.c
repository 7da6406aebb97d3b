/*
 * The ring is a byte queue of whole lines. `put` and `taken` count bytes since the start; the bytes between them wait.
 * When none do, both go on to the next multiple of its size. So a log that is written in time uses the first pages of the
 * ring again and again. All is guarded by `lock`, which is held for a copy at most, never for a write. `put` and `taken` are atomic because
 * on_crash() reads them without the lock, which the crashing thread may hold.
 *
 * A wake of the thread costs more than a line. So the thread, woken by a line, lets others join it for a moment. `wake_bytes`
 * says how many bytes must wait until a line wakes it: one while it is idle, a write full of lines while it gathers.
 *
 * Dropped lines are told of as soon as there is room behind the lines that wait: at the next line, or when the ring has
 * become empty.
 */
#include "server/runtime/log_writer.h"

#include "client/base/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Pause after a write that failed: the disk is full, or nobody has the pipe open. */
#define RETRY_MS      100
#define CRASH_WAIT_MS 200
/* How long lines wait for others that are written with them. */
#define GATHER_MS 20
/* A pipe does not mix so many bytes with those of other processes. */
#define WRITE_BYTES ((size_t)PIPE_BUF)

static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled;  /* for the thread */
    pthread_cond_t emptied; /* for those who wait for it */
    pthread_t thread;
    size_t (*make_notice)(uint64_t dropped, char *ret_line);
    bool ready; /* the conditions are made */
    bool running, ending, ended;
    unsigned flushing; /* how many wait for all lines to be written */
    size_t wake_bytes; /* SIZE_MAX: the thread does not wait for lines */
    uint64_t unreported;
    atomic_uint_fast64_t dropped;
    atomic_uint_fast64_t put, taken;
    char ring[LOG_WRITER_RING_BYTES];
} writer = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the ring ---- */

static size_t waiting_bytes(void) {
    return (size_t)(atomic_load(&writer.put) - atomic_load(&writer.taken));
}

static void append_locked(const char *line, size_t bytes) {
    size_t at = (size_t)(atomic_load(&writer.put) % LOG_WRITER_RING_BYTES);
    size_t first = bytes < LOG_WRITER_RING_BYTES - at ? bytes : LOG_WRITER_RING_BYTES - at;
    memcpy(writer.ring + at, line, first);
    memcpy(writer.ring, line + first, bytes - first);
    atomic_fetch_add(&writer.put, bytes);
}

/* Copies the first bytes that wait. Returns how many. */
static size_t peek_locked(char *ret_bytes, size_t most) {
    size_t at = (size_t)(atomic_load(&writer.taken) % LOG_WRITER_RING_BYTES), count = waiting_bytes();
    count = count < most ? count : most;
    size_t first = count < LOG_WRITER_RING_BYTES - at ? count : LOG_WRITER_RING_BYTES - at;
    memcpy(ret_bytes, writer.ring + at, first);
    memcpy(ret_bytes + first, writer.ring, count - first);
    return count;
}

/* Copies whole lines: as many as a pipe takes without mixing them with those of other processes, but one at least. */
static size_t peek_lines_locked(char ret_lines[LOG_WRITER_LINE_BYTES]) {
    size_t count = peek_locked(ret_lines, LOG_WRITER_LINE_BYTES);
    const char *end = memrchr(ret_lines, '\n', count < WRITE_BYTES ? count : WRITE_BYTES);
    if (!end) {
        end = memchr(ret_lines, '\n', count);
    }
    return end ? (size_t)(end - ret_lines) + 1 : count;
}

/* Lets the next line stand at the begin of the ring, which is empty. */
static void rewind_ring_locked(void) {
    uint_fast64_t laps = (atomic_load(&writer.put) + LOG_WRITER_RING_BYTES - 1) / LOG_WRITER_RING_BYTES;
    atomic_store(&writer.put, laps * LOG_WRITER_RING_BYTES);
    atomic_store(&writer.taken, laps * LOG_WRITER_RING_BYTES);
}

/* True when the dropped lines are told of, and @bytes more fit. */
static bool make_line_room_locked(size_t bytes) {
    char notice[LOG_WRITER_NOTICE_BYTES];
    size_t room = LOG_WRITER_RING_BYTES - waiting_bytes();
    if (writer.unreported == 0) {
        return bytes <= room;
    }
    if (bytes + sizeof(notice) > room) {
        return false;
    }
    append_locked(notice, writer.make_notice(writer.unreported, notice));
    writer.unreported = 0;
    return true;
}

bool log_writer_put(const char *line, size_t bytes) {
    pthread_mutex_lock(&writer.lock);
    if (!writer.running) {
        pthread_mutex_unlock(&writer.lock);
        return false;
    }
    if (!writer.ended && make_line_room_locked(bytes)) {
        append_locked(line, bytes);
    } else {
        writer.unreported++;
        atomic_fetch_add(&writer.dropped, 1);
    }
    if (waiting_bytes() >= writer.wake_bytes) {
        writer.wake_bytes = SIZE_MAX;
        pthread_cond_signal(&writer.filled);
    }
    pthread_mutex_unlock(&writer.lock);
    return true;
}

uint64_t log_writer_dropped_count(void) {
    return atomic_load(&writer.dropped);
}

/* ---- the thread ---- */

/* Waits before the next attempt; false: the log ends, and waits no longer. */
static bool wait_to_write_again(int failure) {
    const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    pthread_mutex_lock(&writer.lock);
    bool ending = writer.ending;
    pthread_mutex_unlock(&writer.lock);
    if (ending) {
        return false;
    }
    /* Another process may have made the description non-blocking. */
    if (failure != EAGAIN || poll(&room, 1, RETRY_MS) < 0 || !(room.revents & POLLOUT)) {
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

/* False: given up, because the log ends. */
static bool write_lines(const char *lines, size_t bytes) {
    while (bytes > 0) {
        ssize_t count = write(STDERR_FILENO, lines, bytes);
        if (count >= 0) {
            lines += count;
            bytes -= (size_t)count;
        } else if (errno != EINTR && !wait_to_write_again(errno)) {
            return false;
        }
    }
    return true;
}

/* Lets lines come until there are enough for a write, their time is over, or somebody wants them written. */
static void gather_lines_locked(void) {
    const struct timespec until = herald_timespec_in_ms(GATHER_MS);
    int failure = 0;
    while (failure == 0 && !writer.ending && writer.flushing == 0 && waiting_bytes() < WRITE_BYTES) {
        writer.wake_bytes = WRITE_BYTES;
        failure = pthread_cond_timedwait(&writer.filled, &writer.lock, &until);
    }
    writer.wake_bytes = SIZE_MAX;
}

/* Waits for lines; false: there are none, and the log ends. */
static bool wait_for_lines_locked(void) {
    while (waiting_bytes() == 0) {
        if (writer.unreported > 0) {
            (void)make_line_room_locked(0);
            return true;
        }
        if (writer.ending) {
            return false;
        }
        rewind_ring_locked();
        pthread_cond_broadcast(&writer.emptied);
        writer.wake_bytes = 1;
        pthread_cond_wait(&writer.filled, &writer.lock);
        gather_lines_locked();
    }
    return true;
}

static void *run_writer(void *arg) {
    char lines[LOG_WRITER_LINE_BYTES];
    bool good = true;
    (void)arg;
    pthread_mutex_lock(&writer.lock);
    while (good && wait_for_lines_locked()) {
        size_t bytes = peek_lines_locked(lines);
        pthread_mutex_unlock(&writer.lock);
        good = write_lines(lines, bytes);
        pthread_mutex_lock(&writer.lock);
        if (good) {
            atomic_fetch_add(&writer.taken, bytes);
        }
    }
    writer.ended = true;
    pthread_cond_broadcast(&writer.emptied);
    pthread_mutex_unlock(&writer.lock);
    return NULL;
}

/* ---- crashes ---- */

static const int CRASHES[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
#define CRASH_COUNT (sizeof(CRASHES) / sizeof(CRASHES[0]))
static struct sigaction before[CRASH_COUNT];

void log_writer_settle(unsigned wait_ms) {
    const struct timespec pause = {.tv_nsec = 1000000};
    for (unsigned i = 0; i < wait_ms && atomic_load(&writer.put) != atomic_load(&writer.taken); i++) {
        (void)nanosleep(&pause, NULL);
    }
}

/* Lets the thread write what waits, then the crash goes on as it would have without us: a fault happens again when this
 * returns; a signal that was sent is sent again. */
static void on_crash(int signal_number, siginfo_t *info, void *context) {
    (void)context;
    log_writer_settle(CRASH_WAIT_MS);
    for (size_t i = 0; i < CRASH_COUNT; i++) {
        if (CRASHES[i] == signal_number) {
            (void)sigaction(signal_number, &before[i], NULL);
        }
    }
    if (info->si_code <= 0) {
        (void)raise(signal_number);
    }
}

static void catch_crashes(void) {
    struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < CRASH_COUNT; i++) {
        (void)sigaction(CRASHES[i], &action, &before[i]);
    }
}

static void release_crashes(void) {
    for (size_t i = 0; i < CRASH_COUNT; i++) {
        (void)sigaction(CRASHES[i], &before[i], NULL);
    }
}

/* ---- life ---- */

static void init_conditions(void) {
    pthread_condattr_t monotonic;
    if (writer.ready) {
        return;
    }
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&writer.emptied, &monotonic);
    pthread_cond_init(&writer.filled, &monotonic);
    pthread_condattr_destroy(&monotonic);
    writer.ready = true;
}

bool log_writer_start(size_t (*make_notice)(uint64_t dropped, char *ret_line)) {
    sigset_t all, old;
    init_conditions();
    pthread_mutex_lock(&writer.lock);
    writer.make_notice = make_notice;
    writer.ending = writer.ended = false;
    writer.wake_bytes = SIZE_MAX;
    writer.running = true;
    pthread_mutex_unlock(&writer.lock);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* the thread takes no signals */
    int failure = pthread_create(&writer.thread, NULL, run_writer, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failure != 0) {
        pthread_mutex_lock(&writer.lock);
        writer.running = false;
        pthread_mutex_unlock(&writer.lock);
        return false;
    }
    catch_crashes();
    return true;
}

static bool is_written_locked(void) {
    return waiting_bytes() == 0 && writer.unreported == 0;
}

bool log_writer_flush(unsigned wait_ms) {
    const struct timespec until = herald_timespec_in_ms(wait_ms);
    int failure = 0;
    pthread_mutex_lock(&writer.lock);
    writer.flushing++;
    pthread_cond_signal(&writer.filled);
    while (writer.running && !writer.ended && !is_written_locked() && failure == 0) {
        failure = pthread_cond_timedwait(&writer.emptied, &writer.lock, &until);
    }
    writer.flushing--;
    bool written = is_written_locked();
    pthread_mutex_unlock(&writer.lock);
    return written;
}

void log_writer_end(unsigned wait_ms) {
    const struct timespec until = herald_timespec_in_ms(wait_ms);
    int failure = 0;
    pthread_mutex_lock(&writer.lock);
    if (!writer.running) {
        pthread_mutex_unlock(&writer.lock);
        return;
    }
    writer.ending = true;
    pthread_cond_signal(&writer.filled);
    while (!writer.ended && failure == 0) {
        failure = pthread_cond_timedwait(&writer.emptied, &writer.lock, &until);
    }
    bool ended = writer.ended;
    writer.running = !ended || !is_written_locked(); /* a reader that has stalled must not stop later lines either */
    pthread_mutex_unlock(&writer.lock);
    release_crashes();
    if (ended) {
        pthread_join(writer.thread, NULL);
    } else {
        pthread_detach(writer.thread);
    }
}
