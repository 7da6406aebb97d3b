#ifndef HERALD_TESTS_UNIT_TRANSPORT_SERVER_PROCESS_H
#define HERALD_TESTS_UNIT_TRANSPORT_SERVER_PROCESS_H

#include <stdio.h>
#include <sys/types.h>

/* A server (tests/unit/rpc/program.c) in a process of its own, whose memory and descriptors can be looked at. */
struct server_process {
    pid_t pid;
    FILE *log;
    char url[160];
};

/** Starts it, with the environment as it is, and waits until it listens on a free port. */
void server_process_start(struct server_process *server);
/** Ends it; asserts that it ended well, by itself. */
void server_process_stop(struct server_process *server);

/** Memory that it uses, and address space that it has taken, KiB. */
long server_process_resident_kib(const struct server_process *server);
long server_process_virtual_kib(const struct server_process *server);
/** Its open descriptors. */
unsigned server_process_descriptors(const struct server_process *server);

/** Lets this process and those it starts have up to @wanted descriptors; returns how many they may have. */
unsigned allow_descriptors(unsigned wanted);

#endif
