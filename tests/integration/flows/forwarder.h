#ifndef HERALD_TESTS_FORWARDER_H
#define HERALD_TESTS_FORWARDER_H

/*
 * A way to a TCP service that can be shut and opened: shut, connections are refused and the ones there are closed.
 */
struct forwarder;

/** A shut way to host:port; fails the running test when it cannot be made. */
struct forwarder *forwarder_new(const char *host, int port);
/** The port on 127.0.0.1, the same for its whole life. */
int forwarder_port(const struct forwarder *forwarder);
void forwarder_open(struct forwarder *forwarder);
void forwarder_shut(struct forwarder *forwarder);
/** The way leads to another port of the host from now on; only while it is shut. */
void forwarder_aim(struct forwarder *forwarder, int port);
/** NULL is allowed. */
void forwarder_free(struct forwarder *forwarder);

#endif
