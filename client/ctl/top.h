#ifndef HERALD_CTL_TOP_H
#define HERALD_CTL_TOP_H

#include "client/ctl/ctl.h"
#include "herald/client.h"
#include "herald/rpc/v1/introspection.pb-c.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * heraldctl top. top_look.c asks the servers, each on a channel that lasts; top_show.c makes text and JSON of two looks
 * one after the other; top.c is the terminal.
 */

/** What one server said at one time. Messages are in the replies, which own them. */
struct top_look {
    uint64_t at_us; /* on the monotonic clock */
    bool answered;
    char problem[640]; /* why not */
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

void top_show_text(const struct top *top, FILE *out);
void top_show_json(const struct top *top, FILE *out);
/** Whether any server answered the last look. */
bool top_any_answered(const struct top *top);

#endif
