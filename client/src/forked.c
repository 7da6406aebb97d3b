#include "client/src/forked.h"

#include <pthread.h>
#include <stdatomic.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_bool is_used, is_forked;

static void on_forked_child(void) {
    atomic_store(&is_forked, atomic_load(&is_used));
}

static void watch_forks(void) {
    (void)pthread_atfork(NULL, NULL, on_forked_child);
}

void herald_forked_note_use(void) {
    (void)pthread_once(&once, watch_forks);
    atomic_store(&is_used, true);
}

bool herald_is_forked(void) {
    return atomic_load(&is_forked);
}
