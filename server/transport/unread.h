#ifndef HERALD_TRANSPORT_UNREAD_H
#define HERALD_TRANSPORT_UNREAD_H

#include "server/transport/exchange.h"

/*
 * Replies that their clients do not read. Each holds its exchange, and with it a place among the calls in flight, until
 * the client reads or its time is over: a few connections that ask on and on and read nothing could hold them all, and
 * the server would hear nobody any more. When exchanges, places or memory run short, the connections of those that hold
 * the most are closed, and their replies dropped.
 */

/** What one connection holds by unread replies. */
struct unread_share {
    uint32_t pipe_id;
    size_t weight;
};

/** Whether exchanges, places among the calls in flight, or memory for replies are short. Any thread. */
bool unread_is_pressing(struct exchange_pool *pool);
/** Closes the connections that hold the most, and drops their replies, if unread replies hold a good part of what
 * is short at all. Returns how many. */
size_t unread_drop(struct exchange_pool *pool, uint64_t now_us);
/** Whether @count unread replies hold an eighth of the exchanges, or of what memory there is for replies. If not,
 * something else is why it is short, and who is slow is left alone. */
bool unread_is_much(const struct unread_share *shares, size_t count, unsigned exchanges);
/**
 * Sums up the shares of each connection and keeps those that have at least half of what the first of them has.
 *
 * @shares  of @count replies; on return those kept, one a connection
 * Returns: how many are kept
 */
size_t unread_choose(struct unread_share *shares, size_t count);

#endif
