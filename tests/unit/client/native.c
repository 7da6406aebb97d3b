/*
 * Linked with --wrap=herald_channel_open: channels of the test are opened on the native engine, where it speaks their
 * URLs. Its loop runs as long as the test does.
 */
#include "client/base/random.h"
#include "client/src/channel.h"
#include "client/src/stream_shim.h"
#include "server/outgoing/native_calls.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

enum herald_code __real_herald_channel_open(const char *url, const struct herald_channel_options *options,
                                            struct herald_channel **ret_channel, struct herald_error *reterr);
enum herald_code __wrap_herald_channel_open(const char *url, const struct herald_channel_options *options,
                                            struct herald_channel **ret_channel, struct herald_error *reterr);

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct native_calls *calls;
static struct loop *loop;
static pthread_t thread;
static atomic_bool runs;

static void note_running(struct loop_work *work) {
    (void)work;
    atomic_store(&runs, true);
}

static void *run_loop(void *user) {
    loop_run(user);
    return NULL;
}

static void end_engine(void) {
    loop_stop(loop);
    pthread_join(thread, NULL);
    native_calls_free(calls);
    loop_free(loop);
}

static void start_engine(void) {
    (void)signal(SIGPIPE, SIG_IGN); /* libuv writes with write() */
    herald_stream_shim_install();   /* for the peers, which are nng's */
    static struct loop_work work = {.run = note_running};
    if (loop_new(0, &loop, NULL) != HERALD_OK || native_calls_new(&loop, 1, &calls, NULL) != HERALD_OK ||
        pthread_create(&thread, NULL, run_loop, loop) != 0) {
        abort();
    }
    loop_post(loop, &work);
    while (!atomic_load(&runs)) {
        sched_yield();
    }
    (void)herald_random(); /* libcrypto cleans up at exit: after the engine has ended */
    (void)atexit(end_engine);
}

enum herald_code __wrap_herald_channel_open(const char *url, const struct herald_channel_options *options,
                                            struct herald_channel **ret_channel, struct herald_error *reterr) {
    if (url == NULL || !native_calls_can(url)) {
        return __real_herald_channel_open(url, options, ret_channel, reterr);
    }
    (void)pthread_once(&once, start_engine);
    return herald_channel_open_on(native_calls_engine(calls), url, options, ret_channel, reterr);
}
