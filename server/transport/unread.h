#ifndef HERALD_TRANSPORT_UNREAD_H
#define HERALD_TRANSPORT_UNREAD_H

/*
 * Replies that their clients do not read. Each one holds its exchange and a place among the calls in flight, until the
 * client reads it or the send times out. A few connections that send requests and read nothing could hold them all, and
 * the server would receive no other request. When exchanges, places or memory run short, the connections that hold the
 * most are closed and their replies dropped.
 */
#include "server/transport/exchange.h"

/** The resources that a connection's unread replies hold. */
struct unread_share {
    uint32_t pipe_id;
    size_t weight;
};

/** True when exchanges, places among the calls in flight, or memory for replies are short. Any thread. */
bool unread_is_pressing(struct exchange_pool *pool);
/** Closes the connections that hold the most and drops their replies, if unread_is_much(). Returns how many. */
size_t unread_drop(struct exchange_pool *pool, uint64_t now_us);
/** True when @count unread replies hold at least an eighth of the exchanges, or of the memory for replies. Otherwise
 *  something else caused the shortage, and slow readers are left alone. */
bool unread_is_much(const struct unread_share *shares, size_t count, unsigned exchanges);
/**
 * Adds up the shares of each connection, and keeps the connections with at least half of the largest sum.
 *
 * @shares  one for each of @count replies; on return one for each kept connection, ordered by pipe_id
 * Returns: how many are kept
 */
size_t unread_choose(struct unread_share *shares, size_t count);

#endif
