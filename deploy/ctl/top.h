#ifndef HERALD_CTL_TOP_H
#define HERALD_CTL_TOP_H

/*
 * heraldctl top. top_look.c asks the servers, each over a channel that stays open. top_show.c makes text and JSON of
 * two successive looks. top_fit.c fits the text to a screen. top.c runs the terminal.
 */
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/gateways.h"
#include "herald/client.h"
#include "herald/rpc/v1/introspection.pb-c.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/** The answers of one server to one look. The replies own the messages. */
struct top_look {
    uint64_t at_us; /* on the monotonic clock */
    bool answered;
    enum herald_outcome outcome; /* if not: NOT_SENT: unreachable; EXECUTED: an error, or a malformed reply */
    int status;                  /* if not: the exit status */
    char problem[640];           /* if not: why */
    struct herald_reply info_reply, stats_reply, tasks_reply, recent_reply;
    const Herald__Rpc__V1__GetInfoResponse *info;
    const Herald__Rpc__V1__GetStatsResponse *stats;
    const Herald__Rpc__V1__ListTasksResponse *tasks;          /* NULL: no answer */
    const Herald__Rpc__V1__ListRecentCallsResponse *failures; /* NULL: no answer */
};

struct top_server {
    struct ctl_server server;
    struct herald_channel *channel;
    struct top_look before, now;
};

/** A gateway and two looks at it. */
struct top_gateway {
    struct gateway_look before, now;
};

struct top {
    struct ctl *ctl;
    struct top_server servers[CTL_SERVER_COUNT];
    size_t count;
    struct top_gateway gateways[CTL_GATEWAYS_MAX]; /* none if --url or --server chooses */
    size_t gateway_count;
    bool own_methods; /* show herald.rpc.v1 too */
};

/** Opens a channel to each chosen server. Returns:  as ctl_remote_open(), of the first that fails; none is open then */
enum herald_code top_open(struct top *top, struct ctl *ctl, struct herald_error *reterr);
void top_close(struct top *top);
/** Asks all servers in parallel. The last look moves from `now` to `before`. */
void top_look(struct top *top);

/** A method's calls between two looks. */
struct top_method {
    const char *server, *method;
    double seconds;
    uint64_t calls, failed; /* how many ended in between */
    uint64_t codes[32];     /* of these calls, by code */
    uint64_t total;         /* since the server's start */
    uint64_t p50_us, p99_us;
    uint32_t in_flight;
};
/** Compares the statistics of a method. @before  NULL: no look before */
void top_compare(const Herald__Rpc__V1__MethodStats *before, const Herald__Rpc__V1__MethodStats *now,
                 struct top_method *ret_method);

/** The size of a screen. */
struct top_room {
    size_t columns, rows;
};
/** Prints the text. @room  size to fit; each section that has rows shows some; NULL: everything is shown */
void top_show_text(const struct top *top, const struct top_room *room, FILE *out);
void top_show_json(const struct top *top, FILE *out);
/** The exit status: CTL_OK if any server answered the last look, else the status of the failure. */
int top_status(const struct top *top);

/** A part of the screen: the rows that it has, the lines around them if it shows any, the rows that it gets. */
struct top_section {
    size_t wanted, around, rows;
};
/** Divides the rows of a screen evenly; a section gets no more rows than it has. */
void top_divide(size_t rows, struct top_section *sections, size_t count);

/* Texts cut to columns of the terminal, with "…" for the missing part. NULL: no memory. */
char *top_cut(const char *text, size_t columns);
/** Service/Method without the package. The service is cut first, then left out; the method is cut last. */
char *top_cut_method(const char *method, size_t columns);
/** A server's name without "herald-". */
char *top_cut_server(const char *server, size_t columns);

#endif
