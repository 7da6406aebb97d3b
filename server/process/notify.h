#ifndef HERALD_PROCESS_NOTIFY_H
#define HERALD_PROCESS_NOTIFY_H

/*
 * Messages to the service manager, as sd_notify(3): datagrams to the socket that NOTIFY_SOCKET names, a path or an
 * abstract name (@…). Without NOTIFY_SOCKET nothing is sent. WATCHDOG_USEC asks for signs of life: they are sent while
 * every loop of the process runs what is posted to it.
 */
#include <stdint.h>

struct loop;
struct pulse;

/** "READY=1": calls are taken. */
void notify_ready(void);
/** "RELOADING=1": files are read again; notify_ready() follows. */
void notify_reloading(void);
/** "STOPPING=1", and that the end may take @most_ms. */
void notify_stopping(uint64_t most_ms);

/**
 * Starts the thread that sends "WATCHDOG=1" twice in WATCHDOG_USEC, as long as each loop runs a piece of work that was
 * posted to it since the last time.
 *
 * @loops    run already; outlive the pulse
 * Returns:  NULL when nobody asked for signs of life (NOTIFY_SOCKET or WATCHDOG_USEC is not set, or WATCHDOG_PID is
 *           another process), or without memory or a thread
 */
struct pulse *pulse_start(struct loop *const *loops, unsigned loop_count);
/** The loops are about to end: signs of life go on without them, for 15 s. NULL is allowed. */
void pulse_stopping(struct pulse *pulse);
/** Ends the thread, after the loops were freed. NULL is allowed. */
void pulse_end(struct pulse *pulse);

#endif
