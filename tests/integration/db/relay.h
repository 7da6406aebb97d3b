#ifndef HERALD_TESTS_INTEGRATION_DB_RELAY_H
#define HERALD_TESTS_INTEGRATION_DB_RELAY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A door between a pool and its Postgres, at an address of the test program's own, run by a thread of its own: it can be
 * shut, cut what passes, freeze it, and swallow what the server says.
 */
struct relay;

/** Takes a port of loopback_address(); connections to it are refused until relay_open(). */
struct relay *relay_new(void);
/** Ends the thread and closes everything. */
void relay_free(struct relay *relay);
uint16_t relay_port(const struct relay *relay);
/** Lets connections in. */
void relay_open(struct relay *relay);
/** Refuses new connections and cuts those there are. */
void relay_shut(struct relay *relay);
/** Refuses new connections; those there are go on. */
void relay_bar(struct relay *relay);
/** Cuts the connections there are; new ones are let in. */
void relay_cut(struct relay *relay);
/** From now on, the connections there are stay open and carry nothing; new ones do. */
void relay_freeze(struct relay *relay);
/** From now on, new connections are made and never served: what the peer sends is not read. */
void relay_stall(struct relay *relay, bool stall);
/** From now on, what the server says is thrown away. */
void relay_swallow_answers(struct relay *relay, bool swallow);

#endif
