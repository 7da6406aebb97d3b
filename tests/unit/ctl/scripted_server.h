#ifndef HERALD_TEST_SCRIPTED_SERVER_H
#define HERALD_TEST_SCRIPTED_SERVER_H

#include "herald/error.h"
#include "herald/schema.h"

#include <stddef.h>

/*
 * A server of one thread that answers calls from a script: for each method its answers in their order, the last one
 * again and again. A method without a script is UNIMPLEMENTED. A call that wants to know where its time went is told
 * that it waited 250 us and was handled for 1500 us, 1250 us of them downstream.
 */
struct scripted_answer {
    const struct herald_method_schema *method;
    const char *response; /* JSON; NULL: an error */
    enum herald_code code;
    const char *reason, *message, *field; /* of the error */
};

struct scripted_server;

/** Starts one on a free port of the loopback. @answers  must outlive it. NULL if that fails. */
struct scripted_server *scripted_server_start(const struct scripted_answer *answers, size_t count);
const char *scripted_server_url(const struct scripted_server *server);
/** How often a method was called. */
unsigned scripted_server_calls(const struct scripted_server *server, const struct herald_method_schema *method);
/** JSON of the last request; lives until the next one. */
const char *scripted_server_last_request(const struct scripted_server *server);
void scripted_server_stop(struct scripted_server *server);

#endif
