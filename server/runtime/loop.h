#ifndef HERALD_RUNTIME_LOOP_H
#define HERALD_RUNTIME_LOOP_H

/*
 * A loop: one thread with a libuv loop on which tasks run. Objects of a loop (tasks, database pool, Redis connection,
 * HTTP client) may be used on its thread only. Other threads reach them only through loop_post().
 */
#include "herald/error.h"

#include <stdbool.h>
#include <stdint.h>

struct uv_loop_s;
struct loop;

/** Work posted to a loop; embed it as the first member of the state that it carries. run() owns the work. */
struct loop_work {
    struct loop_work *next; /* private */
    void (*run)(struct loop_work *work);
};

/**
 * Makes a loop, which does not run yet.
 *
 * @ret_loop  set only on success; the caller frees it with loop_free()
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "OUT_OF_MEMORY"; "LOOP_INIT": libuv cannot make one)
 */
enum herald_code loop_new(unsigned index, struct loop **ret_loop, struct herald_error *reterr);
/**
 * Frees a loop that does not run; runs work that was posted meanwhile first. NULL is allowed.
 *
 * Context: all tasks have ended (asserted), all handles are closed, and no other thread posts or stops any more
 */
void loop_free(struct loop *loop);
/** Runs the loop on the calling thread, until loop_stop() was called, its tasks have ended and its handles are
 *  closed. */
void loop_run(struct loop *loop);
/** Asks loop_run() to return. The loop closes its own handles; owners must close the others. Any thread. */
void loop_stop(struct loop *loop);
/** Posts @work, which runs on the loop's thread. Work of one thread runs in the order of posting. Lock-free. Any
 *  thread. */
void loop_post(struct loop *loop, struct loop_work *work);

/** A pool of memory beside the loop's own, from which the loop has a part given back after a burst. */
struct loop_relief {
    struct loop_relief *next; /* private */
    /** Frees a part of what nothing has needed since the last time. Called every 100 ms while the loop gives memory back,
     *  on its thread. Returns: whether more is to be freed */
    bool (*give_back)(struct loop_relief *relief);
};
/** Adds a pool for as long as the loop runs. Before loop_run(), or on the loop's thread. */
void loop_add_relief(struct loop *loop, struct loop_relief *relief);
/** Notes that a large block of memory was freed. When none was for a second, malloc gives back what it holds. The loop's
 *  thread. */
void loop_note_freed(struct loop *loop);

/**
 * Runs, on the calling thread, what was posted to a loop that does not run: not yet, or no more.
 *
 * Returns: true | false: the loop runs, and does so itself
 * Context: a thread that is no loop's; a loop that is started meanwhile begins to run afterwards
 */
bool loop_run_posted(struct loop *loop);

/** Work for the end of a turn: when nothing is left to run and the loop is about to wait for events. What many callbacks
 *  and tasks leave behind is done there once. */
struct loop_turn {
    struct loop_turn *next; /* private */
    bool queued;            /* private */
    void (*run)(struct loop_turn *turn);
};
/** Runs @turn at the end of the present turn, once however often it is asked for; a zeroed one with run() set will do.
 *  run() may ask again: for the next turn, which then does not wait. The loop's thread. */
void loop_at_turn_end(struct loop *loop, struct loop_turn *turn);
/** Takes back what loop_at_turn_end() asked for. The loop's thread. */
void loop_turn_cancel(struct loop *loop, struct loop_turn *turn);

/** Work for the end of a loop: it has been stopped and its tasks have ended. What still has handles closes them there. */
struct loop_ending {
    struct loop_ending *prev, *next; /* private */
    void (*run)(struct loop_ending *ending);
};
/** Lets @ending run once when the loop ends, on its thread. The loop's thread. */
void loop_add_ending(struct loop *loop, struct loop_ending *ending);
/** Takes it back; it has not run. The loop's thread. */
void loop_remove_ending(struct loop *loop, struct loop_ending *ending);

struct uv_loop_s *loop_uv(struct loop *loop);
/** The index that was given to loop_new(). */
unsigned loop_index(const struct loop *loop);
/** The loop whose thread this is; NULL on other threads. */
struct loop *loop_current(void);
/** Tasks that exist on the loop now. Any thread. */
unsigned loop_task_count(const struct loop *loop);

#endif
