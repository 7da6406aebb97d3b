#ifndef HERALD_BENCH_PEERS_CELL_H
#define HERALD_BENCH_PEERS_CELL_H

/*
 * A cell: one row of the comparison of RPC, measured with one system. A system brings a server, which returns the
 * payload of each call as it came, and a client. The rest is here, the same for all: the options, the two processes, the
 * clock, what is counted, and the line that is printed. README.md beside this file has the rows.
 *
 * The server runs in a child, made before anything else; it dies with its parent. A cell that fails says why and ends
 * with status 1. Nothing is printed on stdout then.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CELL_HOST        "127.0.0.1"
#define CELL_SERVERS_MAX 4
/* What the server's certificate names. */
#define CELL_NAME "localhost"

struct cell {
    const char *row;
    unsigned connections;
    unsigned in_flight; /* calls, of each connection */
    size_t bytes;       /* payload of a request, and of its reply */
    bool tls;
    unsigned servers;                 /* processes; 0: one. Connection i goes to server i % servers */
    unsigned loops;                   /* of each server; 0: as it begins by default */
    unsigned ports[CELL_SERVERS_MAX]; /* of CELL_HOST: the servers listen there */
    unsigned port;                    /* in a server: its own */
    const char *folder;               /* of what follows; empty without TLS */
    const char *ca_file;              /* PEM */
    const char *cert_file;            /* PEM; signed by that CA */
    const char *key_file;             /* PEM */
};

struct cell_system {
    const char *name;
    bool has_tls;
    /** Serves until the process is killed. */
    void (*serve)(const struct cell *cell);
    /** Makes calls until the process ends, each followed by the next, and gives each end to cell_note(). */
    void (*call)(const struct cell *cell);
    bool scales; /* it has the rows of servers and loops */
};

/**
 * The main function: --list prints the rows that the system has; --row ROW [--seconds S] measures one.
 *
 * Returns: the exit status
 */
int cell_main(const struct cell_system *system, int argc, char **argv);

/** Nanoseconds of the monotonic clock. */
uint64_t cell_now_ns(void);
/** Fills a request. @number  goes into its first eight bytes, so that replies are told apart */
void cell_fill(void *payload, size_t bytes, uint64_t number);
/** Counts a call that has ended, and checks its reply: it must have the bytes of the request @number. Any thread. */
void cell_note(const struct cell *cell, uint64_t number, uint64_t started_ns, const void *reply, size_t bytes);
/** Ends the cell: prints what failed, as printf(). Any thread, either process. */
void cell_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#ifdef __cplusplus
}
#endif

#endif
