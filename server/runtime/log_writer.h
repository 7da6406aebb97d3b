#ifndef HERALD_RUNTIME_LOG_WRITER_H
#define HERALD_RUNTIME_LOG_WRITER_H

/*
 * The thread that writes the log. Whoever reads stderr may stop reading, its disk may be full, its pipe may be closed:
 * then only this thread waits, and it tries again. Lines wait in a ring of a fixed size. When that is full, further
 * lines are dropped and counted, and a line "log.lines_dropped" says how many, at their place.
 *
 * stderr is not made non-blocking: other processes share its description.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes of lines that wait for their reader. */
#define LOG_WRITER_RING_BYTES ((size_t)1024 * 1024)
/** Longest line. */
#define LOG_WRITER_LINE_BYTES 8192u
/** Longest line that tells of dropped ones. */
#define LOG_WRITER_NOTICE_BYTES 512u

/**
 * Starts the thread. From now on a crash (SIGSEGV, SIGABRT and the like) waits up to 200 ms until the lines are written.
 *
 * @make_notice  writes a line that tells of dropped ones, at most LOG_WRITER_NOTICE_BYTES, and returns its length; it
 *               must not log
 * Returns: false without a thread
 * Context: one thread, before others log
 */
bool log_writer_start(size_t (*make_notice)(uint64_t dropped, char *ret_line));
/** Hands over a line, with its line feed. Never waits for the reader. Returns: false when no writer runs; the caller
 *  writes then. Any thread. */
bool log_writer_put(const char *line, size_t bytes);
/** Waits until all lines are written, @wait_ms at most. Returns: true when they are. Any thread. */
bool log_writer_flush(unsigned wait_ms);
/** Waits likewise in a handler of a signal: without a lock, as its thread may hold it. */
void log_writer_settle(unsigned wait_ms);
/** Ends the thread after its last line, or after @wait_ms without it: then its lines are lost and further ones are
 *  dropped. */
void log_writer_end(unsigned wait_ms);
/** Lines dropped since the start. Any thread. */
uint64_t log_writer_dropped_count(void);

#endif
