#ifndef HERALD_RPC_SERVE_H
#define HERALD_RPC_SERVE_H

/*
 * Serving an arrival: its message is read (rpc_call_read()), its handler runs, and its reply is sent. That happens on
 * one thread: a loop's, or for a method that never waits the one on which it arrived.
 */
#include "herald/error.h"

struct arrival;
struct loop_work;
struct rpc_loop;

/** Runs where the request arrived: reads a call of a method that never waits, calls its handler, and replies. */
void serve_inline(struct arrival *arrival);
/** Posted with an arrival, or called on its loop's thread: begins its call there. */
void serve_begin(struct loop_work *work);
/** Posted as the cancel_work of an arrival: cancels its call, unless that is a ONCE call. */
void serve_on_cancel(struct loop_work *work);
/** Refuses a call before it begins, on any thread. */
void serve_refuse(struct arrival *arrival, const struct herald_error *error);
/** The drain's time is over: ends all present and future calls of a loop with UNAVAILABLE. Context: the loop's
 *  thread */
void serve_cut_all(struct rpc_loop *loop);

#endif
