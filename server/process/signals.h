#ifndef HERALD_PROCESS_SIGNALS_H
#define HERALD_PROCESS_SIGNALS_H

/*
 * The signals of a server. SIGTERM, SIGINT and SIGQUIT drain it, SIGHUP has it read its files again. The others that a
 * daemon may get are ignored, unless somebody has set a handler (a profiler). SIGTSTP and SIGCONT keep their meaning.
 */
#include <pthread.h>

enum signal_wish { SIGNAL_WISH_END, SIGNAL_WISH_RELOAD, SIGNAL_WISH_REPLACE };

/** Blocks the signals that signals_wait() takes, and ignores the others. The main thread, before the first other one. */
void signals_prepare(void);
/** Waits for a signal that asks for something. @ret_signal  its number. The main thread. */
enum signal_wish signals_wait(int *ret_signal);
/** Has signals_wait() return SIGNAL_WISH_REPLACE in @main_thread. Any thread. */
void signals_ask_to_replace(pthread_t main_thread);
/** From now on SIGTERM, SIGINT or SIGQUIT end the process at once. The main thread. */
void signals_end_at_next(void);

#endif
