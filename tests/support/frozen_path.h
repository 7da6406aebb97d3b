#ifndef HERALD_TESTS_FROZEN_PATH_H
#define HERALD_TESTS_FROZEN_PATH_H

/*
 * A way to a TCP service that can be frozen: connections stay open and carry nothing, as behind a proxy that hangs. A
 * thread of its own; all functions may be called from any other.
 */
#include <stdbool.h>

struct frozen_path;

/** A way from @port to @target_port, both of loopback_address(). Aborts when it cannot be made. */
struct frozen_path *frozen_path_open(unsigned port, unsigned target_port);
/** Freezes the connections that are there, and with @new_ones those to come too. */
void frozen_path_freeze(struct frozen_path *path, bool new_ones);
/** All carry again. */
void frozen_path_thaw(struct frozen_path *path);
/** Closes everything. */
void frozen_path_close(struct frozen_path *path);

#endif
