#ifndef HERALD_RUNTIME_HASH_H
#define HERALD_RUNTIME_HASH_H

/*
 * Hash tables: uthash, which ends the process without memory unless it is told otherwise before it is included. Servers
 * include it by this file only.
 */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/** Whether an item is in its table after HASH_ADD…(); else there was no memory, and the table is as it was. */
#define HASH_HAS_ADDED(hh, item) ((item)->hh.tbl != NULL)

#endif
