#ifndef HERALD_CTL_TOP_H
#define HERALD_CTL_TOP_H

#include "deploy/ctl/ctl.h"
#include "herald/client.h"
#include "herald/rpc/v1/introspection.pb-c.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * heraldctl top. top_look.c asks the servers, each on a channel that lasts; top_show.c makes text and JSON of two looks
 * one after the other; top_fit.c makes it fit a screen; top.c is the terminal.
 */

/** What one server said at one time. Messages are in the replies, which own them. */
struct top_look {
    uint64_t at_us; /* on the monotonic clock */
    bool answered;
    enum herald_outcome outcome; /* if not: NOT_SENT is away, EXECUTED answered with an error or with garbage */
    int status;                  /* if not: the exit status that tells so */
    char problem[640];           /* why not */
    struct herald_reply info_reply, stats_reply, tasks_reply, recent_reply;
    const Herald__Rpc__V1__GetInfoResponse *info;
    const Herald__Rpc__V1__GetStatsResponse *stats;
    const Herald__Rpc__V1__ListTasksResponse *tasks;          /* NULL: it did not say */
    const Herald__Rpc__V1__ListRecentCallsResponse *failures; /* NULL: it did not say */
};

struct top_server {
    struct ctl_server server;
    struct herald_channel *channel;
    struct top_look before, now;
};

struct top {
    struct ctl *ctl;
    struct top_server servers[CTL_SERVER_COUNT];
    size_t count;
    bool own_methods; /* show herald.rpc.v1 too */
};

/** Opens the channels. An URL that is none is an error. */
enum herald_code top_open(struct top *top, struct ctl *ctl, struct herald_error *reterr);
void top_close(struct top *top);
/** Asks all servers at the same time; what was `now` is `before` then. */
void top_look(struct top *top);

/** A method's calls between two looks. */
struct top_method {
    const char *server, *method;
    double seconds;
    uint64_t calls, failed; /* that ended in between */
    uint64_t codes[32];     /* of them, by code */
    uint64_t total;         /* since the server's start */
    uint64_t p50_us, p99_us;
    uint32_t in_flight;
};
/** Compares the statistics of a method; @before  NULL: there was none. */
void top_compare(const Herald__Rpc__V1__MethodStats *before, const Herald__Rpc__V1__MethodStats *now,
                 struct top_method *ret_method);

/** What a screen has room for. */
struct top_room {
    size_t columns, rows;
};
/** @room  what it must fit into, so that each section that has rows shows some; NULL: all is shown */
void top_show_text(const struct top *top, const struct top_room *room, FILE *out);
void top_show_json(const struct top *top, FILE *out);
/** CTL_OK if any server answered the last look, else what tells why not. */
int top_status(const struct top *top);

/** A part of the screen: how many rows it has, how many lines stand around them if it shows any, what it gets. */
struct top_section {
    size_t wanted, around, rows;
};
/** Divides the rows of a screen: each section gets as many as the others, or all that it wants. */
void top_divide(size_t rows, struct top_section *sections, size_t count);

/* Texts cut to columns of the terminal, "…" where something is missing. NULL without memory. */
char *top_cut(const char *text, size_t columns);
/** Service/Method without the package; the service is cut first, and left out before the method is. */
char *top_cut_method(const char *method, size_t columns);
/** Without "herald-". */
char *top_cut_server(const char *server, size_t columns);

#endif
