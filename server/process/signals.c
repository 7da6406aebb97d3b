#include "server/process/signals.h"

#include "server/runtime/log_writer.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long the last lines of the log are waited for where nothing else is. */
#define LAST_LINES_MS 50u

static const int ENDS[] = {SIGTERM, SIGINT, SIGQUIT};
#define END_COUNT (sizeof(ENDS) / sizeof(ENDS[0]))

/* Their default ends the process, or stops it for want of a terminal. */
static const int IGNORED[] = {SIGPIPE, SIGUSR1, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGXFSZ, SIGTTIN, SIGTTOU};

/* Wakes the main thread to replace the program. From outside it asks for nothing. */
#define REPLACE_SIGNAL SIGUSR2
static atomic_bool replace_asked;

static void wanted_signals(sigset_t *set) {
    sigemptyset(set);
    for (size_t i = 0; i < END_COUNT; i++) {
        sigaddset(set, ENDS[i]);
    }
    sigaddset(set, SIGHUP);
    sigaddset(set, REPLACE_SIGNAL);
}

static void ignore_unless_handled(int signal_number) {
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction present;
    if (sigaction(signal_number, NULL, &present) == 0 && !(present.sa_flags & SA_SIGINFO) &&
        present.sa_handler == SIG_DFL) {
        (void)sigaction(signal_number, &ignore, NULL);
    }
}

void signals_prepare(void) {
    sigset_t set;
    for (size_t i = 0; i < sizeof(IGNORED) / sizeof(IGNORED[0]); i++) {
        ignore_unless_handled(IGNORED[i]);
    }
    for (int i = SIGRTMIN; i <= SIGRTMAX; i++) {
        ignore_unless_handled(i);
    }
    wanted_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

enum signal_wish signals_wait(int *ret_signal) {
    sigset_t set;
    wanted_signals(&set);
    for (;;) {
        int signal_number = sigwaitinfo(&set, NULL);
        *ret_signal = signal_number;
        if (signal_number == SIGHUP) {
            return SIGNAL_WISH_RELOAD;
        }
        if (signal_number == REPLACE_SIGNAL && atomic_load(&replace_asked)) {
            return SIGNAL_WISH_REPLACE;
        }
        if (signal_number > 0 && signal_number != REPLACE_SIGNAL) {
            return SIGNAL_WISH_END;
        }
    }
}

void signals_ask_to_replace(pthread_t main_thread) {
    atomic_store(&replace_asked, true);
    (void)pthread_kill(main_thread, REPLACE_SIGNAL);
}

/* Says so only if stderr takes it at once. */
static void on_second_signal(int signal_number) {
    static const char TEXT[] = "ended at once by a second signal\n";
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    (void)signal_number;
    log_writer_settle(LAST_LINES_MS);
    if (poll(&room, 1, 0) == 1 && (room.revents & POLLOUT) && write(STDERR_FILENO, TEXT, sizeof(TEXT) - 1) < 0) {
        _exit(EXIT_FAILURE);
    }
    _exit(EXIT_FAILURE);
}

void signals_end_at_next(void) {
    const struct sigaction second = {.sa_handler = on_second_signal};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < END_COUNT; i++) {
        (void)sigaction(ENDS[i], &second, NULL);
        sigaddset(&set, ENDS[i]);
    }
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
